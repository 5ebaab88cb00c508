"""Compare an audit with earlier ones: what was remediated since, how long that took, the trend."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd

from credly_audit.audit.changes import CHANGES, DELTAS, count_by_organization, find_changes
from credly_audit.audit.findings import SEVERITY
from credly_audit.audit.prior import (
    REMEDIATED,
    TREND,
    Past,
    make_empty_frame,
    make_typed_frame,
)
from credly_audit.instants.instant_columns import INSTANT
from credly_audit.policy.policy import Policy
from credly_audit.rules.facts import Facts
from credly_audit.severity import Severity

RESOLVED = {
    "finding_id": "string",
    "rule_id": "string",
    "severity": SEVERITY,
    "organization_id": "string",
    "organization_name": "string",
    "token_id": "string",
    "description": "string",
    "fingerprint": "string",
    "first_seen_at": INSTANT,
    "resolved_at": INSTANT,
    "days_open": "int64",
}
"""Findings that were there at the audit compared with and are remediated now; `resolved_at` is this audit's as_of."""


REMOVED = {
    "organization_id": "string",
    "organization_name": "string",
    "last_audited_at": INSTANT,
    "open_findings": "int64",
    "highest_severity": SEVERITY,
}
"""Organizations that are no longer configured and had open findings: the first audit since then reports them, once."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """This audit beside the earlier ones.

    `resolved` has the columns RESOLVED, worst first; `remediated` those of `past.REMEDIATED`, over the whole
    history, this audit included; `trend` those of `past.TREND`, oldest first, this audit last.
    """

    since: datetime
    """The as_of of the audit compared with: the last one before this."""
    resolved: pd.DataFrame
    remediated: pd.DataFrame
    trend: pd.DataFrame
    removed: pd.DataFrame
    """REMOVED: what was removed from scope; its findings are not resolved."""
    figures: Mapping[str, int] = field(default_factory=dict)
    """The key figures of the audit compared with, by name (audit.figures), as far as it recorded them."""
    changes: pd.DataFrame = field(default_factory=lambda: make_empty_frame(CHANGES))
    """CHANGES of tokens and findings."""
    deltas: pd.DataFrame = field(default_factory=lambda: make_empty_frame(DELTAS))
    """DELTAS: the changes of each organization that has any."""


@dataclass(frozen=True, slots=True)
class RemediationTime:
    """How long it took to remediate some findings: how many they are, and the median of their days."""

    findings: int
    median_days: float

    @property
    def days(self) -> str:
        """The median as every report shows it: `45.2 days`."""
        return f"{self.median_days:,g} {'day' if self.median_days == 1 else 'days'}"


def compute_remediation_time(remediated: pd.DataFrame) -> RemediationTime | None:
    """Return the median over a frame with the columns REMEDIATED, in days to one decimal; None where it is empty."""
    days = (remediated["resolved_at"] - remediated["opened_at"]) / pd.Timedelta(days=1)
    lasted = np.repeat(days.to_numpy(dtype="float64"), remediated["findings"].to_numpy())
    return RemediationTime(len(lasted), round(float(np.median(lasted)), 1)) if len(lasted) else None


def compute_remediation_times(remediated: pd.DataFrame) -> dict[Severity, RemediationTime | None]:
    """Return the median by severity, most severe first, over a frame with the columns REMEDIATED."""
    weights = remediated["weight"].to_numpy()
    return {
        severity: compute_remediation_time(remediated[weights == severity.weight]) for severity in reversed(Severity)
    }


def compare(
    past: Past | None,
    findings: pd.DataFrame,
    facts: Facts,
    policy: Policy,
    *,
    resolved: pd.DataFrame,
    outcome: str,
    full_scope: bool,
) -> Comparison | None:
    """Hold an audit against the earlier ones; None where there is none."""
    if past is None or past.audits.empty:
        return None
    organizations, as_of = facts.organizations, facts.as_of
    now = count_for_trend(
        findings, organizations, resolved=len(resolved), tokens=len(facts.tokens), outcome=outcome, as_of=as_of
    )
    names = organizations.set_index("organization_id")["name"].reindex(resolved["organization_id"])
    frame = resolved.assign(
        severity=pd.Categorical.from_codes(resolved["weight"].to_numpy(), dtype=SEVERITY),
        organization_name=names.array,
        resolved_at=pd.Series(as_of, resolved.index, dtype=INSTANT),
        days_open=(as_of - resolved["opened_at"]).dt.days.astype("int64"),
    )
    order = ["severity", "first_seen_at", "organization_id", "token_id", "finding_id"]
    frame = frame.sort_values(order, ascending=[False, True, True, True, True], kind="stable", ignore_index=True)
    fresh = resolved.groupby(["weight", "opened_at"], as_index=False).size().rename(columns={"size": "findings"})
    fresh["resolved_at"] = pd.Series(as_of, fresh.index, dtype=INSTANT)
    last = make_typed_frame({name: [value] for name, value in now.items()}, TREND)
    settled = frame[list(RESOLVED)].astype(RESOLVED)
    changes = find_changes(past, facts, findings, settled)
    return Comparison(
        past.audits["as_of"].iloc[-1].to_pydatetime(),
        settled,
        pd.concat([past.remediated, fresh[list(REMEDIATED)].astype(REMEDIATED)], ignore_index=True),
        pd.concat([past.audits, last], ignore_index=True),
        find_removed(past, policy, organizations) if full_scope else make_empty_frame(REMOVED),
        past.figures,
        changes,
        count_by_organization(changes, findings, organizations, past.open_in),
    )


def count_for_trend(
    findings: pd.DataFrame,
    organizations: pd.DataFrame,
    *,
    resolved: int,
    tokens: int,
    outcome: str,
    as_of: pd.Timestamp,
) -> dict[str, object]:
    """Return an audit as a row of the trend (TREND)."""
    statuses = findings["status"].astype(object).to_numpy()
    unseen = statuses == "unseen"
    waived = findings["waived"].to_numpy(dtype=bool) & ~unseen
    live = ~waived & ~unseen
    weights = np.bincount(findings["severity"].cat.codes.to_numpy()[live], minlength=len(Severity))
    return {
        "as_of": as_of,
        "outcome": outcome,
        "organizations": len(organizations),
        "fully_seen": int(organizations["status"].eq("complete").sum()),
        "tokens": tokens,
        **{severity.value: int(weights[severity.weight]) for severity in Severity},
        **{status: int((live & (statuses == status)).sum()) for status in ("new", "persisting", "reopened")},
        "resolved": resolved,
        "unseen": int(unseen.sum()),
        "waived": int(waived.sum()),
    }


def find_removed(past: Past, policy: Policy, organizations: pd.DataFrame) -> pd.DataFrame:
    """Return (REMOVED) the organizations of earlier audits that are no longer configured and have open findings.

    Only an audit of all that is configured reports them: once it is recorded, the next one does not any more.
    """
    known = past.organizations
    ids = known["organization_id"].str.lower()
    here = policy.configured | set(organizations["organization_id"].str.lower())
    gone = known["in_scope"].to_numpy() & ~ids.isin(list(here)).to_numpy(dtype=bool)
    if not gone.any():
        return make_empty_frame(REMOVED)
    known_open = past.open_in(known["organization_id"][gone])
    severities = pd.Categorical.from_codes(known_open["weight"].to_numpy(), dtype=SEVERITY)
    removed = known_open.assign(highest_severity=severities)
    order = ["highest_severity", "organization_name", "organization_id"]
    return removed.sort_values(order, ascending=[False, True, True], ignore_index=True)[list(REMOVED)]
