"""What the decisions come to in one audit: which findings are waived, which promises stand, what has run out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from credly_audit.config.decision_models import Decision, Plan, Waiver
from credly_audit.policy.matching import Matches, find_targets
from credly_audit.rules.facts import LAPSES
from credly_audit.text import fold

COVERAGE = {"truncated": "COV001", "unverified": "COV002", "mismatch": "COV003", "failed": "COV004"}
"""The rule that tells of each way in which an organization is incomplete."""

WaiverState = Literal["active", "expiring", "expired", "unused", "unjudged", "pending", "refused"]
PlanState = Literal["open", "overdue", "kept", "unjudged", "pending"]


@dataclass(frozen=True, slots=True)
class JudgedWaiver:
    """A waiver and where it stands; `findings` is how many it is about, whether or not it still holds.

    `active`: holds; `expiring`: holds, but may not at the next audit; `expired`: past its date, its findings are back;
    `refused`: by [policy] four_eyes, as its approver owns all that it is about; `unused`: about nothing that is there;
    `unjudged`: about nothing that was seen, and not all was seen; `pending`: not
    yet in force.
    """

    waiver: Waiver
    state: WaiverState
    findings: int


@dataclass(frozen=True, slots=True)
class JudgedPlan:
    """A plan and where it stands: `open`, `overdue`, `kept` (its findings are gone), or else as for waivers."""

    plan: Plan
    state: PlanState
    findings: int


@dataclass(frozen=True, slots=True)
class Decisions:
    """Every waiver and plan as one audit found it, in the order in which they were written."""

    waivers: tuple[JudgedWaiver, ...] = ()
    plans: tuple[JudgedPlan, ...] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Organizations incomplete whose coverage a waiver accepts: their ids, and the waiver's."""

    def of_state(self, *states: WaiverState) -> list[JudgedWaiver]:
        """The waivers in one of these states."""
        return [each for each in self.waivers if each.state in states]

    @property
    def expiring(self) -> list[JudgedWaiver]:
        """Waivers that hold, but may not at the next audit."""
        return self.of_state("expiring")

    @property
    def expired(self) -> list[JudgedWaiver]:
        """Waivers past their date whose findings are still there."""
        return self.of_state("expired")

    @property
    def unused(self) -> list[JudgedWaiver]:
        """Waivers of nothing that is there."""
        return self.of_state("unused")

    @property
    def overdue(self) -> list[JudgedPlan]:
        """Plans past their day whose findings are still there."""
        return [each for each in self.plans if each.state == "overdue"]


@dataclass(frozen=True, slots=True)
class AppliedDecisions:
    """The findings with `waived`, `waiver_id` and `plan_id`; the decisions; and the lapses (columns LAPSES)."""

    findings: pd.DataFrame
    decisions: Decisions
    lapses: pd.DataFrame


def apply_decisions(
    findings: pd.DataFrame,
    tokens: pd.DataFrame,
    organizations: pd.DataFrame,
    waivers: Sequence[Waiver],
    plans: Sequence[Plan],
    *,
    as_of: datetime,
    next_audit: timedelta,
    broken: Collection[str] = (),
    four_eyes: bool = False,
) -> AppliedDecisions:
    """Apply the decisions to the findings of all rules; nothing follows from the silence of `broken` rules.

    With `four_eyes`, a waiver does not apply to a finding whose `owner` approved it.
    """
    frames = (tokens, organizations)
    unknown = _find_unknown([*waivers, *plans], organizations, broken)
    in_force = np.array([each.begins_at <= as_of < each.ends_at for each in waivers], dtype=bool)
    expired = np.array([each.ends_at <= as_of for each in waivers], dtype=bool)
    matches = Matches.of(waivers, findings, *frames)
    ranks = np.array([each.expires.toordinal() for each in waivers], dtype="int64")
    chosen = matches.choose(ranks, in_force)
    own = np.zeros(len(waivers), dtype="int64")
    if four_eyes:
        rival = _Rival(matches, ranks, in_force)
        chosen, own = rival.separate(chosen, findings["owner"], waivers)
    everything = np.ones(len(findings), dtype=bool)
    counts = matches.count(everything, len(waivers))
    back = np.where(expired, matches.count(chosen < 0, len(waivers)), 0)
    coverage = _find_coverage_waivers(waivers, organizations)
    judged_waivers = tuple(
        JudgedWaiver(
            each,
            "refused" if refused else find_waiver_state(each, as_of, next_audit, used=used, unknown=unseen),
            int(many),
        )
        for each, used, unseen, many, refused in zip(
            waivers, (counts > 0) | coverage, unknown, counts, in_force & (own > 0) & (own == counts), strict=False
        )
    )
    begun = np.array([each.begins_at <= as_of for each in plans], dtype=bool)
    promised = Matches.of(plans, findings, *frames)
    planned = promised.choose(np.array([-each.until.toordinal() for each in plans], dtype="int64"), begun)
    judged_plans = tuple(
        JudgedPlan(each, plan_state(each, as_of, used=many > 0, unknown=unseen), int(many))
        for each, many, unseen in zip(
            plans, promised.count(everything, len(plans)), unknown[len(waivers) :], strict=True
        )
    )
    accepted = {
        waiver.organization: waiver.id for waiver, holds in zip(waivers, in_force & coverage, strict=True) if holds
    }
    findings = findings.assign(
        waived=chosen >= 0,
        waiver_id=pd.Categorical.from_codes(chosen, categories=[each.id for each in waivers]),
        plan_id=pd.Categorical.from_codes(planned, categories=[each.id for each in plans]),
    )
    return AppliedDecisions(
        findings, Decisions(judged_waivers, judged_plans, accepted), _find_lapses(waivers, back, *frames)
    )


