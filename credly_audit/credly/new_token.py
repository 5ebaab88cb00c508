"""The answer to create or rotate: the token, and what may be its value; values by id from a listing.

Credly's samples of both answers show no `token` field, though the text beside them says that it is returned; so its
absence is an ordinary case here, and the value is looked for wherever an envelope could hold it. What stands at `token`
may also be words, a mask or the value of before: whether it is a value is decided by who uses it, with a request.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from credly_audit.credly.wire import NotAList, TokenRow, read_page
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Trace
from credly_audit.secrets.redaction import RUN
from credly_audit.secrets.shape import looks_random

FingerprintOf = Callable[[str], str | None]

MOST_OTHERS = 5

CUT_SHORT = re.compile(r'\A\s*\{.*?"token"\s*:\s*"([^"\\]+)"', re.DOTALL)
"""The value in an answer that is no JSON because its end is missing."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """What an answer to create or rotate says; `row` is None where it describes no token."""

    row: TokenRow | None
    value: Secret | None = field(default=None, repr=False)
    """What stands where the value should."""
    others: tuple[Secret, ...] = field(default=(), repr=False)
    """What stands around or elsewhere and looks like a value."""

    @property
    def values(self) -> Iterator[Secret]:
        """All that may be the new value, the likeliest first."""
        yield from (each for each in (self.value, *self.others) if each is not None)


def read_new_token(body: bytes, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]) -> NewToken:
    """Whatever the body holds; nothing where it is no JSON object."""
    content = _decode_json(body)
    described = next((each for each in _find_descriptions(content) if isinstance(each.get("id"), str)), None)
    row = None
    if described is not None:
        as_page = json.dumps({"data": [described]}).encode()
        try:
            row = next(iter(read_page(as_page, fingerprint_of, traced).rows), None)
        except NotAList:
            row = None
    texts = (
        CUT_SHORT.findall(_decode_text(body))
        if content is None
        else [each.get("token") for each in _find_descriptions(content)]
    )
    value = next((secret for text in texts if (secret := _make_value(text))), None)
    runs = [run for text in texts if isinstance(text, str) for run in RUN.findall(text)]
    runs += [run for text in _collect_texts(content) for run in RUN.findall(text) if looks_random(run)]
    others = [Secret(run) for run in dict.fromkeys(runs) if value is None or run != value.reveal()]
    return NewToken(row, value, tuple(others[:MOST_OTHERS]))


def read_values(body: bytes) -> dict[str, Secret]:
    """The values of a page of the listing, by the tokens' ids; those that are withheld are left out."""
    content = _decode_json(body)
    rows = content.get("data") if isinstance(content, dict) else None
    return {
        row["id"]: secret
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, dict) and isinstance(row.get("id"), str) and (secret := _make_value(row.get("token")))
    }


def _decode_text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _decode_json(body: bytes) -> Any:
    try:
        return json.loads(_decode_text(body))
    except (ValueError, RecursionError):
        return None


def _find_descriptions(content: Any) -> Iterator[Mapping[str, Any]]:
    """The objects that could describe the token: `data`, one of a list there, one named in it, the whole."""
    data = content.get("data") if isinstance(content, dict) else None
    candidates = [data, *(data if isinstance(data, list) and len(data) == 1 else [])]
    candidates += [data.get("authorization_token")] if isinstance(data, dict) else []
    yield from (each for each in (*candidates, content) if isinstance(each, dict))


def _collect_texts(content: Any) -> Iterator[str]:
    """Every text of an answer that is about one thing: in a list of several, one could be another token's."""
    ahead = [content]
    while ahead:
        each = ahead.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            ahead += each.values()
        elif isinstance(each, list) and len(each) == 1:
            ahead += each


def _make_value(text: Any) -> Secret | None:
    """A value that could be sent in a header; None where there is none or a mask stands in its place."""
    if not isinstance(text, str):
        return None
    text = text.strip()
    if not text or not text.isascii() or not text.isprintable() or "*" in text:
        return None
    return Secret(text)
