"""The history of audits: what judging asks it, and what it is told."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from credly_audit.audit.memory import Undeliverables
from credly_audit.audit.model import Audit
from credly_audit.audit.prior import TREND, Past, PriorManifest, make_typed_frame
from credly_audit.audit.succession_model import Succession
from credly_audit.errors import CannotWrite, HistoryLost
from credly_audit.files.destinations import must_be_writable
from credly_audit.history import load_prior as remembering
from credly_audit.history import schema
from credly_audit.history.database import WAYS_OUT, Database, HistoryError, cannot_write, must_be_creatable
from credly_audit.history.diff import Difference, compute_difference
from credly_audit.history.messages import MessageLog, end_items, find_undeliverables, forget_messages
from credly_audit.history.place import DatabasePlace
from credly_audit.history.queries import Moment
from credly_audit.history.record import describe_audit
from credly_audit.history.retention import Retention
from credly_audit.history.rewrite import forget_before, insert_audit
from credly_audit.history.series import (
    Configuration,
    begin_series,
    find_named_series,
    find_series,
    list_series,
    load_last_manifest,
    remove_empty_series,
    save_last_manifest,
)
from credly_audit.history.successions import (
    close_successions,
    forget_successions,
    load_successions,
    save_succession,
)
from credly_audit.instants import LAST
from credly_audit.instants.instant_columns import INSTANT
from credly_audit.secrets.fingerprint import Fingerprints

log = logging.getLogger(__name__)

LISTED = {"id": "int64", "collected_at": INSTANT, "violations": "int64", "exit_code": "int64"} | TREND


@dataclass(frozen=True, slots=True)
class Purged:
    """How many audits were deleted; `not_freed`: why their space was not returned to the disk (None: it was)."""

    audits: int
    not_freed: str | None


@dataclass(frozen=True, slots=True)
class History:
    """A history that is there and can be read, as one configuration sees it."""

    database: Database
    configuration: Configuration
    chosen: int | None = None
    """The number of the series that a person named; None: the configuration's."""

    @classmethod
    def opened(
        cls, url: str | None, file: Path, environ: Mapping[str, str], *, name: str | None = None, create: bool
    ) -> "History | None":
        """Open that of `[history] url` for a configuration file with this `[history] name`.

        None where there is none yet and none is to be created. UsageError, in one line, where it cannot be reached or
        read.
        """
        database = Database.opened(DatabasePlace.of(url, file.parent, environ), create=create)
        if database is None:
            return None
        history = cls(database, Configuration.of(file, name))
        with history._read() as connection:
            continues = find_series(connection, history.configuration).continues
        if continues is not None:
            called = history.configuration.called
            log.warning("continuing the history of %s under the name %s, which has no audit yet", continues, called)
        return history

    @property
    def name(self) -> str:
        """How it is called, without a password."""
        return self.database.place.name

    def must_be_writable(self) -> None:
        """Raise UsageError where it can be read but not written."""
        self.database.must_be_writable()

    @contextmanager
    def past(self, as_of: datetime) -> Iterator[Past]:
        """Yield the audits before an instant, for as long as the block lasts."""
        way_out = "then compare the snapshot again by `credly-audit check SNAPSHOT`"
        with self.database.told(HistoryLost, "cannot be read", way_out), self.database.reading() as connection:
            series = self._series(connection)
            yield replace(
                remembering.load_past(connection, Moment.before(connection, series, as_of)),
                undelivered=find_undeliverables(connection, series, as_of),
            )

    def find_last_manifest(self) -> PriorManifest | None:
        """Return the last signed manifest of the series; None where there is none."""
        with self._read() as connection:
            return load_last_manifest(connection, self._series(connection))

    def record(self, audit: Audit, *, keep_days: int = 0, manifest: PriorManifest | None = None) -> int:
        """Add an audit and forget those that keep_days (0: all) no longer keeps; return how many were forgotten.

        `manifest` is the audit's own, where it is the last of a chain now. CannotWrite: nothing is done.
        """
        seen = describe_audit(audit)
        with cannot_write(self.database), self.database.writing() as connection:
            series = begin_series(connection, self.configuration)
            retention = Retention.at(connection, series, audit.as_of, keep_days)
            insert_audit(connection, series, seen, audit.rules)
            close_successions(connection, series, seen)
            end_items(connection, series)
            if manifest is not None:
                save_last_manifest(connection, series, manifest)
            forgotten = 0
            if not retention.doubtful:
                forgotten = forget_before(connection, series, retention.since)
                forget_successions(connection, series, retention.since)
                forget_messages(connection, series, retention.since)
        retention.report(forgotten)
        return forgotten

    def called(self, name: str) -> "History":
        """Return the same history as the series of a name (or path) sees it; UsageError where there is none."""
        with self._read() as connection:
            return replace(self, chosen=find_named_series(connection, name))

    def names(self) -> list[str]:
        """Return the names of all series, oldest first."""
        with self._read() as connection:
            return list(list_series(connection))

    def audits(self) -> pd.DataFrame:
        """List the audits of the series, oldest first: id, collected_at, violations, exit_code, name, and TREND."""
        with self._read() as connection:
            return _listed(connection, schema.audits.c.series == self._series(connection))

    def every_audit(self) -> pd.DataFrame:
        """List the same of every series, each with its `name` (null: recorded before there were names)."""
        audits, copied = schema.audits, schema.audits.alias()
        same = (copied.c[name] == audits.c[name] for name in ("as_of", "collected_at", "recorded_at"))
        is_copy = sa.and_(audits.c.inherited, sa.exists().where(copied.c.series == schema.EARLIER, *same))
        with self._read() as connection:
            return _listed(connection, ~is_copy)

    def remediated(self) -> pd.DataFrame:
        """Return how long remediation took: REMEDIATED over all audits of the series."""
        with self._read() as connection:
            return remembering.load_remediated(connection, Moment.before(connection, self._series(connection), None))

    def successions(self) -> list[Succession]:
        """Return all successions of the series, oldest first."""
        with self._read() as connection:
            return load_successions(connection, self._series(connection))

    def save_succession(self, succession: Succession) -> None:
        """Save a succession; CannotWrite where nothing could be saved."""
        with cannot_write(self.database), self.database.writing() as connection:
            save_succession(connection, begin_series(connection, self.configuration), succession)

    def open_messages(self, fingerprints: Fingerprints | None) -> MessageLog:
        """Open the log of messages, whose recipients are known by fingerprints under a key; CannotWrite."""
        return MessageLog.open(self.database, self.configuration, fingerprints)

    def undelivered(self) -> Undeliverables:
        """Return the messages that were not delivered."""
        with self._read() as connection:
            return find_undeliverables(connection, self._series(connection), LAST)

    def difference(self, earlier: int, later: int) -> Difference:
        """Compare two audits of the series by their ids."""
        with self._read() as connection:
            return compute_difference(connection, self._series(connection), earlier, later)

    def purge(self, before: datetime | None) -> Purged:
        """Delete the series' audits before an instant, or all (None), and data referenced only by them."""
        with (
            self.database.told(CannotWrite, "could not be written; nothing is forgotten", "and try again"),
            self.database.writing() as connection,
        ):
            series = self._series(connection)
            many = forget_before(connection, series, before)
            forget_successions(connection, series, before)
            forget_messages(connection, series, before)
            remove_empty_series(connection)
        return Purged(many, self.database.shrink())

    def _series(self, connection: sa.Connection) -> int:
        return find_series(connection, self.configuration).number if self.chosen is None else self.chosen

    @contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        with self.database.told(HistoryError, "cannot be read", WAYS_OUT), self.database.reading() as connection:
            yield connection


def _listed(connection: sa.Connection, *conditions: Any) -> pd.DataFrame:
    series, audits = schema.series, schema.audits
    called = sa.func.coalesce(series.c.name, series.c.file).label("name")
    query = (
        sa.select(*(audits.c[name] for name in LISTED), called)
        .outerjoin(series, series.c.id == audits.c.series)
        .where(*conditions)
        .order_by(audits.c.series, audits.c.id)
    )
    columns = LISTED | {"name": "string"}
    frame = pd.DataFrame(connection.execute(query).all(), columns=list(columns))
    return make_typed_frame({name: frame[name] for name in columns}, columns)


def must_be_possible(url: str | None, configuration: Path, environ: Mapping[str, str]) -> None:
    """Raise UsageError where a history that does not exist yet cannot begin."""
    place = DatabasePlace.of(url, configuration.parent, environ)
    if place.file is None:
        must_be_creatable(place)
    else:
        must_be_writable(place.file.parent)
