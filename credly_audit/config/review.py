"""What a reviewer of a configuration has to look at: every setting that can send a secret elsewhere, with its place."""

from collections.abc import Iterator, Mapping
from typing import Any

from credly_audit.config.mistakes import Location, dotted
from credly_audit.config.settings import Settings
from credly_audit.config.source import Source
from credly_audit.config.types import mask_address
from credly_audit.secrets import is_reference, mask_reference, runs_code
from credly_audit.secrets.shape import mask_shapes
from credly_audit.text import one_line

SETTINGS = {
    "api.base_url": "receives every credential",
    "api.oauth_token_url": "receives the client secret of each OAuth application",
    "api.proxy": "passes every request on",
    "api.ca_bundle": "decides which servers are trusted",
    "history.url": "receives what each audit found",
}

NAMES = {
    "store": "receives new values of tokens",
    "read_back": "gives back what was stored",
    "deploy": "receives new values of tokens",
}
"""Keys that say the same in whatever table they stand."""

RUNS = "runs a program with the rights of credly-audit"

NOWHERE = "none"
"""A `read_back` that reads nothing."""


def list_exits(settings: Settings, source: Source, environ: Mapping[str, str]) -> list[str]:
    """Return a line for each setting that can send a secret elsewhere, in the order of the file.

    The rows of organizations_file follow, then what the environment overrides.
    """
    found = [
        (source.line(location) or 0, dotted(location), text, reason)
        for location, text in _walk_references(source.raw)
        if (reason := _find_reason(location, text))
    ]
    lines = [f"{source.path}:{line}: {_tell(key, text, reason)}" for line, key, text, reason in sorted(found)]
    rows = [each for each in settings.organizations if each.file != source.path and not each.from_defaults]
    lines += [f"{row.place}: {_tell('token', row.token, RUNS)}" for row in rows if row.token and runs_code(row.token)]
    if url := environ.get("CREDLY_API_URL"):
        lines.append(f"environment: {_tell('CREDLY_API_URL', url, SETTINGS['api.base_url'])}")
    return lines


def find_untrusted(settings: Settings, source: Source) -> list[str]:
    """Return a mistake for everything in a configuration that would run code, or open a keyring."""
    found = [
        (source.line(location) or 0, dotted(location), reason)
        for location, text in _walk_references(source.raw)
        if (reason := _find_untrusted(location, text))
    ]
    rows = [each for each in settings.organizations if each.file != source.path and each.token]
    return [
        *(f"{source.path}:{line}: {key}: --untrusted refuses {reason}" for line, key, reason in sorted(found)),
        *(
            f"{row.place}: token: --untrusted refuses {reason}"
            for row in rows
            if (reason := _find_untrusted(("token",), row.token or "")) and not row.from_defaults
        ),
    ]


def _find_untrusted(location: Location, text: str) -> str | None:
    """Return what is refused in a text at a location, and what to write instead; None where nothing is."""
    if dotted(location) == "report.templates":
        return "templates of one's own; leave them out"
    if runs_code(text) or (is_reference(text) and text.startswith(KEYRING)):
        return f"{text.partition(':')[0]}:, which runs code or opens a keyring; write {ALLOWED}"
    return None


WORDS = frozenset({"policy", "waivers", "plans", "name", "contact", "tags"})
"""Tables and keys in which people write what they like."""

KEYRING = "keyring:"
ALLOWED = "env:NAME or file:PATH"


def _walk_references(value: Any, location: Location = ()) -> Iterator[tuple[Location, str]]:
    """Yield every text of the file with its location, but those that are words of people and never a reference."""
    if location and (location[0] in WORDS or location[-1] in WORDS):
        return
    if isinstance(value, str):
        yield location, value
    elif isinstance(value, dict | list):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _walk_references(each, (*location, key))


def _find_reason(location: Location, text: str) -> str | None:
    """Return what a text at a location can do with a secret; None where it can do nothing."""
    name = str(location[-1])
    if name == "read_back" and text == NOWHERE:
        return None
    known = SETTINGS.get(dotted(location)) or NAMES.get(name)
    return "; ".join(filter(None, (known, RUNS if runs_code(text) else None))) or None


def _tell(key: str, text: str, reason: str) -> str:
    shown = mask_address(text) if key.endswith("proxy") else mask_reference(text) if runs_code(text) else text
    return f"{key} = {one_line(mask_shapes(shown), 100)}: {reason}"
