"""The history of audits: what judging asks it, and what it is told."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from credly_audit.audit import Audit
from credly_audit.history import reading
from credly_audit.history.database import Database, HistoryError, Place, cannot_write
from credly_audit.history.recording import seen_by
from credly_audit.history.replaying import forget_before, inserted
from credly_audit.past import Past


@dataclass(frozen=True, slots=True)
class History:
    """A history that is there and can be read."""

    database: Database

    @classmethod
    def opened(cls, url: str | None, folder: Path, environ: Mapping[str, str], *, create: bool) -> "History | None":
        """That of `[history] url`; None where there is none yet and none is to be created.

        UsageError, in one line, where it cannot be reached or read.
        """
        database = Database.opened(Place.of(url, folder, environ), create=create)
        return None if database is None else cls(database)

    @property
    def name(self) -> str:
        """How it is called, without a password."""
        return self.database.place.name

    @contextmanager
    def past(self, as_of: datetime) -> Iterator[Past]:
        """The audits before an instant, for as long as the block lasts."""
        with self.database.told(HistoryError, "cannot be read"), self.database.reading() as connection:
            yield reading.past(connection, reading.Moment.before(connection, as_of))

    def record(self, audit: Audit, *, keep_days: int = 0) -> None:
        """Add an audit; forget those that lie more than keep_days (0: none) before it. CannotWrite: nothing is done."""
        seen = seen_by(audit)
        with cannot_write(self.database), self.database.writing() as connection:
            inserted(connection, seen, audit.rules)
            if keep_days:
                forget_before(connection, audit.as_of - timedelta(days=keep_days))
