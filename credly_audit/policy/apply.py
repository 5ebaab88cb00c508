"""What the decisions come to in one audit: which findings are waived, which promises stand, what has run out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from credly_audit.config.decision_models import Decision, Plan, Waiver
from credly_audit.policy.matching import matched, targeted
from credly_audit.rules.facts import LAPSES

COVERAGE = {"truncated": "COV001", "unverified": "COV002", "mismatch": "COV003", "failed": "COV004"}
"""The rule that tells of each way in which an organization was not fully seen."""

WaiverState = Literal["active", "expiring", "expired", "unused", "unjudged"]
PlanState = Literal["open", "overdue", "kept", "unjudged"]


@dataclass(frozen=True, slots=True)
class JudgedWaiver:
    """A waiver and where it stands; `findings` is how many it is about, whether or not it still holds.

    `active`: holds; `expiring`: holds, but may not at the next audit; `expired`: past its date, its findings are back;
    `unused`: about nothing that is there; `unjudged`: about nothing that was seen, and not all was seen.
    """

    waiver: Waiver
    state: WaiverState
    findings: int


@dataclass(frozen=True, slots=True)
class JudgedPlan:
    """A plan and where it stands: `open`, `overdue`, `kept` (its findings are gone), or `unjudged` as for waivers."""

    plan: Plan
    state: PlanState
    findings: int


@dataclass(frozen=True, slots=True)
class Decisions:
    """Every waiver and plan as one audit found it, in the order in which they were written."""

    waivers: tuple[JudgedWaiver, ...] = ()
    plans: tuple[JudgedPlan, ...] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Organizations not fully seen whose coverage a waiver accepts: their ids, and the waiver's."""

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
class Outcome:
    """The findings with `waived`, `waiver_id` and `plan_id`; the decisions; and the lapses (columns LAPSES)."""

    findings: pd.DataFrame
    decisions: Decisions
    lapses: pd.DataFrame


def applied(
    findings: pd.DataFrame,
    tokens: pd.DataFrame,
    organizations: pd.DataFrame,
    waivers: Sequence[Waiver],
    plans: Sequence[Plan],
    *,
    as_of: datetime,
    next_audit: timedelta,
    broken: Collection[str] = (),
) -> Outcome:
    """What the decisions say of the findings of all rules; `broken` are the rules that could not say anything."""
    frames = (tokens, organizations)
    unknown = _unknown([*waivers, *plans], organizations, broken)
    pairs = matched(waivers, findings, *frames)
    in_force = np.array([each.ends_at > as_of for each in waivers], dtype=bool)
    ends = np.array([each.expires.toordinal() for each in waivers], dtype="int64")
    holding = pairs[in_force[pairs["decision"]]]
    findings = findings.assign(
        waived=np.isin(np.arange(len(findings)), holding["finding"]),
        waiver_id=_chosen(holding, ends, [each.id for each in waivers], len(findings)),
    )
    back = pairs[~in_force[pairs["decision"]] & ~findings["waived"].to_numpy()[pairs["finding"]]]
    counts = np.bincount(pairs["decision"], minlength=len(waivers))
    coverage = _of_coverage(waivers, organizations)
    judged_waivers = tuple(
        JudgedWaiver(each, waiver_state(each, as_of, next_audit, used=used, unknown=unseen), int(many))
        for each, used, unseen, many in zip(waivers, (counts > 0) | coverage, unknown, counts, strict=False)
    )
    promised = matched(plans, findings, *frames)
    days = np.array([-each.until.toordinal() for each in plans], dtype="int64")
    findings = findings.assign(plan_id=_chosen(promised, days, [each.id for each in plans], len(findings)))
    promises = np.bincount(promised["decision"], minlength=len(plans))
    judged_plans = tuple(
        JudgedPlan(each, plan_state(each, as_of, used=many > 0, unknown=unseen), int(many))
        for each, many, unseen in zip(plans, promises, unknown[len(waivers) :], strict=True)
    )
    accepted = {
        waiver.organization: waiver.id for waiver in np.array([*waivers, None], dtype=object)[:-1][in_force & coverage]
    }
    return Outcome(
        findings, Decisions(judged_waivers, judged_plans, accepted), _lapses(waivers, back["decision"], *frames)
    )


def waiver_state(waiver: Waiver, as_of: datetime, next_audit: timedelta, *, used: bool, unknown: bool) -> WaiverState:
    """Where a waiver stands that is about something there, or not, or nobody knows."""
    if not used:
        return "unjudged" if unknown else "unused"
    if waiver.ends_at <= as_of:
        return "expired"
    return "expiring" if waiver.ends_at - as_of <= next_audit else "active"


def plan_state(plan: Plan, as_of: datetime, *, used: bool, unknown: bool) -> PlanState:
    """Where a plan stands, likewise."""
    if not used:
        return "unjudged" if unknown else "kept"
    return "overdue" if plan.ends_at <= as_of else "open"


def _unknown(decisions: Sequence[Decision], organizations: pd.DataFrame, broken: Collection[str]) -> list[bool]:
    """For each decision whether nothing can be concluded from its matching no finding."""
    seen = set(organizations.loc[organizations["status"] == "complete", "organization_id"].str.lower())
    return [each.organization not in seen or any(rule.startswith(each.rule) for rule in broken) for each in decisions]


def _of_coverage(waivers: Sequence[Waiver], organizations: pd.DataFrame) -> np.ndarray:
    """Which waivers are of the way in which their organization was not fully seen, COV rules disabled or not."""
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


def _chosen(pairs: pd.DataFrame, rank: np.ndarray, ids: Sequence[str], many: int) -> pd.Categorical:
    """For each finding the id of its decision of the highest rank, the first written of several; null where none."""
    order = pairs.assign(rank=-rank[pairs["decision"]]).sort_values(["rank", "decision"], kind="stable")
    first = order.drop_duplicates("finding")
    codes = np.full(many, -1, dtype="int64")
    codes[first["finding"]] = first["decision"]
    return pd.Categorical.from_codes(codes, categories=list(ids))


def _lapses(
    waivers: Sequence[Waiver], back: pd.Series, tokens: pd.DataFrame, organizations: pd.DataFrame
) -> pd.DataFrame:
    """The expired waivers whose findings are back (`back`: their positions, one a finding)."""
    counts = back.value_counts()
    lapsed = [waivers[position] for position in sorted(counts.index)]
    if not lapsed:
        return pd.DataFrame(columns=list(LAPSES)).astype(LAPSES)
    places = targeted(lapsed, tokens, organizations).drop_duplicates("decision").sort_values("decision")
    return pd.DataFrame(
        {
            "organization_row": places["organization_row"].to_numpy(),
            "token_row": places["token_row"].to_numpy(),
            "waiver_id": [each.id for each in lapsed],
            "rule": [each.rule for each in lapsed],
            "approved_by": [each.approved_by for each in lapsed],
            "ended_at": pd.to_datetime([each.ends_at for each in lapsed], utc=True),
            "findings": counts.sort_index().to_numpy(),
        }
    ).astype(LAPSES)
