"""Judges the token that was just made: the tool itself must not be how a policy gets violated unseen."""

from datetime import datetime

from credly_audit import __version__
from credly_audit.audit.evaluate import judge
from credly_audit.audit.model import Gate
from credly_audit.config.settings import Api, Organization
from credly_audit.credly.wire import Row
from credly_audit.lifecycle.api import instant
from credly_audit.lifecycle.outcome import Violation
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.snapshot import ORGANIZATIONS, TOKENS, Header, Snapshot, conform

FAMILIES = ("PRM", "DOC")
"""What can be said of one token alone: its permissions, and the description that it was given."""


def violations(
    row: Row, organization: Organization, policy: Policy, fail_on: tuple[str, ...], *, api: Api, now: datetime
) -> tuple[Violation, ...]:
    """The rules that the token breaks, worst first; BrokenRule where one of them cannot be judged."""
    token = {name: getattr(row, name) for name in ROW_FIELDS} | {
        "organization_id": organization.id,
        "organization_name": organization.called,
        "token_id": row.id,
        "secrets_in_description": 0,
        "created_at": instant(row.created_at),
        "expires_at": instant(row.expires_at),
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
    audit = judge(snapshot, policy, Gate(fail_on), rules, as_of=now, generated_at=now)
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
