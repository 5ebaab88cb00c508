"""What a collection tells of the credential that it was made with, organization by organization."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import pandas as pd

from credly_audit.instants import shift
from credly_audit.reasons import ReasonCode
from credly_audit.snapshot import Snapshot
from credly_audit.text import spoken_day

PRODUCTION, SANDBOX = "production", "sandbox"

ENVIRONMENTS = {
    "api.credly.com": PRODUCTION,
    "api.youracclaim.com": PRODUCTION,
    "sandbox-api.credly.com": SANDBOX,
    "sandbox-api.youracclaim.com": SANDBOX,
}

ADDRESSES = {PRODUCTION: "https://api.credly.com/v1", SANDBOX: "https://sandbox-api.credly.com/v1"}

SEES = {
    "complete": "everything",
    "truncated": "read-only tokens only",
    "unverified": "a list not proved complete",
    "mismatch": "an inconsistent list",
    "failed": "a part, or nothing",
}

NEW_TOKEN = "Organization Management > Developers > Authorization Tokens"  # noqa: S105 - a place in Credly's web page

REFUSALS = frozenset({ReasonCode.HTTP_401, ReasonCode.HTTP_403, ReasonCode.BLOCKED, ReasonCode.OAUTH_REFUSED})

ACCEPTED = frozenset({ReasonCode.HTTP_404, ReasonCode.HTTP_422})
"""Failures of a request whose credential was accepted."""

CredentialAnswer = Literal["accepted", "refused", "not known"]
Purpose = Literal["audit", "fallback", "store"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of one credential of one organization; instants are in UTC.

    `credential` is how the configuration refers to it, `purpose` what it is for; `may` is null where it is not known.
    """

    organization_id: str
    organization: str
    credential: str
    purpose: Purpose
    kind: str | None
    fingerprint: str | None
    answer: CredentialAnswer
    status: str
    sees: str
    tokens: int
    may: tuple[str, ...] | None
    expires_at: datetime | None
    days_left: int | None
    reason: str
    reason_code: str | None
    next_step: str | None
    """None: nothing, or what the reason names."""
    likely: str | None = None
    """Why Credly refused it, as far as earlier audits can tell."""


def environment(base_url: str) -> str:
    """`production`, `sandbox`, or that it is neither."""
    return ENVIRONMENTS.get(urlsplit(base_url).hostname or "", "neither Credly's production nor its sandbox")


def diagnosed(
    snapshot: Snapshot,
    row: int,
    credential: str,
    *,
    purpose: Purpose,
    now: datetime,
    due: timedelta,
) -> Diagnosis:
    """The diagnosis of the organization in that row; `due` before its expiry a credential should be rotated."""
    organization = snapshot.organizations.iloc[row]
    expires_at = None if pd.isna(organization["credential_expires_at"]) else organization["credential_expires_at"]
    answer = _describe_answer(organization)
    found = Diagnosis(
        organization["organization_id"],
        organization["name"],
        credential,
        purpose,
        _describe_known_token(organization["credential_kind"]),
        _describe_known_token(organization["credential_fingerprint"]),
        answer,
        organization["status"],
        SEES[organization["status"]] if answer == "accepted" else "nothing",
        int(organization["tokens"]),
        _describe_permissions(snapshot, organization),
        expires_at and expires_at.to_pydatetime(),
        expires_at and (expires_at - now) // timedelta(days=1),
        organization["reason"],
        _describe_known_token(organization["reason_code"]),
        None,
    )
    is_complete = found.status == "complete"
    return replace(
        found,
        next_step=_suggest_care(found, shift(now, due))
        if is_complete
        else _suggest_fix(found, snapshot.header.base_url),
    )


