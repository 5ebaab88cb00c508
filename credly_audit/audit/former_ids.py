"""Recognize the findings of baselines that were written before a rotated token was a new occurrence.

For one release: then baselines have been written again, and this module goes.
"""

import pandas as pd

from credly_audit.audit.findings import compute_finding_ids
from credly_audit.audit.prior import Baseline
from credly_audit.rules.facts import Facts

RENAMED = ("EXP001", "EXP002", "EXP004", "EXP005")
"""Rules whose findings got their token's expiry as discriminator; before, they had none."""


def recognize(frame: pd.DataFrame, baseline: Baseline, facts: Facts) -> pd.Series:
    """Return the ids by which a baseline knows the findings: the former one where it has only that, else their own."""
    ids = frame["finding_id"].copy()
    for rule_id in RENAMED:
        rows = frame.index[(frame["rule_id"] == rule_id) & ~ids.isin(list(baseline.findings))]
        organization_ids = facts.organizations["organization_id"].take(frame.loc[rows, "organization_row"])
        token_ids = facts.tokens["token_id"].take(frame.loc[rows, "token_row"])
        former = pd.Series(
            compute_finding_ids(rule_id, organization_ids.tolist(), token_ids.tolist(), [""] * len(rows)),
            rows,
            dtype="string",
        )
        ids.update(former[former.isin(list(baseline.findings))])
    return ids
