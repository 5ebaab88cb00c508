"""What `run` and `check` share: evaluate a snapshot, write the reports, print how it ended."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from credly_audit.audit.model import Audit
from credly_audit.config.settings import Settings
from credly_audit.errors import ExitCode, Unfinished
from credly_audit.notify.notices import Notices
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.operations.evaluation import Evaluation
from credly_audit.operations.outputs import Outputs
from credly_audit.operations.policy_files import copy_sources
from credly_audit.operations.sign_manifest import ManifestSigner
from credly_audit.policy.policy import Policy
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

    evaluation: Evaluation
    outputs: Outputs
    notices: Notices | None
    summarize: Summarize
    manifest_signer: ManifestSigner | None = None
    quiet: bool = False

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
        snapshots = tuple(dict.fromkeys(options.snapshots))
        sources = copy_sources(config, settings, snapshots) if options.manifest else None
        outputs = Outputs.from_options(options, mode=settings.output.mode, manifest=sources)
        evaluation = Evaluation.from_options(options, settings, environ, against=against)
        signer = ManifestSigner.from_options(options, settings, evaluation.prior_audits, environ)
        return cls(evaluation, outputs, notices, summarize, signer, options.quiet)

    def conclude(
        self, snapshot: Snapshot, fingerprints: Fingerprints | None, *, now: datetime | None = None
    ) -> ExitCode:
        """Evaluate, write every report, record, notify, print the summary; return the exit code of the verdict.

        A failure after the collection affects nothing else: all failures are raised together at the end.
        """
        evaluated = self.evaluation.evaluate(snapshot, fingerprints, now=now)
        audit = evaluated.audit
        for sentence in audit.limitations:
            log.warning(sentence)
        written = self.outputs.write(audit, evaluated.redactor, self.manifest_signer)
        prior_audits = self.evaluation.prior_audits
        history = prior_audits.history
        with written.attempt("the history"):
            if evaluated.history_lost is not None:
                raise evaluated.history_lost
            history = prior_audits.record_audit(audit, written.chained)
        print_summary = None
        with written.attempt("the summary"):
            print_summary = self.summarize(audit, written.paths, self.outputs.to_standard_output)
        if self.notices is not None:
            with written.attempt("the notifications"):
                beats = audit.part is None and not written.failed
                messages = prior_audits.open_messages(history, fingerprints)
                self.notices.send(audit, written.reports, messages, beats=beats)
        if print_summary is not None and not (self.quiet and audit.verdict.exit_code == ExitCode.OK):
            print_summary()
        if written.failed:
            raise Unfinished(written.failed)
        return audit.verdict.exit_code