def remembered(found: Diagnosis, tokens: pd.DataFrame, key: str | None, now: datetime) -> Diagnosis:
    """With the likely reason of a refusal, by what earlier audits saw of that value (past.LAST_KNOWN_TOKENS)."""
    if not _is_refused_by_api(found) or found.fingerprint is None:
        return found
    last = find_last_known(tokens, found.fingerprint, key)
    if last is None:
        return found
    seen = f"The audit of {spoken_day(last['seen_at'])} saw it"
    if pd.isna(last["expires_at"]):
        likely = f"{seen}, without an expiry: it was deleted, or its value has changed."
    elif last["expires_at"] <= now:
        likely = f"{seen}, to expire on {spoken_day(last['expires_at'])}: it has expired."
    else:
        likely = f"{seen}, to expire on {spoken_day(last['expires_at'])}: it was deleted, or its value has changed."
    return replace(found, likely=likely, next_step=f"Create a new one {_place_of(found)}.")


def find_last_known(tokens: pd.DataFrame, fingerprint: str | None, key: str | None) -> Any | None:
    """Return the row of the last audit that recorded a fingerprint under this key (prior.LAST_KNOWN_TOKENS)."""
    same_key = tokens["fingerprint_key"].isna() if key is None else tokens["fingerprint_key"] == key
    known = tokens[(same_key & (tokens["fingerprint"] == fingerprint)).fillna(value=False).to_numpy(dtype=bool)]
    return None if known.empty else known.sort_values("seen_at").iloc[-1]


def _place_of(found: Diagnosis) -> str:
    return f"in Credly ({NEW_TOKEN}) and store it where {found.credential} points"


def _is_refused_by_api(found: Diagnosis) -> bool:
    """Return whether the web service API, rather than the token endpoint, refused the credential itself."""
    return found.answer == "refused" and found.reason_code == ReasonCode.HTTP_401


def _describe_answer(organization: Any) -> CredentialAnswer:
    """Return whether Credly accepted the credential."""
    if organization["status"] != "failed" or organization["pages"] > 0:
        return "accepted"
    code = _describe_known_token(organization["reason_code"])
    return "refused" if code in REFUSALS else "accepted" if code in ACCEPTED else "not known"


def _describe_permissions(snapshot: Snapshot, organization: Any) -> tuple[str, ...] | None:
    """What the credential's own row says that it may do; None where it has none, or one that does not say."""
    tokens = snapshot.tokens
    own = tokens[tokens["is_audit_credential"] & (tokens["organization_id"] == organization["organization_id"])]
    flags = own[["read_enabled", "write_enabled", "delete_enabled"]]
    if own.empty or flags.iloc[0].isna().any():
        return None
    return tuple(name.removesuffix("_enabled") for name in flags if flags[name].iloc[0])


def _suggest_fix(found: Diagnosis, base_url: str) -> str | None:
    """What to do where not everything was seen, beyond what the reason names."""
    if _is_refused_by_api(found):
        return (
            f"If it belongs to {_name_other_environment(base_url)}, set [api] base_url. Otherwise it has expired "
            f"or was deleted: create a new one {_place_of(found)}."
        )
    if found.reason_code == ReasonCode.HTTP_404:
        return f"`credly-audit orgs --credential {found.credential}` shows its organization."
    return None


def _suggest_care(found: Diagnosis, due_at: datetime) -> str | None:
    """What to do though everything was seen."""
    if found.expires_at is not None and found.expires_at <= due_at:
        whose = (
            f"--organization {found.organization_id}"
            if found.purpose == "audit"
            else f"--credential {found.credential}"
        )
        return f"Rotate it before it expires: `credly-audit rotate {whose}`."
    if found.may == ("read", "write", "delete"):
        return "A token with only write permission would see everything too and is less dangerous."
    return None


def _name_other_environment(base_url: str) -> str:
    """The environment that the address is not of, with its address."""
    other = PRODUCTION if environment(base_url) == SANDBOX else SANDBOX
    both = environment(base_url) in ADDRESSES
    return f"Credly's {other} ({ADDRESSES[other]})" if both else "another environment than this address"


def _describe_known_token(value: Any) -> str | None:
    return None if pd.isna(value) else value
