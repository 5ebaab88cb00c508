"""Constructed snapshots and audits: what a test does not name is sound and clean."""

from datetime import UTC, datetime, timedelta
from typing import Any

from credly_audit.audit import Audit, Gate, judge
from credly_audit.config.settings import PolicySettings
from credly_audit.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.snapshot import ORGANIZATIONS, TOKENS, Header, Snapshot, conform

AS_OF = datetime(2026, 11, 23, tzinfo=UTC)
ACME = "88cf96b7-e4ca-4a17-b938-a72bf2b9c273"
BETA = "1c3d7a52-9f0e-4a8b-8d6f-0b1e2a3c4d5e"


def token(number: int = 0, organization: str = ACME, **said: Any) -> dict[str, Any]:
    """A clean read-only token; `said` overrides."""
    return {
        "organization_id": organization,
        "organization_name": "Acme" if organization == ACME else "Beta",
        "token_id": f"00000000-0000-4000-8000-{number:012d}",
        "fingerprint": f"{number:016x}",
        "description": f"Reporting dashboard number {number} of team analytics",
        "secrets_in_description": 0,
        "read_enabled": True,
        "write_enabled": False,
        "delete_enabled": False,
        "created_at": AS_OF - timedelta(days=30),
        "expires_at": AS_OF + timedelta(days=150),
        "date_faults": None,
        "owner_id": organization,
        "owner_name": "Acme" if organization == ACME else "Beta",
        "owner_type": "Organization",
        "is_audit_credential": False,
    } | said


def organization(organization_id: str = ACME, **said: Any) -> dict[str, Any]:
    """An organization fully seen; `said` overrides."""
    return {
        "organization_id": organization_id,
        "name": "Acme" if organization_id == ACME else "Beta",
        "status": "complete",
        "reason": "A listed token can write, so the list was not cut.",
        "tokens": 0,
        "total_count": 0,
        "pages": 1,
        "requests": 1,
        "retries": 0,
        "seconds": 0.1,
        "credential_kind": "token",
        "credential_fingerprint": "f" * 16,
        "credential_expires_at": AS_OF + timedelta(days=150),
        "contact": "crm-team@acme.example",
        "tags": "prod",
    } | said


def snapshot(tokens: list[dict[str, Any]], organizations: list[dict[str, Any]] | None = None) -> Snapshot:
    """A snapshot of these rows; without organizations, of all that the tokens name, fully seen."""
    named = dict.fromkeys(row["organization_id"] for row in tokens)
    rows = [organization(each) for each in named or [ACME]] if organizations is None else organizations
    header = Header(AS_OF, "0.0.0", "https://api.credly.com/v1", None, tuple(row["organization_id"] for row in rows))
    return Snapshot(
        header,
        conform({name: [row[name] for row in tokens] for name in TOKENS}, TOKENS),
        conform({name: [row[name] for row in rows] for name in ORGANIZATIONS}, ORGANIZATIONS),
    )


def audited(
    collected: Snapshot, *, as_of: datetime = AS_OF, fail_on: tuple[str, ...] = ("high",), **policy: Any
) -> Audit:
    """The audit of a snapshot; `policy` are keys of `[policy]`."""
    settings = PolicySettings.model_validate(policy)
    return judge(
        collected, Policy(settings), Gate(fail_on), catalogue(), as_of=as_of, generated_at=AS_OF + timedelta(hours=9)
    )
