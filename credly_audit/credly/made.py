"""The answer to create or rotate: the token, and its value where the answer has one; values by id from a listing.

Credly's samples of both answers show no `token` field, though the text beside them says that it is returned; so its
absence is an ordinary case here, and the value is looked for wherever an envelope could hold it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from credly_audit.credly.wire import Row, Unreadable, read_page
from credly_audit.fingerprint import Trace
from credly_audit.secrets import Secret

FingerprintOf = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Made:
    """What an answer to create or rotate says; `row` is None where it describes no token."""

    row: Row | None
    value: Secret | None = field(repr=False)


def read_made(body: bytes, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]) -> Made:
    """Whatever the body holds; nothing where it is no JSON object."""
    content = _json(body)
    described = next((each for each in _places(content) if isinstance(each.get("id"), str)), None)
    row = None
    if described is not None:
        as_page = json.dumps({"data": [described]}).encode()
        try:
            row = next(iter(read_page(as_page, fingerprint_of, traced).rows), None)
        except Unreadable:
            row = None
    value = next((secret for each in _places(content) if (secret := _value(each))), None)
    return Made(row, value)


def read_values(body: bytes) -> dict[str, Secret]:
    """The values of a page of the listing, by the tokens' ids; those that are withheld are left out."""
    content = _json(body)
    rows = content.get("data") if isinstance(content, dict) else None
    return {
        row["id"]: secret
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and isinstance(row.get("id"), str) and (secret := _value(row))
    }


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _places(content: Any) -> Iterator[Mapping[str, Any]]:
    """The objects that could describe the token: `data`, one of a list there, one named in it, the whole."""
    data = content.get("data") if isinstance(content, dict) else None
    candidates = [data, *(data if isinstance(data, list) and len(data) == 1 else [])]
    candidates += [data.get("authorization_token")] if isinstance(data, dict) else []
    yield from (each for each in (*candidates, content) if isinstance(each, dict))


def _value(described: Mapping[str, Any]) -> Secret | None:
    """A value that could be sent in a header; None where there is none or a mask stands in its place."""
    text = described.get("token")
    if not isinstance(text, str):
        return None
    text = text.strip()
    if not text or not text.isascii() or not text.isprintable() or "*" in text:
        return None
    return Secret(text)
