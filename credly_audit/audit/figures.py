"""The key figures of an audit: what reports show first, and the history keeps to compare the next audit with."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from credly_audit.audit.model import Audit


@dataclass(frozen=True)
class Figures:
    """What is counted, each computed when it is first used."""

    audit: Audit

    @cached_property
    def complete(self) -> np.ndarray:
        """Organizations that were collected completely (bool, a value an organization)."""
        mask: np.ndarray = self.audit.organizations["status"].eq("complete").to_numpy(dtype=bool)
        return mask

    @cached_property
    def in_complete(self) -> np.ndarray:
        """Tokens of complete organizations (bool, a value a token)."""
        rows = self.audit.tokens["organization_id"].cat.codes.to_numpy()
        mask: np.ndarray = self.complete[rows]
        return mask

    @cached_property
    def without_findings(self) -> np.ndarray:
        """Tokens of complete organizations without an open finding of low or above (bool, a value a token)."""
        frame = self.audit.findings.frame
        rows = frame["token_row"].to_numpy()[self.audit.findings.actionable]
        clean = self.in_complete.copy()
        clean[rows[rows >= 0]] = False
        return clean

    @cached_property
    def overdue(self) -> np.ndarray:
        """Open findings above info whose due date is past (bool, a value a finding)."""
        late = (self.audit.findings.frame["due_at"] < pd.Timestamp(self.audit.as_of)).fillna(value=False)
        mask: np.ndarray = late.to_numpy(dtype=bool) & self.audit.findings.actionable
        return mask

    @cached_property
    def windows(self) -> list[int]:
        """The days of the windows of EXP002 in force, ascending."""
        if "EXP002" not in self.audit.rules:
            return []
        windows = self.audit.policy.effective_options(self.audit.rules["EXP002"]).model_dump()["windows"] or {}
        return sorted(set(windows.values()))

    def expiring_within(self, days: int) -> int:
        """Return how many unexpired tokens expire within so many days."""
        ahead = self.audit.tokens.loc[self.audit.expiring, "expires_at"] - pd.Timestamp(self.audit.as_of)
        return int((ahead <= pd.Timedelta(days=days)).sum())

    @cached_property
    def counts(self) -> dict[str, int]:
        """The figures by name, as the history keeps them."""
        findings = self.audit.findings
        figures = {
            "organizations": len(self.audit.organizations),
            "complete": int(self.complete.sum()),
            "tokens": len(self.audit.tokens),
            "without_findings": int(self.without_findings.sum()),
            "violations": self.audit.verdict.violations,
            "overdue": int(self.overdue.sum()),
            "accepted": int((findings.frame["waived"].to_numpy(dtype=bool) & ~findings.unseen).sum()),
            "not_assessed": int(findings.unseen.sum()),
        }
        return figures | {f"expiring_{days}": self.expiring_within(days) for days in self.windows}
