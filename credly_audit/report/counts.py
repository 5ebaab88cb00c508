"""How tokens and organizations stand: their open findings, counted once for whoever lists them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from credly_audit.audit.model import Audit
from credly_audit.severity import Severity


@dataclass(frozen=True)
class Standing:
    """Counts over an audit, each reckoned when it is first asked for; waived and unseen findings are not open."""

    audit: Audit

    @cached_property
    def open(self) -> pd.DataFrame:
        """`Findings.frame` without those waived or unseen; its index is their position among all."""
        return self.audit.findings.frame[self.audit.findings.open]

    @cached_property
    def of_tokens(self) -> np.ndarray:
        """How many open findings each token has."""
        rows = self.open["token_row"].to_numpy()
        return np.bincount(rows[rows >= 0], minlength=len(self.audit.tokens))

    @cached_property
    def gravest_of_tokens(self) -> np.ndarray:
        """The weight of each token's gravest open finding; -1: it has none."""
        gravest = np.full(len(self.audit.tokens) + 1, -1)
        np.maximum.at(gravest, self.open["token_row"].to_numpy(), self.open["severity"].cat.codes.to_numpy())
        return gravest[:-1]

    @cached_property
    def of_organizations(self) -> np.ndarray:
        """A row an organization, a column a severity, from info to critical: how many open findings."""
        many = len(Severity)
        cells = self.open["organization_row"].to_numpy() * many + self.open["severity"].cat.codes.to_numpy()
        return np.bincount(cells, minlength=len(self.audit.organizations) * many).reshape(-1, many)

    @cached_property
    def privileged(self) -> np.ndarray:
        """How many of each organization's unexpired tokens can write or delete."""
        tokens = self.audit.tokens
        can = tokens["write_enabled"].fillna(value=False) | tokens["delete_enabled"].fillna(value=False)
        can = can.to_numpy(dtype=bool) & ~(tokens["expires_at"] <= pd.Timestamp(self.audit.as_of)).to_numpy()
        rows = tokens["organization_id"].cat.codes.to_numpy()
        return np.bincount(rows[can], minlength=len(self.audit.organizations))

    @cached_property
    def next_expiry(self) -> pd.Series:
        """When the next of each organization's tokens expires; null where none has an expiry ahead."""
        tokens = self.audit.tokens
        ahead = (tokens["expires_at"] > pd.Timestamp(self.audit.as_of)).to_numpy()
        rows = tokens["organization_id"].cat.codes.to_numpy()[ahead]
        soonest = tokens.loc[ahead, "expires_at"].groupby(rows).min()
        return soonest.reindex(range(len(self.audit.organizations)))
