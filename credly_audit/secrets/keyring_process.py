"""The process that talks to the keyring for `keyring_calls`: a request on standard input, an answer on standard output.

What the keyring itself prints, reads or raises does not get through; its words could hold a value.
"""

import json
import os
import sys
from typing import Any


def main() -> None:
    """Carry out one request, and leave at once: a backend may have left threads behind."""
    request = json.load(sys.stdin)
    out = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    try:
        answer = {"value": carry_out(**request)}
    except BaseException as error:  # noqa: BLE001 - each backend raises what it likes, SystemExit included
        answer = {"error": type(error).__name__}
    with os.fdopen(out, "w", encoding="ascii") as file:
        json.dump(answer, file, default=lambda _: False)
    os._exit(0)


def carry_out(action: str, service: str, user: str, value: str = "") -> Any:
    """Return the entry; anything else than text is for the caller to refuse."""
    import keyring  # noqa: PLC0415 - only here, where nothing it does reaches the tool

    if action == "set":
        keyring.set_password(service, user, value)
        return None
    if action == "delete":
        keyring.delete_password(service, user)
        return None
    return keyring.get_password(service, user)


if __name__ == "__main__":
    main()
