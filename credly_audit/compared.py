"""What an audit is when it is held against the ones before: what was mended since, how long that takes, the trend."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from credly_audit.findings import SEVERITY
from credly_audit.snapshot import INSTANT

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