@dataclass(frozen=True, slots=True)
class _Rival:
    """Chooses another waiver where the one that holds was approved by the owner of the finding."""

    matches: Matches
    ranks: np.ndarray
    in_force: np.ndarray

    def separate(
        self, chosen: np.ndarray, owners: pd.Series, waivers: Sequence[Waiver]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the waivers chosen for findings whose owners did not approve them, and how many each lost."""
        approvers = np.array([fold(each.approved_by) for each in waivers], dtype=object)
        folded = owners.astype("string").fillna("").map(fold).to_numpy(dtype=object)
        refused = np.zeros(len(waivers), dtype="int64")
        for name in sorted(set(approvers) & set(folded)):
            theirs, own = folded == name, approvers == name
            chosen = np.where(theirs, self.matches.choose(self.ranks, self.in_force & ~own), chosen)
            refused[own] = self.matches.count(theirs, len(waivers))[own]
        return chosen, refused


def find_waiver_state(
    waiver: Waiver, as_of: datetime, next_audit: timedelta, *, used: bool, unknown: bool
) -> WaiverState:
    """Where a waiver stands that is about something there, or not, or nobody knows."""
    if waiver.begins_at > as_of:
        return "pending"
    if not used:
        return "unjudged" if unknown else "unused"
    if waiver.ends_at <= as_of:
        return "expired"
    return "expiring" if waiver.ends_at - as_of <= next_audit else "active"


def plan_state(plan: Plan, as_of: datetime, *, used: bool, unknown: bool) -> PlanState:
    """Where a plan stands, likewise."""
    if plan.begins_at > as_of:
        return "pending"
    if not used:
        return "unjudged" if unknown else "kept"
    return "overdue" if plan.ends_at <= as_of else "open"


def _find_unknown(decisions: Sequence[Decision], organizations: pd.DataFrame, broken: Collection[str]) -> list[bool]:
    """For each decision whether nothing can be concluded from its matching no finding."""
    seen = set(organizations.loc[organizations["status"] == "complete", "organization_id"].str.lower())
    return [each.organization not in seen or any(rule.startswith(each.rule) for rule in broken) for each in decisions]


def _find_coverage_waivers(waivers: Sequence[Waiver], organizations: pd.DataFrame) -> np.ndarray:
    """Which waivers are of the way in which their organization is incomplete, COV rules disabled or not."""
    ids = organizations["organization_id"].str.lower()
    missing = dict(zip(ids, organizations["status"].map(COVERAGE), strict=True))
    return np.array(
        [
            each.token is None
            and each.rule in {"COV", missing.get(each.organization)}
            and isinstance(missing.get(each.organization), str)
            for each in waivers
        ],
        dtype=bool,
    )


def _find_lapses(
    waivers: Sequence[Waiver], back: np.ndarray, tokens: pd.DataFrame, organizations: pd.DataFrame
) -> pd.DataFrame:
    """The expired waivers whose findings are back (`back`: how many, a value a waiver)."""
    rows = np.flatnonzero(back).tolist()
    lapsed = [waivers[row] for row in rows]
    targets = find_targets(lapsed, tokens, organizations)
    ends = pd.to_datetime([each.ends_at for each in lapsed], utc=True)
    return pd.DataFrame(
        {
            "organization_row": targets.organizations,
            "token_row": targets.tokens,
            "waiver_id": [each.id for each in lapsed],
            "rule": [each.rule for each in lapsed],
            "approved_by": [each.approved_by for each in lapsed],
            "ended_at": ends,
            "findings": back[rows],
        }
    ).astype(LAPSES)
