"""Verify that each credential can be read, is listed, works, and lives long enough (`doctor --within`)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from credly_audit.collection.credential_check import Diagnosis
from credly_audit.instants import shift
from credly_audit.snapshot import Snapshot
from credly_audit.text import spoken


class Lifetime(StrEnum):
    """How a verification ends; the names are read by other programs."""

    LONG_ENOUGH = "ok"
    TOO_SHORT = "expires"
    NOT_VERIFIED = "failed"


@dataclass(frozen=True, slots=True)
class LifetimeCheck:
    """The end of a verification, and why it is not `ok`."""

    state: Lifetime
    reason: str | None = None


def check_lifetime(snapshot: Snapshot, found: Diagnosis, *, within: timedelta, now: datetime) -> LifetimeCheck:
    """Verify the credential that a snapshot was collected with; an OAuth application has no expiration date."""
    if found.answer != "accepted":
        return LifetimeCheck(Lifetime.NOT_VERIFIED, found.reason)
    if found.kind == "oauth":
        return LifetimeCheck(Lifetime.LONG_ENOUGH)
    tokens = snapshot.tokens
    own = tokens[tokens["is_audit_credential"] & (tokens["organization_id"] == found.organization_id)]
    if own.empty:
        incomplete = f" ({found.reason})" if found.status == "failed" else ""
        reason = f"Credly does not list its value{incomplete}, so it is not known when it expires."
        return LifetimeCheck(Lifetime.NOT_VERIFIED, reason)
    if "expires_at" in _read_text(own.iloc[0]["date_faults"]):
        return LifetimeCheck(Lifetime.NOT_VERIFIED, "Its expiration date cannot be read.")
    if found.expires_at is not None and found.expires_at <= shift(now, within):
        return LifetimeCheck(Lifetime.TOO_SHORT, f"Expires {spoken(found.expires_at, now)}.")
    return LifetimeCheck(Lifetime.LONG_ENOUGH)


def _read_text(value: Any) -> str:
    return value if isinstance(value, str) else ""
