"""What an audit is when it is held against the ones before: what was mended since, how long that takes, the trend."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from credly_audit.audit.findings import SEVERITY
from credly_audit.instant_columns import INSTANT
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
"""Findings that were there at the audit compared with and are mended now; `resolved_at` is this audit's as_of."""


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

    `resolved` has the columns RESOLVED, worst first; `mended` those of `past.MENDED`, over the whole history, this
    audit included; `trend` those of `past.TREND`, oldest first, this audit last.
    """

    since: datetime
    """The as_of of the audit compared with: the last one before this."""
    resolved: pd.DataFrame
    mended: pd.DataFrame
    trend: pd.DataFrame
    removed: pd.DataFrame
    """REMOVED: what was removed from scope; its findings are not resolved."""


@dataclass(frozen=True, slots=True)
class RemediationTime:
    """How long it took to remediate some findings: how many they are, and the median of their days."""

    findings: int
    median_days: float

    @property
    def days(self) -> str:
        """The median as every report shows it: `45.2 days`."""
        return f"{self.median_days:,g} {'day' if self.median_days == 1 else 'days'}"


def remediation_time(mended: pd.DataFrame) -> RemediationTime | None:
    """Return the median over a frame with the columns MENDED, in days to one decimal; None where it is empty."""
    days = (mended["resolved_at"] - mended["opened_at"]) / pd.Timedelta(days=1)
    lasted = np.repeat(days.to_numpy(dtype="float64"), mended["findings"].to_numpy())
    return RemediationTime(len(lasted), round(float(np.median(lasted)), 1)) if len(lasted) else None


def remediation_times(mended: pd.DataFrame) -> dict[Severity, RemediationTime | None]:
    """Return the median by severity, most severe first, over a frame with the columns MENDED."""
    weights = mended["weight"].to_numpy()
    return {severity: remediation_time(mended[weights == severity.weight]) for severity in reversed(Severity)}
