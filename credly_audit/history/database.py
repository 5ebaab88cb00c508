"""A history that was opened: migrated to the version that this code knows, read and written in transactions.

Every fault of a database becomes one line that names the history and shows no address with a password in it.
"""

import logging
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from credly_audit.errors import AuditError, CannotWrite, UsageError
from credly_audit.history.engines import PATIENCE, copy_of, find_access, make_postgresql_engine, make_sqlite_engine
from credly_audit.history.place import DatabasePlace
from credly_audit.history.schema import HEAD, VERSION_TABLE, VERSIONS, metadata
from credly_audit.history.troubles import explain_error, quote_driver

log = logging.getLogger(__name__)

SHRINKING_PATIENCE = 3
"""Seconds that freeing space waits for readers; what is to be deleted is deleted by then."""

LOCK = 0x0C4ED17
"""The number of the lock in PostgreSQL that writers hold."""

WAYS_OUT = "or name another history by [history] url, or go without one by --no-history"


class HistoryError(UsageError):
    """The history cannot be used: said before anything is asked of Credly."""


@dataclass(frozen=True, slots=True)
class Database:
    """A history that can be reached and is of the version that this code knows."""

    place: DatabasePlace
    engine: sa.Engine
    writable: bool = True
    is_copy: bool = False
    """A copy is read in place of a file beside which a reader would leave files."""

    @classmethod
    def opened(cls, place: DatabasePlace, *, create: bool) -> "Database | None":
        """Open it, migrated to HEAD; None where there is none yet and none is to be created."""
        file = place.file
        if file is not None and not file.exists():
            if not create:
                return None
            _new_file(file, place)
        with told(place, HistoryError, "cannot be opened", WAYS_OUT):
            database = cls(place, make_postgresql_engine(place.address)) if file is None else cls._in_file(place, file)
            with database.reading() as connection:
                version = _version(connection)
                _must_be_utf8(connection, place)
            if version is None and not create:
                return None
            return database if version == HEAD else database.migrated(version)

    @classmethod
    def _in_file(cls, place: DatabasePlace, file: Path) -> "Database":
        access = find_access(file)
        if access == "copy":
            return cls._copied(place, file)
        return cls(place, make_sqlite_engine(file, access), writable=access == "write")

    @classmethod
    def _copied(cls, place: DatabasePlace, file: Path) -> "Database":
        return cls(place, make_sqlite_engine(copy_of(file), "write"), writable=False, is_copy=True)

    def migrated(self, version: str | None) -> "Database":
        """Create or migrate the tables; where the history cannot be written, those of a copy."""
        if version is not None and version not in VERSIONS:
            raise HistoryError(
                f"the history {self.place.name} is of version {version}; this credly-audit knows {HEAD}: use the one "
                "that wrote it, or a newer one"
            )
        database = self
        if not self.writable and not self.is_copy and self.place.file is not None:
            database = self._copied(self.place, self.place.file)
        with replace(database, writable=True).writing() as connection:
            current = _version(connection)
            if current != HEAD:
                _migrate(connection, current)
        if version is None:
            log.info("a new history is kept %s%s", "" if self.place.file is None else "in ", self.place.name)
        return database

    def must_be_writable(self) -> None:
        """Raise HistoryError where it can only be read: every kind of statement is tried on every table."""
        with self.told(HistoryError, "cannot be written", WAYS_OUT), self.writing() as connection:
            for table in metadata.tables.values():
                column = next(iter(table.c))
                nothing = sa.select(table).where(sa.false())
                connection.execute(sa.insert(table).from_select(list(table.c.keys()), nothing))
                connection.execute(sa.update(table).where(sa.false()).values({column: column}))
                connection.execute(sa.delete(table).where(sa.false()))

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a connection that sees one state of the history, whatever others write meanwhile."""
        with self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(  # noqa: PLW2901 - the same one, told more
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a connection whose transaction overlaps no other writer's: all of it is written, or nothing."""
        if not self.writable:
            raise HistoryError(
                f"the history {self.place.name} cannot be written; allow this user to write the file and its folder, "
                f"{WAYS_OUT}"
            )
        with self.engine.connect().execution_options(writing=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
            yield connection

    def shrink(self) -> str | None:
        """Return the space of what was deleted to the disk; why that was not possible, else None."""
        if self.place.file is None:
            return None
        try:
            with self.engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert driver is not None  # noqa: S101 - it is open
                driver.execute(f"PRAGMA busy_timeout={SHRINKING_PATIENCE * 1000}")
                driver.execute("VACUUM")
                (is_busy, *_) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except (sqlite3.Error, SQLAlchemyError) as error:
            return explain_error(error).cause
        return "another process is reading it" if is_busy else None

    @contextmanager
    def told(self, kind: type[AuditError], what: str, way_out: str) -> Iterator[None]:
        """Raise each error of the database as one line."""
        with told(self.place, kind, what, way_out):
            yield


@contextmanager
def told(place: DatabasePlace, kind: type[AuditError], what: str, way_out: str) -> Iterator[None]:
    """Raise each error of a database as one line: what happened, why, and what to do."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _errors_of_drivers()):
            raise
        found, said = explain_error(error), quote_driver(error)
        for secret in place.address.secrets:
            said = said.replace(secret, "…")
        raise kind(f"the history {place.name} {what} ({found.cause}: {said}); {found.remedy}, {way_out}") from None


def _errors_of_drivers() -> tuple[type[Exception], ...]:
    """Return the drivers' own errors too: SQLAlchemy wraps none that is raised while rows are copied."""
    psycopg = sys.modules.get("psycopg")
    return (SQLAlchemyError, OSError, sqlite3.Error, *([] if psycopg is None else [psycopg.Error]))


def must_be_creatable(place: DatabasePlace) -> None:
    """Raise HistoryError where the tables of a new history cannot be created on a server."""
    database = Database(place, make_postgresql_engine(place.address))
    with database.told(HistoryError, "cannot be created", WAYS_OUT), database.writing() as connection:
        _migrate(connection, _version(connection))
        transaction = connection.get_transaction()
        assert transaction is not None  # noqa: S101 - it was begun
        transaction.rollback()


def _new_file(file: Path, place: DatabasePlace) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise HistoryError(
            f"the history {place.name} cannot be created ({error.strerror}); create its folder, {WAYS_OUT}"
        ) from None


def _must_be_utf8(connection: sa.Connection, place: DatabasePlace) -> None:
    """Raise HistoryError for a PostgreSQL database that cannot hold every text."""
    if connection.dialect.name != "postgresql":
        return
    encoding = connection.execute(sa.text("SHOW server_encoding")).scalar()
    if encoding != "UTF8":
        raise HistoryError(
            f"the history {place.name} cannot be kept in a database with the encoding {encoding}: names and "
            "descriptions of Credly may hold any character; name one made by CREATE DATABASE … ENCODING 'UTF8' "
            "TEMPLATE template0"
        )


FIRST = {
    "audits": ("whole", "fully_seen"),
    "coverage": ("not_judged",),
    "token_states": ("fingerprint_key", "rotated_at"),
    "finding_states": ("first_seen_at", "gone_at"),
}
"""Tables, and some of their columns, by which a history of version 0001 is known: it kept its version in a table that
other programs use, too."""


def _version(connection: sa.Connection) -> str | None:
    """Return the version of the schema; None where there is no history.

    HistoryError where another program has tables of the same names.
    """
    inspector = sa.inspect(connection)
    if inspector.has_table(VERSION_TABLE):
        version: str | None = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 - a name of our own
        return version
    taken = [name for name in metadata.tables if inspector.has_table(name)]
    if set(FIRST) <= set(taken) and all(
        set(columns) <= (there := {each["name"] for each in inspector.get_columns(table)}) and "series" not in there
        for table, columns in FIRST.items()
    ):
        return "0001"
    if taken:
        raise HistoryError(
            f"[history] url: the database has a table `{taken[0]}` of another program; give the history a database "
            "(or, on PostgreSQL, a schema) of its own"
        )
    return None


def _migrate(connection: sa.Connection, version: str | None) -> None:
    from alembic import command  # noqa: PLC0415 - it takes a while to load and is needed once
    from alembic.config import Config  # noqa: PLC0415

    if version == "0001":
        _take_version(connection)
    config = Config()
    config.set_main_option("script_location", "credly_audit.history:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def _take_version(connection: sa.Connection) -> None:
    """Move the version of a history of version 0001 from alembic's usual table into our own."""
    connection.execute(sa.text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(sa.text(f"INSERT INTO {VERSION_TABLE} VALUES ('0001')"))  # noqa: S608 - a name of our own
    if sa.inspect(connection).has_table("alembic_version"):
        versions = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
        if versions == ["0001"]:
            connection.execute(sa.text("DROP TABLE alembic_version"))


def cannot_write(database: Database) -> Any:
    """Raise CannotWrite for an error while writing, such as a full disk or a lost server."""
    way_out = "then add this audit by `credly-audit check SNAPSHOT --record`"
    return database.told(CannotWrite, "could not be written; nothing of this audit is in it", way_out)
