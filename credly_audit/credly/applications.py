"""A page of `GET /organizations/<id>/oauth_applications` made into typed rows: neither client id nor secret is kept.

The documented listing shows `secret: null` ([DOC] oauth). Should a secret ever stand there, it is remembered by its
trace alone, so that a description which repeats it is redacted.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from credly_audit.credly.wire import (
    ABSENT,
    Fields,
    FingerprintOf,
    ListPage,
    Scalar,
    WirePage,
    decode_page,
    read_date_text,
)
from credly_audit.secrets.fingerprint import Trace


class _WireApplication(msgspec.Struct, gc=False):
    """As it comes: any field can be anything."""

    id: Any = None
    name: Any = None
    description: Any = None
    created_at: Any = ABSENT
    updated_at: Any = ABSENT
    creator_available: Any = None
    secret: Any = None

    def __repr__(self) -> str:
        return "<an application>"


class _ApplicationsPage(WirePage):
    data: list[_WireApplication | list[Any] | Scalar] | dict[str, Any] | Scalar | msgspec.UnsetType = ABSENT


class Application(msgspec.Struct, gc=False):
    """An OAuth application as the API says it. Dates are texts still."""

    id: str
    name: str | None
    description: str | None
    created_at: str | None
    updated_at: str | None
    creator_available: bool | None


def read_applications(
    body: bytes, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]
) -> ListPage[Application]:
    """The page in an answer's body; NotAList where there is no list of applications."""
    return decode_page(
        body, _ApplicationsPage, lambda each, fields: _read_application(each, fields, fingerprint_of, traced)
    )


def _read_application(
    wire: object, fields: Fields, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]
) -> Application | None:
    """An application, or None where it has no id to be known by."""
    if not isinstance(wire, _WireApplication):
        fields.fault("it is not an object")
        return None
    identifier = _read_identifier(wire.id)
    if identifier is None:
        fields.fault("it has no id that is a number or a text")
        return None
    fingerprint = fingerprint_of(wire.secret) if isinstance(wire.secret, str) else None
    if fingerprint:
        traced(Trace.of(wire.secret, fingerprint))
    return Application(
        identifier,
        fields.text(wire.name, "name"),
        fields.text(wire.description, "description"),
        read_date_text(wire.created_at)[0],
        read_date_text(wire.updated_at)[0],
        fields.flag(wire.creator_available, "creator_available"),
    )


def _read_identifier(value: object) -> str | None:
    """An integer in the documentation; a text would do as well."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None
