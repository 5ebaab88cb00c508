"""What `run` and `check` share: judge a snapshot, write the reports, say how it ended."""

import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TextIO

from credly_audit.audit.evaluate import judge
from credly_audit.audit.model import Audit, Gate, Places
from credly_audit.audit.prior import Past
from credly_audit.audit.redact_texts import redact_own_texts, redact_past, redact_settings, redactor_of
from credly_audit.cli import screen
from credly_audit.cli.logs import is_json
from credly_audit.cli.options import checked_gate
from credly_audit.cli.screen import Line
from credly_audit.cli.summary import PAGE, summary
from credly_audit.config.presentation import PLAIN, Presentation
from credly_audit.config.settings import Settings
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
    color: bool | None
    notices: Notices | None = None
    presentation: Presentation = PLAIN

    @classmethod
    def asked(
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
        no_color: bool,
        notices: Notices | None = None,
        presentation: Presentation = PLAIN,
    ) -> "Judging":
        """What the options say; UsageError for a `--fail-on` that names nothing."""
        selectors = checked_gate(fail_on, list(catalogue()), policy.settings.disable) or policy.settings.fail_on
        gate = Gate(selectors, allow_partial, earlier.new_only)
        color = False if no_color else None
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
            color,
            notices,
            presentation,
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
        said: list[Line] = []
        with written.attempt("the summary"):
            said = summary(audit, written.paths, self._screen)
        if self.notices is not None:
            with written.attempt("the notices"):
                beats = audit.part is None and not written.failed
                self.notices.send(audit, written.reports, beats=beats)
        if not (self.quiet and audit.verdict.exit_code == ExitCode.OK):
            self._say(said)
        if written.failed:
            raise Unfinished(written.failed)
        return audit.verdict.exit_code

    def _judged(
        self, snapshot: Snapshot, policy: Policy, as_of: datetime, generated_at: datetime, past: Past | None
    ) -> Audit:
        return judge(
            snapshot,
            policy,
            self.gate,
            catalogue(),
            as_of=as_of,
            generated_at=generated_at,
            skip_broken_rules=self.skip_broken_rules,
            places=self.places,
            past=past,
            baseline=self.earlier.baseline,
        )

    @property
    def _in_the_log(self) -> bool:
        """Whether the summary goes into the log: standard output holds a report, standard error JSON lines."""
        return self.outputs.to_standard_output and is_json()

    @property
    def _stream(self) -> TextIO:
        return sys.stderr if self.outputs.to_standard_output else sys.stdout

    @property
    def _screen(self) -> os.terminal_size:
        return PAGE if self._in_the_log else screen.size(self._stream)

    def _say(self, lines: Sequence[Line]) -> None:
        if self._in_the_log:
            log.info("\n".join(map(screen.plain, lines)))
        else:
            screen.print_lines(*lines, stream=self._stream, no_color=self.color is False)


def full_second(instant: datetime) -> datetime:
    """The first full second from an instant on: what judges a collection does not lie before it."""
    return shift(instant, timedelta(microseconds=999_999)).replace(microsecond=0)
