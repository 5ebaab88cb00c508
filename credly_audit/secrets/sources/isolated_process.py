"""The process that a source of `isolated` runs in: a request on standard input, an answer on standard output.

Nothing that the plug-in prints, reads or raises gets through but the text of a SourceError: it could hold a value.
"""

import json
import os
import sys
from typing import Any

from credly_audit.secrets.plugin import SourceError, SourcePlugin, StorePlugin
from credly_audit.secrets.sources import find_source
from credly_audit.secrets.sources.isolated import IsolatedSource


def main() -> None:
    """Carry out one request, and leave at once: a plug-in may have left threads behind."""
    request = json.load(sys.stdin)
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    try:
        answer = json.dumps({"value": carry_out(**request), "error": None})
    except BaseException as error:  # noqa: BLE001 - each plug-in raises what it likes, SystemExit included
        answer = json.dumps({"error": describe(error)})
    with os.fdopen(out, "w", encoding="ascii") as file:
        file.write(answer)
    os._exit(0)


def carry_out(prefix: str, action: str, arguments: dict[str, Any]) -> Any:
    """Return what the plug-in returns: text, null, or False for anything else, which is for the caller to refuse."""
    source = find_source(prefix)
    assert isinstance(source, IsolatedSource)  # noqa: S101 - only such a source starts this process
    plugin = source.load()
    if action == "check":
        return {"can_store": isinstance(plugin, StorePlugin), "mistakes": find_mistakes(plugin, **arguments)}
    value = getattr(plugin, action)(**arguments)
    return value if value is None or isinstance(value, str) else False


def find_mistakes(plugin: SourcePlugin, places: list[str]) -> dict[str, str]:
    """Return what is wrong with each place, by place."""
    found = {}
    for place in places:
        try:
            plugin.check(place)
        except SourceError as error:
            found[place] = describe(error)
    return found


def describe(error: BaseException) -> str:
    """Return the text of a SourceError; of another exception the kind, and the module that an import lacks."""
    try:
        if isinstance(error, SourceError):
            return str(error)
        if isinstance(error, ImportError) and error.name:
            return f"{type(error).__name__}: {error.name}"
    except BaseException:  # noqa: BLE001 - the plug-in's code again
        return "SourceError"
    return type(error).__name__


if __name__ == "__main__":
    main()
