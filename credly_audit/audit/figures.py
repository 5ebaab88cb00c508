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

    def find_expiring(self, days: int) -> np.ndarray:
        """Mark the unexpired tokens that expire within so many days (bool, a value a token)."""
        last = pd.Timestamp(self.audit.as_of) + pd.Timedelta(days=days)
        mask: np.ndarray = self.audit.expiring & (self.audit.tokens["expires_at"] <= last).to_numpy(dtype=bool)
        return mask

    @cached_property
    def rows(self) -> dict[str, np.ndarray]:
        """The rows that each figure counts (bool), by name: organizations, then tokens, then findings."""
        findings = self.audit.findings
        return {
            "organizations": np.ones(len(self.audit.organizations), dtype=bool),
            "complete": self.complete,
            "tokens": np.ones(len(self.audit.tokens), dtype=bool),
            "without_findings": self.without_findings,
            "violations": self.audit.violates,
            "overdue": self.overdue,
            "accepted": findings.frame["waived"].to_numpy(dtype=bool) & ~findings.unseen,
            "not_assessed": findings.unseen,
            **{f"expiring_{days}": self.find_expiring(days) for days in self.windows},
        }

    @cached_property
    def counts(self) -> dict[str, int]:
        """The figures by name, as the history keeps them."""
        return {name: int(mask.sum()) for name, mask in self.rows.items()}
