"""The history of audits: what judging asks it, and what it is told."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

from credly_audit.audit import Audit
from credly_audit.errors import CannotWrite, HistoryLost
from credly_audit.files import must_be_writable
from credly_audit.history import remembering, schema
from credly_audit.history.database import WAYS_OUT, Database, HistoryError, Place, cannot_write
from credly_audit.history.differing import Difference, difference
from credly_audit.history.reading import Moment
from credly_audit.history.replaying import forget_before, inserted
from credly_audit.history.seen import seen_by
from credly_audit.past import TREND, Past, frame_of
from credly_audit.snapshot import INSTANT

LISTED = {"id": "int64", "collected_at": INSTANT, "violations": "int64", "exit_code": "int64"} | TREND


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

    def must_be_writable(self) -> None:
        """UsageError where it can be read but not written."""
        file = self.database.place.file
        if file is not None and not os.access(file, os.W_OK):
            raise HistoryError(f"the history {self.name} may not be written; {WAYS_OUT}")

    @contextmanager
    def past(self, as_of: datetime) -> Iterator[Past]:
        """The audits before an instant, for as long as the block lasts."""
        with self.database.told(HistoryLost, "cannot be read"), self.database.reading() as connection:
            yield remembering.past(connection, Moment.before(connection, as_of))

    def record(self, audit: Audit, *, keep_days: int = 0) -> None:
        """Add an audit; forget those that lie more than keep_days (0: none) before it. CannotWrite: nothing is done."""
        seen = seen_by(audit)
        with cannot_write(self.database), self.database.writing() as connection:
            inserted(connection, seen, audit.rules)
            if keep_days:
                forget_before(connection, audit.as_of - timedelta(days=keep_days))

    def audits(self) -> pd.DataFrame:
        """Every audit, oldest first: id, collected_at, violations, exit_code and the columns of TREND."""
        with self._read() as connection:
            rows = connection.execute(
                sa.select(*(schema.audits.c[name] for name in LISTED)).order_by(schema.audits.c.id)
            )
            frame = pd.DataFrame(rows.all(), columns=list(LISTED))
        return frame_of({name: frame[name] for name in LISTED}, LISTED)

    def mended(self) -> pd.DataFrame:
        """How long things took to mend: MENDED over all audits."""
        with self._read() as connection:
            return remembering.mended(connection, Moment.before(connection, None))

    def difference(self, earlier: int, later: int) -> Difference:
        """What changed between two audits, by their ids."""
        with self._read() as connection:
            return difference(connection, earlier, later)

    def purge(self, before: datetime | None) -> int:
        """Forget the audits before an instant, or all (None), and what they alone saw; how many they were."""
        with self.database.told(CannotWrite, "could not be written; nothing is forgotten"):
            with self.database.writing() as connection:
                many = forget_before(connection, before)
            self.database.shrink()
        return many

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with self.database.told(HistoryError, "cannot be read"), self.database.reading() as connection:
            yield connection


def must_be_possible(url: str | None, folder: Path, environ: Mapping[str, str]) -> None:
    """UsageError where a history that is not there yet cannot begin."""
    file = Place.of(url, folder, environ).file
    if file is not None:
        must_be_writable(file.parent)
