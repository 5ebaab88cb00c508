"""A page of the listing as it comes over the wire, made into typed rows; the only place that sees a token's value.

The value is fingerprinted here and dropped with the body. What the API says is never trusted: unknown fields are
ignored, missing ones are null, a wrong type is a fault that is named by its field and never by its content.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from sys import intern
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from credly_audit.secrets.fingerprint import Trace

ABSENT = msgspec.UNSET

Scalar = str | int | float | bool | None


class _Owner(msgspec.Struct, gc=False):
    type: Any = None
    id: Any = None
    name: Any = None


class _WireRow(msgspec.Struct, gc=False):
    """As it comes: any field can be anything."""

    id: Any = None
    token: Any = None
    owner_id: Any = None
    description: Any = None
    read_enabled: Any = None
    write_enabled: Any = None
    delete_enabled: Any = None
    created_at: Any = ABSENT
    expires_at: Any = ABSENT
    owner: _Owner | list[Any] | Scalar = None

    def __repr__(self) -> str:
        return "<a row>"


class _Metadata(msgspec.Struct):
    count: Any = None
    current_page: Any = None
    total_count: Any = None
    total_pages: Any = None
    per: Any = None
    previous_page_url: Any = None
    next_page_url: Any = None


class WirePage(msgspec.Struct):
    """A page of whatever listing; a subclass says in `data` what its rows are."""

    data: Any = ABSENT
    metadata: _Metadata | list[Any] | Scalar = None

    def __repr__(self) -> str:
        return "<a page>"


class _TokensPage(WirePage):
    data: list[_WireRow | list[Any] | Scalar] | dict[str, Any] | Scalar | msgspec.UnsetType = ABSENT


class TokenRow(msgspec.Struct, gc=False):
    """A token as the API says it, without its value. Dates are texts still: a whole column is read at once later."""

    id: str
    fingerprint: str | None
    description: str | None
    read_enabled: bool | None
    write_enabled: bool | None
    delete_enabled: bool | None
    created_at: str | None
    expires_at: str | None
    created_fault: str | None
    """`absent`, `unreadable` or nothing."""
    expires_fault: str | None
    owner_id: str | None
    owner_name: str | None
    owner_type: str | None


class Listed(Protocol):
    """A row of any listing."""

    @property
    def id(self) -> str:
        """What it is known by."""


R = TypeVar("R", bound=Listed)


class ListPage(msgspec.Struct, Generic[R]):
    """One page of a listing, and what its metadata claims; a claim that is missing or no number is None."""

    rows: list[R]
    faults: list[str]
    """Rows with a field of the wrong type, as `row 7: write_enabled is neither true, false nor null`."""
    length: int
    """The number of rows on the page, those without an id included."""
    count: int | None
    current_page: int | None
    total_count: int | None
    total_pages: int | None
    per: int | None
    has_previous: bool
    has_next: bool
    """Whether it links to another page; the link itself is never kept, so that nothing can follow it."""


class NotAList(Exception):  # noqa: N818 - named as it is told
    """The answer is no page of a listing; says what it is instead."""


FingerprintOf = Callable[[str], str | None]


def read_page(body: bytes, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]) -> ListPage[TokenRow]:
    """The page in an answer's body; `traced` hears of every value. NotAList where there is no list of tokens."""
    return decode_page(body, _TokensPage, lambda each, fields: _read_row(each, fields, fingerprint_of, traced))


def decode_page(body: bytes, kind: type[WirePage], row_of: Callable[[object, "Fields"], R | None]) -> ListPage[R]:
    """The page in an answer's body, its rows by `row_of`; NotAList where there is no list."""
    wire = _decode(body, kind)
    if isinstance(wire.data, dict):
        raise NotAList("`data` is an object instead of a list")
    if not isinstance(wire.data, list):
        raise NotAList("`data` is missing" if wire.data is ABSENT else "`data` is not a list")
    metadata = wire.metadata if isinstance(wire.metadata, _Metadata) else _Metadata()
    fields = Fields()
    rows = []
    for fields.number, each in enumerate(wire.data, 1):
        row = row_of(each, fields)
        if row is not None:
            rows.append(row)
    return ListPage(
        rows,
        fields.faults,
        len(wire.data),
        _number(metadata.count),
        _number(metadata.current_page),
        _number(metadata.total_count),
        _number(metadata.total_pages),
        _number(metadata.per),
        bool(metadata.previous_page_url),
        bool(metadata.next_page_url),
    )


@cache
def _make_decoder(kind: type[WirePage]) -> msgspec.json.Decoder[WirePage]:
    return msgspec.json.Decoder(kind)


def _decode(body: bytes, kind: type[WirePage]) -> WirePage:
    """Decode a body; no text in it holds what cannot be stored."""
    if NUL in body:
        return _decode_leniently(body, kind)
    try:
        return _make_decoder(kind).decode(body)
    except msgspec.ValidationError:
        raise NotAList("it is JSON, but not an object with `data`") from None
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return _decode_leniently(body, kind)


