"""What `run` and `check` share: evaluate a snapshot, write the reports, print how it ended."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.gate import checked_gate
from credly_audit.audit.model import Audit, Gate, Places
from credly_audit.audit.policy_change import compare_policies
from credly_audit.audit.prior import Past, Prior
from credly_audit.audit.redact_texts import redact_own_texts, redact_past, redact_settings, redactor_of
from credly_audit.config.presentation import Presentation
from credly_audit.config.settings import ReportSettings, Settings
from credly_audit.errors import ExitCode, HistoryLost, Unfinished
from credly_audit.instants import shift
from credly_audit.notify.notices import Notices
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.operations.outputs import Outputs
from credly_audit.operations.policy_files import copy_sources, find_places
from credly_audit.operations.prior_audits import PriorAudits
from credly_audit.operations.sign_manifest import ManifestSigner
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.snapshot import Snapshot

log = logging.getLogger(__name__)


Summarize = Callable[[Audit, Sequence[Path], bool], Callable[[], None]]
"""Prepares the summary of an audit and of the files written; what it returns prints it.

It goes to standard error where, as the last argument says, standard output has a report.
"""


@dataclass(frozen=True, slots=True)
class AuditJob:
    """How a snapshot is to be evaluated and reported; made, and so checked, before the first request to Credly."""

    options: AuditOptions
    settings: Settings
    policy: Policy
    gate: Gate
    outputs: Outputs
    places: Places
    prior_audits: PriorAudits
    presentation: Presentation
    notices: Notices | None
    summarize: Summarize
    manifest_signer: ManifestSigner | None = None
    against: Policy | None = None
    """Another policy, beside which the audit says what this one changes."""

    @classmethod
    def from_options(
        cls,
        options: AuditOptions,
        config: Path | None,
        settings: Settings,
        environ: Mapping[str, str],
        summarize: Summarize,
        *,
        notices: Notices | None,
        against: Policy | None = None,
    ) -> "AuditJob":
        """Make what the options say of these settings, which `config` holds; UsageError for a mistake in them."""
        policy = Policy.of(settings)
        snapshots = tuple(dict.fromkeys(options.snapshots))
        sources = copy_sources(config, settings, snapshots) if options.manifest else None
        outputs = Outputs.from_options(options, mode=settings.output.mode, manifest=sources)
        prior_audits = PriorAudits.from_options(options, settings, environ)
        manifest_signer = ManifestSigner.from_options(options, settings, prior_audits, environ)
        selectors = checked_gate(options.fail_on, list(catalogue()), policy.settings.disable)
        return cls(
            options,
            settings,
            policy,
            Gate(selectors or policy.settings.fail_on, options.allow_partial, options.new_only),
            outputs,
            find_places(settings, environ, options.snapshots),
            prior_audits,
            read_presentation(settings.report, sarif_without_waived=options.sarif_without_waived),
            notices,
            summarize,
            manifest_signer,
            against,
        )

    def conclude(
        self, snapshot: Snapshot, fingerprints: Fingerprints | None, *, now: datetime | None = None
    ) -> ExitCode:
        """Evaluate, write every report, record, notify, print the summary; return the exit code of the verdict.

        `fingerprints` are under the snapshot's key; without that, what the team wrote is searched by shape only.
        A failure after the collection affects nothing else: all failures are raised together at the end.
        """
        generated_at = now or datetime.now(UTC).replace(microsecond=0)
        as_of = self.options.as_of or max(generated_at, full_second(snapshot.header.collected_at))
        redactor = redactor_of(snapshot, fingerprints)
        own = redact_own_texts(self.policy, self.presentation, self.settings, redactor)
        for sentence in own.found:
            log.warning(sentence)
        lost = None
        try:
            with self.prior_audits.past(as_of) as past:
                audit = self._evaluate(snapshot, own.policy, as_of, generated_at, past and redact_past(past, redactor))
        except HistoryLost as error:
            lost, audit = error, self._evaluate(snapshot, own.policy, as_of, generated_at, None)
        settings = redact_settings(own.policy.settings, redactor)
        audit = replace(
            audit,
            policy=replace(own.policy, settings=settings),
            presentation=own.presentation,
            limitations=own.found,
        )
        written = self.outputs.write(audit, redactor, self.manifest_signer)
        with written.attempt("the history"):
            if lost is not None:
                raise lost
            self.prior_audits.record_audit(audit, written.chained)
        print_summary = None
        with written.attempt("the summary"):
            print_summary = self.summarize(audit, written.paths, self.outputs.to_standard_output)
        if self.notices is not None:
            with written.attempt("the notices"):
                beats = audit.part is None and not written.failed
                self.notices.send(audit, written.reports, beats=beats)
        if print_summary is not None and not (self.options.quiet and audit.verdict.exit_code == ExitCode.OK):
            print_summary()
        if written.failed:
            raise Unfinished(written.failed)
        return audit.verdict.exit_code

    def _evaluate(
        self, snapshot: Snapshot, policy: Policy, as_of: datetime, generated_at: datetime, past: Past | None
    ) -> Audit:
        def evaluate_by(policy: Policy) -> Audit:
            return evaluate(
                snapshot,
                policy,
                self.gate,
                catalogue(),
                as_of=as_of,
                prior=Prior(past, self.prior_audits.baseline),
                skip_broken_rules=self.options.skip_broken_rules,
            )

        audit = evaluate_by(policy)
        if self.against is not None:
            change = compare_policies(evaluate_by(self.against).findings, audit.findings)
            audit = replace(audit, policy_change=change)
        return replace(audit, generated_at=generated_at, places=self.places)


def full_second(instant: datetime) -> datetime:
    """Return the first full second from an instant on: an evaluation does not lie before its collection."""
    return shift(instant, timedelta(microseconds=999_999)).replace(microsecond=0)


def read_presentation(settings: ReportSettings, *, sarif_without_waived: bool = False) -> Presentation:
    """Read the files that `[report]` names; UsageError where one cannot be used or a template is broken."""
    presentation = replace(
        Presentation.read(settings.title, settings.logo, settings.guidance, settings.templates),
        sarif_without_waived=sarif_without_waived,
    )
    if presentation.templates is not None:
        from credly_audit.renderers.html.check_templates import tried  # noqa: PLC0415 - few have templates of their own

        tried(presentation)
    return presentation
