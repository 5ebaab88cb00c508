"""Evaluate waivers and plans: by their dates alone, or against the tokens of stored snapshots."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import Gate
from credly_audit.audit.redact_texts import make_redactor, redact_own_texts
from credly_audit.config.decision_models import Decision
from credly_audit.config.load import load
from credly_audit.config.presentation import PLAIN
from credly_audit.config.settings import Settings
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.instants import shift
from credly_audit.operations.stored_snapshots import read_snapshots
from credly_audit.policy.apply import Decisions
from credly_audit.policy.decision_dates import classify_by_calendar
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue

NEED_ATTENTION = ("expired", "unused", "overdue", "refused")
"""States on which an administrator has to act."""


@dataclass(frozen=True, slots=True)
class CheckedDecision:
    """A decision and its state; `findings` is how many it matches, None where no token was evaluated."""

    decision: Decision
    kind: str
    state: str
    findings: int | None


@dataclass(frozen=True, slots=True)
class DecisionCheck:
    """All decisions of a configuration, and the instant as of which they are in their states."""

    settings: Settings
    as_of: datetime
    decisions: tuple[CheckedDecision, ...]

    def select(self, *, expired: bool, soon: bool) -> list[CheckedDecision]:
        """Return the decisions whose last day is past, those that end before the next audit, or, by default, all."""
        now, next_audit = self.as_of, shift(self.as_of, self.settings.policy.next_audit)
        return [
            each
            for each in self.decisions
            if not (expired or soon)
            or (expired and each.decision.ends_at <= now)
            or (soon and now < each.decision.ends_at <= next_audit)
        ]


def load_decision_settings(
    config: Path | None, environ: Mapping[str, str], *, waivers_file_needed: bool = True
) -> Settings:
    """Return the settings of the file; the defaults where there is no file and none was named."""
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    if path is None:
        return Settings()
    return load(path, environ, for_collecting=False, waivers_file_needed=waivers_file_needed)


def check_decisions(
    settings: Settings,
    snapshots: Sequence[Path],
    as_of: datetime | None,
    environ: Mapping[str, str],
    warn: Callable[[str], None],
) -> DecisionCheck:
    """Check the decisions against the tokens of snapshots, without the token values in their texts.

    `warn` gets a sentence for each text that holds one. Without snapshots the decisions are checked by their dates and
    by the organizations of the configuration.
    """
    now = as_of or datetime.now(UTC)
    if not snapshots:
        known = {each.id.lower() for each in settings.organizations}
        next_audit = Policy(settings.policy).next_audit
        dated = classify_by_calendar(settings.waivers, settings.plans, known, as_of=now, next_audit=next_audit)
        return DecisionCheck(settings, now, tuple(_list_checked(dated, evaluated=False)))
    snapshot, fingerprints = read_snapshots(snapshots, settings, environ)
    own = redact_own_texts(Policy.of(settings), PLAIN, settings, make_redactor(snapshot, fingerprints))
    for sentence in own.found:
        warn(sentence)
    decisions = evaluate(snapshot, own.policy, Gate(), catalogue(), as_of=now).decisions
    return DecisionCheck(settings, now, tuple(_list_checked(decisions, evaluated=True)))


def _list_checked(decisions: Decisions, *, evaluated: bool) -> Iterator[CheckedDecision]:
    """Yield risk acceptances and remediation plans in one list, as they were written."""
    for waiver in decisions.waivers:
        yield CheckedDecision(waiver.waiver, "waiver", waiver.state, waiver.findings if evaluated else None)
    for plan in decisions.plans:
        yield CheckedDecision(plan.plan, "plan", plan.state, plan.findings if evaluated else None)