def _decode_leniently(body: bytes, kind: type[WirePage]) -> WirePage:
    """What msgspec refuses and Python can still read: half characters, bytes that are not UTF-8, NaN; and NUL."""
    text = body.decode(errors="replace")
    try:
        content = json.loads(text, object_pairs_hook=_clean_object)
    except (ValueError, RecursionError):
        if text.lstrip("\ufeff \r\n\t").startswith("<"):
            raise NotAList("it is a web page instead of JSON: check [api] base_url, or the proxy") from None
        raise NotAList("it is not JSON") from None
    try:
        return msgspec.convert(content, kind)
    except (msgspec.ValidationError, RecursionError):
        raise NotAList("it is JSON, but not an object with `data`") from None


def _clean_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    return {clean(key): _clean_in(value) for key, value in pairs}


def _clean_in(value: object) -> object:
    """Clean a text, and those of a list; the objects in it are clean."""
    if isinstance(value, str):
        return clean(value)
    return [_clean_in(each) for each in value] if isinstance(value, list) else value


class Fields:
    """Reads the fields of one row after the other; what has the wrong type is null, and named in `faults`."""

    __slots__ = ("faults", "number")

    def __init__(self) -> None:
        self.number = 0
        self.faults: list[str] = []

    def fault(self, what: str) -> None:
        """Name what is wrong, never its content."""
        self.faults.append(f"row {self.number}: {what}")

    def text(self, value: object, field: str) -> str | None:
        """A text or null."""
        if value is None or isinstance(value, str):
            return value
        self.fault(f"{field} is not a text")
        return None

    def flag(self, value: object, field: str) -> bool | None:
        """True, false or null."""
        if value is None or value is True or value is False:
            return value
        self.fault(f"{field} is neither true, false nor null")
        return None

    def owner(self, value: object) -> _Owner:
        """The owner; one without anything where it is null."""
        if value is not None and not isinstance(value, _Owner):
            self.fault("owner is not an object")
        return value if isinstance(value, _Owner) else _Owner()


def _read_row(
    wire: object, fields: Fields, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]
) -> TokenRow | None:
    """A row, or None where it has no id to be known by."""
    if not isinstance(wire, _WireRow):
        fields.fault("it is not an object")
        return None
    identifier = fields.text(wire.id, "id")
    if not identifier:
        if wire.id is None or wire.id == "":
            fields.fault("it has no id")
        return None
    owner_id, owner = _read_owner(wire, fields)
    value = fields.text(wire.token, "token")
    fingerprint = fingerprint_of(value) if value else None
    if value and fingerprint:
        traced(Trace.of(value, fingerprint))
    created_at, created_fault = read_date_text(wire.created_at)
    expires_at, expires_fault = read_date_text(wire.expires_at)
    return TokenRow(
        identifier,
        fingerprint,
        fields.text(wire.description, "description"),
        fields.flag(wire.read_enabled, "read_enabled"),
        fields.flag(wire.write_enabled, "write_enabled"),
        fields.flag(wire.delete_enabled, "delete_enabled"),
        created_at,
        expires_at,
        created_fault,
        expires_fault,
        _share_text(owner_id),
        _share_text(fields.text(owner.name, "owner.name")),
        _share_text(fields.text(owner.type, "owner.type")),
    )


def _read_owner(wire: _WireRow, fields: Fields) -> tuple[str | None, _Owner]:
    """Return the id and the description of the owner; the documentation has the id in both places."""
    owner = fields.owner(wire.owner)
    said, nested = fields.text(wire.owner_id, "owner_id"), fields.text(owner.id, "owner.id")
    if said and nested and said != nested and said.lower() != nested.lower():
        fields.fault("owner_id and owner.id name different owners")
    return said or nested or None, owner


def _share_text(text: str | None) -> str | None:
    """The one copy of a text that stands in every row of an organization."""
    return None if text is None else intern(text)


def read_date_text(value: object) -> tuple[str | None, str | None]:
    """The text of a date and what is wrong with it; null is an answer and no fault."""
    if value is None:
        return None, None
    if value is ABSENT:
        return None, "absent"
    return (value, None) if isinstance(value, str) else (None, "unreadable")


HIGHEST_NUMBER = (1 << 63) - 1
"""The highest number that a snapshot holds; a claim beyond it is as wrong as this one."""


def _number(value: object) -> int | None:
    """Return the number that a field of the metadata claims, also where it is a text; None where it claims none."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = float(value) if len(value) > 18 else int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    if value >= HIGHEST_NUMBER:
        return HIGHEST_NUMBER
    return int(value) if value == int(value) else None


NUL = rb"\u0000"
"""How JSON writes it; there is no other way."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def clean(text: str) -> str:
    """The text without what no file format holds: NUL and halves of characters become U+FFFD."""
    return text if text.isascii() and "\0" not in text else _UNSTORABLE.sub("\ufffd", text)
