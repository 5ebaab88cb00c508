"""The audits before this one, as the options select them: a history, a baseline, both or neither."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from credly_audit.audit.baseline_file import read_baseline
from credly_audit.audit.model import Audit
from credly_audit.audit.prior import Baseline, Past, PriorManifest, make_empty_past
from credly_audit.config.credentials import make_fingerprints
from credly_audit.config.settings import Settings
from credly_audit.errors import AuditError, CannotWrite, UsageError
from credly_audit.files.paths import NoStateFolder, state_folder
from credly_audit.instants import iso_day
from credly_audit.lifecycle.succession_records import SuccessionRecords, name_of
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.secrets.fingerprint import Fingerprints

if TYPE_CHECKING:
    from credly_audit.history.messages import MessageLog
    from credly_audit.history.store import History

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PriorAudits:
    """The audits to compare with, and whether this one is recorded; opened, and so tried, before the first request."""

    baseline: Baseline | None = None
    history: "History | None" = None
    record: bool = False
    """Where there is no history yet, recording begins one."""
    new_only: bool = False
    settings: Settings = field(default_factory=Settings)
    environ: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_options(cls, options: AuditOptions, settings: Settings, environ: Mapping[str, str]) -> "PriorAudits":
        """Open what the options name; UsageError where the history cannot be used or `--new-only` has nothing."""
        record, new_only = options.record, options.new_only
        known = None if options.baseline is None else read_baseline(options.baseline)
        if options.no_history:
            if new_only and known is None:
                raise UsageError(
                    "--new-only: needs a history or --baseline; leave --no-history out, or name a baseline"
                )
            return cls(known, new_only=new_only)
        from credly_audit.history.store import History, must_be_possible  # noqa: PLC0415 - loads SQLAlchemy

        try:
            history = History.opened(*find_database(settings, environ), name=settings.history.name, create=False)
        except NoStateFolder as error:
            if record:
                raise UsageError(f"{error}, set [history] url, or go without by --no-history") from None
            history = None
        if history is None and record:
            must_be_possible(*find_database(settings, environ))
        elif history is None and new_only and known is None:
            raise UsageError("--new-only: there is no history yet; name a --baseline, or let `run` begin a history")
        elif history is not None and record:
            history.must_be_writable()
        return cls(known, history, record, new_only, settings, environ)

    @contextmanager
    def past(self, as_of: datetime) -> Iterator[Past | None]:
        """Yield the audits before an instant; None where there is no history and none begins."""
        if self.history is None:
            yield make_empty_past() if self.record else None
            return
        if self.record:
            self._take_in_successions(self.history)
        with self.history.past(as_of) as past:
            if past.audits.empty and self.new_only and self.baseline is None and not self.record:
                raise UsageError(
                    f"--new-only: the history {self.history.name} has no audit of {self.history.configuration.called} "
                    f"before {iso_day(as_of)} {as_of:%H:%M} UTC to compare with; name a --baseline"
                )
            yield past

    def find_last_manifest(self) -> PriorManifest | None:
        """Return the last signed manifest that the history knows; None where there is none. HistoryError."""
        return None if self.history is None else self.history.find_last_manifest()

    def record_audit(self, audit: Audit, manifest: PriorManifest | None = None) -> "History | None":
        """Record the audit, and its signed manifest where it is chained; only where `record` is set.

        Return the history that it is recorded in.
        """
        if not self.record:
            return None
        from credly_audit.history.store import History  # noqa: PLC0415 - loads SQLAlchemy

        name = self.settings.history.name
        try:
            history = self.history or History.opened(
                *find_database(self.settings, self.environ), name=name, create=True
            )
        except UsageError as error:
            raise CannotWrite(f"nothing of this audit is recorded: {error}") from None
        assert history is not None  # noqa: S101 - it is created
        self._take_in_successions(history)
        history.record(audit, keep_days=self.settings.history.keep_days, manifest=manifest)
        return history

    def open_messages(self, history: "History | None", fingerprints: Fingerprints | None) -> "MessageLog | None":
        """Open the log of messages in a history, where `record` is set; None, and a warning, where it cannot be used.

        `fingerprints` are those of the snapshot; where they are not under the configured key, that is read.
        """
        if not self.record or history is None:
            return None
        try:
            if self.settings.privacy.fingerprint_key and (fingerprints is None or not fingerprints.key_fingerprint):
                fingerprints = make_fingerprints(self.settings, self.environ)
            return history.open_messages(fingerprints)
        except AuditError as error:
            log.warning("what was sent before is not known, so that messages hold everything: %s", error)
            return None

    def _take_in_successions(self, history: "History") -> None:
        """Move the successions into the history that were recorded before it could be used."""
        with suppress(NoStateFolder):
            SuccessionRecords(state_folder() / "emergency", name_of(self.settings), history).move_to_history()


def find_database(settings: Settings, environ: Mapping[str, str]) -> tuple[str | None, Path, Mapping[str, str]]:
    """Return what a history is opened by."""
    return settings.history.url, settings.file, environ
