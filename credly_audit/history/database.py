"""Where the history is and how it is opened: SQLite in the user's state directory, or whatever `[history] url` names.

Every fault of a database becomes one line that names the history and shows no address with a password in it.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from credly_audit.errors import AuditError, CannotWrite, UsageError
from credly_audit.extras import MissingExtra, must_have
from credly_audit.files.paths import BadPath, local_path, state_folder
from credly_audit.history.schema import HEAD, VERSION_TABLE, metadata
from credly_audit.secrets import is_reference, read, shown

log = logging.getLogger(__name__)

FILE = "history.sqlite"

PATIENCE = 120
"""Seconds that a run waits for another one that writes."""

SHRINKING_PATIENCE = 3
"""Seconds that freeing space waits for readers; what is to be deleted is deleted by then."""

LOCK = 0x0C4ED17
"""The number of the lock in PostgreSQL that writers hold."""

WAYS_OUT = "mend that, name another by [history] url, or go without by --no-history"


class HistoryError(UsageError):
    """The history cannot be read: said before anything is asked of Credly."""


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """Where a history is; `name` is how it is called, without a password."""

    url: URL
    name: str

    @classmethod
    def of(cls, url: str | None, folder: Path, environ: Mapping[str, str]) -> "Place":
        """What `[history] url` says: an SQLAlchemy URL, or where one is; None: a file in the state directory.

        UsageError where it is none, or of a kind that cannot hold a history. A relative path begins at `folder`.
        """
        if url is None:
            return cls._in_file(str(state_folder() / FILE), folder)
        known = shown(url) if is_reference(url) else None
        try:
            parsed = make_url(read(url, folder, environ).reveal() if known else url)
        except (ArgumentError, ValueError):
            raise UsageError(
                f"[history] url: what {known or 'it'} says is no address such as "
                "sqlite:////var/lib/audit/history.sqlite or postgresql://user:password@host/database"
            ) from None
        if parsed.get_backend_name() == "sqlite":
            if parsed.database in {None, "", ":memory:"} or str(parsed.database).startswith("file:"):
                raise UsageError("[history] url: names no file; write sqlite:///PATH")
            return cls._in_file(str(parsed.database), folder)
        if parsed.get_backend_name() == "postgresql":
            must_have("postgresql", "[history] url: PostgreSQL")
            parsed = parsed.set(drivername="postgresql+psycopg")
            return cls(parsed, f"at {known or parsed.host or 'the local PostgreSQL'}")
        raise UsageError(f"[history] url: {parsed.get_backend_name()} cannot hold it; SQLite and PostgreSQL can")

    @classmethod
    def _in_file(cls, name: str, folder: Path) -> "Place":
        try:
            path = local_path(name, folder)
        except BadPath as error:
            raise UsageError(f"[history] url: {error}") from None
        return cls(URL.create("sqlite", database=str(path)), str(path))

    @property
    def file(self) -> Path | None:
        """The file of an SQLite history."""
        return Path(self.url.database or "") if self.url.get_backend_name() == "sqlite" else None


@dataclass(frozen=True, slots=True)
class Database:
    """A history that can be reached and is of the version that this code knows."""

    place: Place
    engine: sa.Engine

    @classmethod
    def opened(cls, place: Place, *, create: bool) -> "Database | None":
        """Open it, migrated to HEAD; None where there is none yet and none is to be created."""
        file = place.file
        if file is not None and not file.exists():
            if not create:
                return None
            _new_file(file, place)
        database = cls(place, _engine(place))
        with database.told(HistoryError, "cannot be opened"):
            return database if database.made_ready(create=create) else None

    def made_ready(self, *, create: bool) -> bool:
        """Create or migrate what needs it; whether there is a history now."""
        with self.reading() as connection:
            version = _version(connection)
        if version is None and not create:
            return False
        if version is not None and version > HEAD:
            raise HistoryError(
                f"the history {self.place.name} is of version {version}; this credly-audit knows {HEAD}: use the one "
                "that wrote it, or a newer one"
            )
        if version != HEAD:
            with self.writing() as connection:
                current = _version(connection)
                if current != HEAD:
                    _migrate(connection, current)
                    if version is None:
                        log.info(
                            "a new history is kept %s%s", "" if self.place.file is None else "in ", self.place.name
                        )
        return True

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees one state of the history, whatever others write meanwhile."""
        with self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection = connection.execution_options(  # noqa: PLW2901 - the same one, told more
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A connection whose transaction no other writer's overlaps: all of it is written, or nothing."""
        with self.engine.connect().execution_options(writing=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
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
            return self._why(error)
        return "another process is reading it" if is_busy else None

    @contextmanager
    def told(self, kind: type[AuditError], what: str) -> Iterator[None]:
        """Whatever the database does not like becomes one line."""
        try:
            yield
        except AuditError:
            raise
        except (SQLAlchemyError, OSError) as error:
            raise kind(f"the history {self.place.name} {what} ({self._why(error)}); {WAYS_OUT}") from None

    def _why(self, error: BaseException) -> str:
        """The driver's own words on one line, without the password."""
        driver = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(driver, sqlite3.Error) or (driver is not None and driver is not error):
            words = " ".join(str(driver).split()) or type(driver).__name__
            password = self.place.url.password
            return (words.replace(str(password), "…") if password else words)[:300]
        return error.strerror or "" if isinstance(error, OSError) else type(error).__name__


def _new_file(file: Path, place: Place) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
    except OSError as error:
        raise HistoryError(f"the history {place.name} cannot be created ({error.strerror}); {WAYS_OUT}") from None


def _engine(place: Place) -> sa.Engine:
    try:
        if place.file is None:
            return sa.create_engine(
                place.url, poolclass=sa.NullPool, hide_parameters=True, connect_args={"connect_timeout": 15}
            )
        engine = sa.create_engine(
            place.url, poolclass=sa.NullPool, hide_parameters=True, connect_args={"timeout": PATIENCE}
        )
    except (ImportError, NoSuchModuleError):
        raise MissingExtra("postgresql", "[history] url: PostgreSQL") from None
    sa.event.listen(engine, "connect", _tune)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _tune(connection: Any, _record: Any) -> None:
    """Transactions are ours to begin, readers do not wait for a writer, and what is deleted is overwritten."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "cache_size=-65536"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


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
        set(columns) <= {each["name"] for each in inspector.get_columns(table)} for table, columns in FIRST.items()
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
    """Faults while writing: the disk is full, the server has gone."""
    return database.told(CannotWrite, "could not be written; nothing of this audit is in it")
