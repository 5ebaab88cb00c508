"""Constructed snapshots and audits: what a test does not name is sound and clean."""

import csv
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from credly_audit import rules
from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import Audit, Gate
from credly_audit.audit.prior import Baseline, Past, Prior
from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.config.settings import Consumer, PolicySettings
from credly_audit.policy.policy import Policy
from credly_audit.policy.register_file import Register
from credly_audit.rules.declare import Rule
from credly_audit.snapshot import APPLICATIONS, ORGANIZATIONS, TOKENS, Header, Snapshot, conform

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
    """An organization complete; `said` overrides."""
    return {
        "organization_id": organization_id,
        "name": "Acme" if organization_id == ACME else "Beta",
        "status": "complete",
        "reason": "A listed token can write, so the list was not cut.",
        "reason_code": "proved" if said.get("status", "complete") == "complete" else None,
        "tokens": 0,
        "total_count": said.get("tokens", 0),
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


def application(number: int = 42, organization: str = ACME, **said: Any) -> dict[str, Any]:
    """A clean OAuth application; `said` overrides."""
    return {
        "organization_id": organization,
        "application_id": str(number),
        "name": f"Application {number}",
        "description": f"Copies course results into badges, number {number}",
        "secrets_in_description": 0,
        "created_at": AS_OF - timedelta(days=400),
        "updated_at": AS_OF - timedelta(days=100),
        "creator_available": True,
    } | said


def snapshot(
    tokens: list[dict[str, Any]],
    organizations: list[dict[str, Any]] | None = None,
    applications: list[dict[str, Any]] | None = None,
    *,
    at: datetime = AS_OF,
    key: str | None = None,
) -> Snapshot:
    """A snapshot of these rows; without organizations, of all that the tokens name, complete.

    Without `applications` they were not asked for.
    """
    named = dict.fromkeys(row["organization_id"] for row in tokens)
    rows = [organization(each) for each in named or [ACME]] if organizations is None else organizations
    header = Header(
        at,
        "0.0.0",
        "https://api.credly.com/v1",
        key,
        tuple(row["organization_id"] for row in rows),
        oauth_applications_asked=applications is not None,
    )
    return Snapshot(
        header,
        conform({name: [row[name] for row in tokens] for name in TOKENS}, TOKENS),
        conform({name: [row[name] for row in rows] for name in ORGANIZATIONS}, ORGANIZATIONS),
        conform({name: [row[name] for row in applications or []] for name in APPLICATIONS}, APPLICATIONS),
    )


def register(rows: Sequence[dict[str, Any]]) -> Register:
    """The register of a CSV file with these rows."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "register.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)
        return Register.read(path)


def waiver(rule: str, organization: str = ACME, **said: Any) -> dict[str, Any]:
    """A waiver of all the organization's findings of a rule or family that holds until the end of 2026."""
    return {
        "rule": rule,
        "organization": organization,
        "reason": "Known, and bounded by other means",
        "approved_by": "ciso@acme.example",
        "approved_on": date(2026, 6, 1),
        "expires": date(2026, 12, 31),
    } | said


def plan(rule: str, organization: str = ACME, **said: Any) -> dict[str, Any]:
    """A plan to mend all the organization's findings of a rule or family by the end of 2026."""
    return {
        "rule": rule,
        "organization": organization,
        "reason": "Moves to the new connector",
        "owner": "crm-team@acme.example",
        "approved_on": date(2026, 6, 1),
        "until": date(2026, 12, 31),
    } | said


def audited(
    collected: Snapshot,
    *,
    as_of: datetime = AS_OF,
    fail_on: tuple[str, ...] = ("high",),
    allow_partial: bool = False,
    waivers: Sequence[dict[str, Any]] = (),
    plans: Sequence[dict[str, Any]] = (),
    register: Register | None = None,
    past: Past | None = None,
    baseline: Baseline | None = None,
    new_only: bool = False,
    configured: Sequence[str] = (),
    consumers: Sequence[dict[str, Any]] = (),
    skip_broken_rules: bool = False,
    catalogue: Mapping[str, Rule] | None = None,
    **policy: Any,
) -> Audit:
    """The audit of a snapshot; `policy` are keys of `[policy]`."""
    decisions = (
        tuple(Waiver.model_validate(each) for each in waivers),
        tuple(Plan.model_validate(each) for each in plans),
    )
    audit = evaluate(
        collected,
        Policy(
            PolicySettings.model_validate(policy),
            *decisions,
            register,
            frozenset(configured),
            tuple(Consumer.model_validate(each) for each in consumers),
        ),
        Gate(fail_on, allow_partial, new_only),
        catalogue or rules.catalogue(),
        as_of=as_of,
        prior=Prior(past, baseline),
        skip_broken_rules=skip_broken_rules,
    )
    return replace(audit, generated_at=AS_OF + timedelta(hours=9))
