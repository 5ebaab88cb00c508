"""Evaluate a new token, so that the tool itself cannot violate a policy unnoticed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from credly_audit import __version__
from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.gate import check_gate
from credly_audit.audit.model import Gate
from credly_audit.config.settings import Api, Organization, Settings
from credly_audit.credly.wire import TokenRow
from credly_audit.errors import AuditError
from credly_audit.lifecycle.outcome import Ending, Outcome, Violation
from credly_audit.lifecycle.token_endpoints import read_time
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.snapshot import ORGANIZATIONS, TOKENS, Header, Snapshot, conform

FAMILIES = ("PRM", "DOC")
"""The families of rules that need only the token itself: its permissions and its description."""


def make_review(settings: Settings, fail_on: tuple[str, ...]) -> Callable[[Outcome], Outcome]:
    """Return a function that adds to an outcome the rules that its token violates; UsageError for a wrong `fail_on`."""
    policy = Policy.of(settings)
    gate = check_gate(fail_on, list(catalogue()), policy.settings.disable) or settings.policy.fail_on
    organizations = {each.id: each for each in settings.organizations}

    def review(outcome: Outcome) -> Outcome:
        if outcome.row is None:
            return outcome
        try:
            organization = organizations[outcome.organization_id]
            found = find_violations(outcome.row, organization, policy, gate, api=settings.api, now=datetime.now(UTC))
        except Exception as error:  # noqa: BLE001 - the operator must learn of the token in any case
            reason = str(error) if isinstance(error, AuditError) else f"{type(error).__name__}; please report it"
            return outcome.end(Ending.NOT_REVIEWED, reason=reason)
        return replace(outcome, violations=found)

    return review


def find_violations(
    row: TokenRow, organization: Organization, policy: Policy, fail_on: tuple[str, ...], *, api: Api, now: datetime
) -> tuple[Violation, ...]:
    """Return the rules that the token violates, most severe first; BrokenRule where one cannot be evaluated."""
    token = {name: getattr(row, name) for name in ROW_FIELDS} | {
        "organization_id": organization.id,
        "organization_name": organization.called,
        "token_id": row.id,
        "secrets_in_description": 0,
        "created_at": read_time(row.created_at),
        "expires_at": read_time(row.expires_at),
    }
    whose = {
        "organization_id": organization.id,
        "name": organization.called,
        "status": "complete",
        "contact": organization.contact,
        "tags": ",".join(organization.tags),
    }
    snapshot = Snapshot(
        Header(now, __version__, api.base_url, None, (organization.id,)),
        conform({name: [token.get(name)] for name in TOKENS}, TOKENS),
        conform({name: [whose.get(name)] for name in ORGANIZATIONS}, ORGANIZATIONS),
    )
    rules = {rule.id: rule for rule in catalogue().values() if rule.family in FAMILIES}
    audit = evaluate(snapshot, policy, Gate(fail_on), rules, as_of=now)
    return tuple(
        Violation(finding["rule_id"], finding["severity"], finding["message"], bool(fails))
        for finding, fails in zip(audit.findings.records(), audit.violates, strict=True)
        if finding["token_id"] is not None and not finding["waived"]
    )


ROW_FIELDS = (
    "fingerprint",
    "description",
    "read_enabled",
    "write_enabled",
    "delete_enabled",
    "owner_id",
    "owner_name",
    "owner_type",
)
