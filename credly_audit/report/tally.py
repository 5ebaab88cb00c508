"""The counts that every report opens with."""

from typing import Any

import numpy as np

from credly_audit.audit.model import Audit
from credly_audit.severity import Severity
from credly_audit.snapshot import STATUSES


def tally(audit: Audit) -> dict[str, Any]:
    """How many of what; findings that are waived or unseen are counted in `waived` and `unseen` alone."""
    frame = audit.findings.frame
    unseen = audit.findings.unseen
    live = frame[audit.findings.open]
    weights = np.bincount(live["severity"].cat.codes, minlength=len(Severity))
    rules = live["rule_id"].cat.categories[live["rule_id"].cat.codes].value_counts() if len(live) else {}
    organizations = np.bincount(live["organization_row"], minlength=len(audit.organizations))
    statuses = audit.organizations["status"].value_counts()
    return {
        "organizations": len(audit.organizations),
        "tokens": len(audit.tokens),
        "findings": len(live),
        "waived": int((frame["waived"].to_numpy(dtype=bool) & ~unseen).sum()),
        "unseen": int(unseen.sum()),
        "by_severity": {severity.value: int(weights[severity.weight]) for severity in Severity},
        "by_rule": {rule: int(rules.get(rule, 0)) for rule in audit.findings.evidence},
        "by_organization": dict(zip(audit.organizations["organization_id"], organizations.tolist(), strict=True)),
        "by_status": {status: int(statuses.get(status, 0)) for status in STATUSES},
    }
