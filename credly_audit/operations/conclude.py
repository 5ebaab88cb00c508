"""What `run` and `check` share: judge a snapshot, write the reports, say how it ended."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.gate import checked_gate
from credly_audit.audit.model import Audit, Gate, Places
from credly_audit.audit.policy_change import compare_policies
from credly_audit.audit.prior import Past, Prior
from credly_audit.audit.redact_texts import redact_own_texts, redact_past, redact_settings, redactor_of
from credly_audit.config.presentation import PLAIN, Presentation
from credly_audit.config.settings import ReportSettings, Settings
from credly_audit.errors import ExitCode, HistoryLost, Unfinished
from credly_audit.instants import shift
from credly_audit.notify.notices import Notices
from credly_audit.operations.outputs import Outputs
from credly_audit.operations.prior_audits import Earlier
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue, require_all_rules
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.snapshot import Snapshot

log = logging.getLogger(__name__)


def require_rules_unless(skip_broken_rules: bool) -> None:
    """Raise BrokenRule where another package's rules cannot be loaded, unless the audit may go on without them."""
    if not skip_broken_rules:
        require_all_rules(", or go on without it by --skip-broken-rules: the audit is then incomplete")


Summarize = Callable[[Audit, Sequence[Path]], Callable[[], None]]
"""Prepares the summary of an audit and the files written; what it returns prints it."""


@dataclass(frozen=True, slots=True)
class Judging:
    """How a snapshot is to be judged and reported; made, and so checked, before anything is asked of Credly."""

    settings: Settings
    policy: Policy
    gate: Gate
    as_of: datetime | None
    outputs: Outputs
    places: Places
    earlier: Earlier
    skip_broken_rules: bool
    quiet: bool
    summarize: Summarize
    notices: Notices | None = None
    presentation: Presentation = PLAIN
    against: Policy | None = None
    """Another policy, beside which the audit says what this one changes."""

    @classmethod
    def from_options(
        cls,
        settings: Settings,
        policy: Policy,
        outputs: Outputs,
        places: Places,
        earlier: Earlier,
        *,
        fail_on: Sequence[str],
        allow_partial: bool,
        as_of: datetime | None,
        skip_broken_rules: bool,
        quiet: bool,
        summarize: Summarize,
        notices: Notices | None = None,
        presentation: Presentation = PLAIN,
        against: Policy | None = None,
    ) -> "Judging":
        """Make what the options say; UsageError for a `--fail-on` that names nothing."""
        selectors = checked_gate(fail_on, list(catalogue()), policy.settings.disable) or policy.settings.fail_on
        gate = Gate(selectors, allow_partial, earlier.new_only)
        return cls(
            settings,
            policy,
            gate,
            as_of,
            outputs,
            places,
            earlier,
            skip_broken_rules,
            quiet,
            summarize,
            notices,
            presentation,
            against,
        )

    def conclude(
        self, snapshot: Snapshot, fingerprints: Fingerprints | None, *, now: datetime | None = None
    ) -> ExitCode:
        """Judge, write every report, record, tell whom it concerns, print the summary; the exit code of the verdict.

        `fingerprints` are under the snapshot's key; without that, what the team wrote is searched by shape only.
        Whatever fails after the collection costs only itself: it is raised, all of it, at the end.
        """
        generated_at = now or datetime.now(UTC).replace(microsecond=0)
        as_of = self.as_of or max(generated_at, full_second(snapshot.header.collected_at))
        redactor = redactor_of(snapshot, fingerprints)
        own = redact_own_texts(self.policy, self.presentation, self.settings, redactor)
        for sentence in own.found:
            log.warning(sentence)
        lost = None
        try:
            with self.earlier.past(as_of) as past:
                audit = self._judged(snapshot, own.policy, as_of, generated_at, past and redact_past(past, redactor))
        except HistoryLost as error:
            lost, audit = error, self._judged(snapshot, own.policy, as_of, generated_at, None)
        settings = redact_settings(own.policy.settings, redactor)
        audit = replace(
            audit,
            policy=replace(own.policy, settings=settings),
            presentation=own.presentation,
            limitations=own.found,
        )
        written = self.outputs.write(audit, redactor)
        with written.attempt("the history"):
            if lost is not None:
                raise lost
            self.earlier.keep(audit)
        print_summary = None
        with written.attempt("the summary"):
            print_summary = self.summarize(audit, written.paths)
        if self.notices is not None:
            with written.attempt("the notices"):
                beats = audit.part is None and not written.failed
                self.notices.send(audit, written.reports, beats=beats)
        if print_summary is not None and not (self.quiet and audit.verdict.exit_code == ExitCode.OK):
            print_summary()
        if written.failed:
            raise Unfinished(written.failed)
        return audit.verdict.exit_code

    def _judged(
        self, snapshot: Snapshot, policy: Policy, as_of: datetime, generated_at: datetime, past: Past | None
    ) -> Audit:
        def evaluate_by(policy: Policy) -> Audit:
            return evaluate(
                snapshot,
                policy,
                self.gate,
                catalogue(),
                as_of=as_of,
                prior=Prior(past, self.earlier.baseline),
                skip_broken_rules=self.skip_broken_rules,
            )

        audit = evaluate_by(policy)
        if self.against is not None:
            change = compare_policies(evaluate_by(self.against).findings, audit.findings)
            audit = replace(audit, policy_change=change)
        return replace(audit, generated_at=generated_at, places=self.places)


def full_second(instant: datetime) -> datetime:
    """The first full second from an instant on: what judges a collection does not lie before it."""
    return shift(instant, timedelta(microseconds=999_999)).replace(microsecond=0)


def read_presentation(settings: ReportSettings, *, sarif_without_waived: bool = False) -> Presentation:
    """Read what `[report]` names; a UsageError where a file cannot serve, or a template of one's own is broken."""
    presentation = replace(
        Presentation.read(settings.title, settings.logo, settings.guidance, settings.templates),
        sarif_without_waived=sarif_without_waived,
    )
    if presentation.templates is not None:
        from credly_audit.renderers.html.check_templates import tried  # noqa: PLC0415 - few have templates of their own

        tried(presentation)
    return presentation
