"""What an audit is: a snapshot, what a policy says of it, and the verdict; renderers import this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd

from credly_audit.audit.comparison import Comparison
from credly_audit.audit.consumers import ConsumerSet
from credly_audit.audit.findings import Findings
from credly_audit.audit.memory import Undelivered
from credly_audit.audit.policy_change import PolicyChange
from credly_audit.config.presentation import PLAIN, Presentation
from credly_audit.errors import ExitCode
from credly_audit.instants.instant_columns import INSTANT
from credly_audit.policy.apply import Decisions
from credly_audit.policy.policy import Policy
from credly_audit.rules.declare import Rule
from credly_audit.severity import Severity
from credly_audit.snapshot import TOKENS, Part, Snapshot

AUDITED_TOKENS = TOKENS | {"last_rotated_at": INSTANT, "rotation_evidence": "string"}


Outcome = Literal["pass", "violations", "incomplete"]


@dataclass(frozen=True, slots=True)
class Gate:
    """What makes an audit fail: severities, rule ids, families or `never`; and whether a part may be unseen.

    With `new_only` findings count that are new, reopened, of increased severity or no longer waived.
    """

    fail_on: tuple[str, ...] = (Severity.HIGH,)
    allow_partial: bool = False
    new_only: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the audit ends; `violations` is how many findings the gate counts, `not_seen` the organizations' ids.

    `accepted` are those of `not_seen` that a waiver covers: they are not seen, but do not make the audit incomplete.
    """

    outcome: Outcome
    exit_code: ExitCode
    violations: int
    not_seen: tuple[str, ...]
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """Where a report that points at files points: an organization's file and line, else line 1 of the snapshot.

    Paths are relative to the checkout that holds the file, else absolute.
    """

    organizations: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    snapshot: str = "credly-audit.snapshot"

    def of(self, organization_id: str) -> tuple[str, int]:
        """Return the file and the line, which counts from 1."""
        return self.organizations.get(organization_id, (self.snapshot, 1))


NO_DECISIONS = Decisions()


NOWHERE = Places()
"""Where no file is known."""


@dataclass(frozen=True)
class Audit:
    """A snapshot and what a policy says of it, at one instant.

    `tokens` has the columns AUDITED_TOKENS, register_row and consumers_row (position in `consumers`, -1: none);
    `broken` names the rules that raised and were skipped, with what they said.
    """

    snapshot: Snapshot
    policy: Policy
    gate: Gate
    as_of: datetime
    generated_at: datetime
    tokens: pd.DataFrame
    findings: Findings
    violates: np.ndarray
    """Which findings the gate counts (bool, a value a finding)."""
    verdict: Verdict
    broken: Mapping[str, str]
    places: Places = NOWHERE
    decisions: Decisions = NO_DECISIONS
    compared: Comparison | None = None
    """None: there is no earlier audit to compare with, or no history."""
    policy_change: PolicyChange | None = None
    """What the configuration changes beside another one; None: it is compared with none, or this is a part."""
    presentation: Presentation = PLAIN
    consumers: tuple[ConsumerSet, ...] = ()
    """The different sets of consumers that tokens have."""
    limitations: tuple[str, ...] = ()
    """What a reader must know of this audit beside its coverage, a sentence each: where a secret value was redacted."""
    undelivered: tuple[Undelivered, ...] = ()
    """Messages on earlier audits that were not delivered."""

    @property
    def unaudited(self) -> list[str]:
        """Organizations (ids) that the register names, but neither this snapshot nor the configuration does."""
        register = self.policy.register
        known = {*self.organizations["organization_id"].str.lower(), *self.policy.configured}
        return (
            []
            if register is None
            else [each for each in register.entries["organization_id"].unique() if each not in known]
        )

    @property
    def documented(self) -> pd.DataFrame:
        """What the register says of each token (columns of `Register.documented`, null: it does not name the token).

        Without a register it has no column.
        """
        register = self.policy.register
        if register is None:
            return pd.DataFrame(index=self.tokens.index)
        return register.documented.reindex(self.tokens["register_row"]).set_axis(self.tokens.index)

    def consumers_of(self, rows: pd.Series) -> list[ConsumerSet]:
        """Return the consumers of the tokens in these positions; none for -1."""
        places = np.append(self.tokens["consumers_row"].to_numpy(), -1)[rows.to_numpy()]
        return [(*self.consumers, ())[place] for place in places.tolist()]

    @cached_property
    def expired(self) -> np.ndarray:
        """Mark the tokens that have expired at as_of (bool, a value a token)."""
        mask: np.ndarray = (self.tokens["expires_at"] <= pd.Timestamp(self.as_of)).to_numpy(dtype=bool)
        return mask

    @cached_property
    def expiring(self) -> np.ndarray:
        """Mark the tokens whose expiry lies ahead of as_of; one without an expiry is neither expired nor expiring."""
        mask: np.ndarray = (self.tokens["expires_at"] > pd.Timestamp(self.as_of)).to_numpy(dtype=bool)
        return mask

    @property
    def part(self) -> Part | None:
        """The part of the configuration or of the audit that this is; None: the complete audit."""
        return self.snapshot.header.part

    @property
    def organizations(self) -> pd.DataFrame:
        """The snapshot's organizations, in the order in which they were asked."""
        return self.snapshot.organizations

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The catalogue that judged, disabled rules included."""
        return self.findings.rules
