"""Where decisions stand by the calendar alone, before any token was looked at."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.policy.apply import Decisions, JudgedPlan, JudgedWaiver, find_waiver_state, plan_state


def classify_by_calendar(
    waivers: Sequence[Waiver],
    plans: Sequence[Plan],
    configured: Collection[str],
    *,
    as_of: datetime,
    next_audit: timedelta,
) -> Decisions:
    """As if everything were there that the decisions are on; a waiver of an organization not configured is unused."""

    def judged(waiver: Waiver) -> JudgedWaiver:
        used = not configured or waiver.organization in configured
        return JudgedWaiver(waiver, find_waiver_state(waiver, as_of, next_audit, used=used, unknown=False), 0)

    return Decisions(
        tuple(judged(each) for each in waivers),
        tuple(JudgedPlan(each, plan_state(each, as_of, used=True, unknown=False), 0) for each in plans),
    )
