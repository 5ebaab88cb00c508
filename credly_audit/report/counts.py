"""Counts over an audit, computed once for every report: tokens, organizations and findings."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from credly_audit.audit.figures import Figures
from credly_audit.audit.model import Audit
from credly_audit.severity import Severity
from credly_audit.snapshot import STATUSES


@dataclass(frozen=True)
class SubjectCounts:
    """Counts over an audit, each computed when it is first used; waived and unseen findings are not open."""

    audit: Audit

    @cached_property
    def figures(self) -> Figures:
        """The key figures."""
        return Figures(self.audit)

    @cached_property
    def open(self) -> pd.DataFrame:
        """`Findings.frame` without those waived or unseen; its index is their position among all."""
        return self.audit.findings.frame[self.audit.findings.open]

    def find_open(self, severity: Severity) -> np.ndarray:
        """Return the positions of the open findings of a severity among all."""
        positions: np.ndarray = self.open.index.to_numpy()[(self.open["severity"] == severity).to_numpy()]
        return positions

    @cached_property
    def of_tokens(self) -> np.ndarray:
        """Count the open findings of each token."""
        rows = self.open["token_row"].to_numpy()
        return np.bincount(rows[rows >= 0], minlength=len(self.audit.tokens))

    @cached_property
    def highest_of_tokens(self) -> np.ndarray:
        """The weight of each token's highest open finding; -1: it has none."""
        highest = np.full(len(self.audit.tokens) + 1, -1)
        np.maximum.at(highest, self.open["token_row"].to_numpy(), self.open["severity"].cat.codes.to_numpy())
        return highest[:-1]

    @cached_property
    def first_of_applications(self) -> tuple[np.ndarray, np.ndarray]:
        """How many open findings each application has, and the position of the most severe (-1: it has none)."""
        frame = self.audit.snapshot.applications
        keys = zip(frame["organization_id"], frame["application_id"], strict=True)
        places = {key: row for row, key in enumerate(keys)}
        ids = self.audit.organizations["organization_id"]
        counts, first = np.zeros(len(frame), dtype=int), np.full(len(frame), -1)
        live = self.open
        for finding in live[live["rule_id"].astype("string").str.startswith("OAU").to_numpy(dtype=bool)].itertuples():
            seen = self.audit.findings.evidence[finding.rule_id]["application_id"].iloc[finding.evidence_row]
            row = places.get((ids.iloc[finding.organization_row], seen))
            if row is None:
                continue  # carried over from an earlier audit
            counts[row] += 1
            if first[row] < 0:
                first[row] = finding.Index
        return counts, first

    @property
    def of_applications(self) -> np.ndarray:
        """How many open findings each application has."""
        return self.first_of_applications[0]

    @property
    def gravest_of_applications(self) -> np.ndarray:
        """The weight of each application's most severe open finding; -1: it has none."""
        weights = self.audit.findings.frame["severity"].cat.codes.to_numpy()
        return np.append(weights, np.int8(-1))[self.first_of_applications[1]]

    @cached_property
    def of_organizations(self) -> np.ndarray:
        """A row an organization, a column a severity, from info to critical: how many open findings."""
        many = len(Severity)
        cells = self.open["organization_row"].to_numpy() * many + self.open["severity"].cat.codes.to_numpy()
        return np.bincount(cells, minlength=len(self.audit.organizations) * many).reshape(-1, many)

    @cached_property
    def worst_first(self) -> np.ndarray:
        """Positions of the organizations: incomplete ones first, then by open findings from critical to info."""
        complete = self.audit.organizations["status"].eq("complete").to_numpy(dtype=bool)
        keys = [-self.of_organizations[:, severity.weight] for severity in Severity]
        order: np.ndarray = np.lexsort((*keys, complete))
        return order

    @cached_property
    def privileged(self) -> np.ndarray:
        """Count the unexpired tokens of each organization that can write or delete."""
        tokens = self.audit.tokens
        can = tokens["write_enabled"].fillna(value=False) | tokens["delete_enabled"].fillna(value=False)
        can = can.to_numpy(dtype=bool) & ~self.audit.expired
        rows = tokens["organization_id"].cat.codes.to_numpy()
        return np.bincount(rows[can], minlength=len(self.audit.organizations))

    @cached_property
    def next_expiry(self) -> pd.Series:
        """When the next of each organization's tokens expires; null where none has an expiry ahead."""
        tokens = self.audit.tokens
        ahead = self.audit.expiring
        rows = tokens["organization_id"].cat.codes.to_numpy()[ahead]
        soonest = tokens.loc[ahead, "expires_at"].groupby(rows).min()
        return soonest.reindex(range(len(self.audit.organizations)))


def count_audit(audit: Audit) -> dict[str, Any]:
    """Count tokens and findings; waived and unseen findings are counted only as `waived` and `unseen`."""
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
