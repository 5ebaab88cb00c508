"""What a driver's error means, and what to do about it: every failure of a database is told in one sentence."""

import re
import sqlite3
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

MOST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happened, and what to do."""

    cause: str
    remedy: str


IN_USE = Trouble("another process is using it", "try again when that has ended")
NOT_WRITABLE = Trouble("it cannot be written", "allow this user to write the file and its folder")
ALTERED = Trouble(
    "its tables are not as credly-audit made them",
    "restore a backup, or move it away and record the earlier snapshots again (docs/history.md)",
)
DAMAGED = Trouble(
    "it is damaged",
    "restore a backup, or move it away and record the earlier snapshots again (docs/history.md)",
)
DISK_FULL = Trouble("the disk is full", "free space on it")
NO_MEMORY = Trouble("memory ran out", "give the process or the server more memory")
UNREACHABLE = Trouble("the connection failed or was lost", "check that the server runs and can be reached")
STOPPED = Trouble("the server is stopping, starting or was restarted", "try again when it runs")
NO_RIGHTS = Trouble(
    "the user has no right to do that",
    "grant SELECT, INSERT, UPDATE and DELETE on the tables of the history; to create and update them, CREATE on the "
    "schema and ownership of the tables",
)
REFUSED = Trouble("the server refuses the user or the password", "check both, and pg_hba.conf on the server")
CANCELLED = Trouble(
    "the server cancelled a statement",
    "raise statement_timeout for the user of the history, or try again when the server is less busy",
)
READ_ONLY = Trouble("the server is read-only", "name the primary server, not a standby")
COLLIDED = Trouble("another transaction was in the way", "try again")
NO_DATABASE = Trouble(
    "the server has no database of that name", "create it (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0)"
)
TOO_MANY = Trouble("the server has too many connections", "try again, or raise max_connections")
BAD_OPTION = Trouble("an option of the address is not one of PostgreSQL's", "correct what stands after `?` in it")
UNKNOWN = Trouble("the database refused a statement", "check the database and its log")

SQLITE = {
    sqlite3.SQLITE_FULL: DISK_FULL,
    sqlite3.SQLITE_IOERR: Trouble("the disk cannot be read or written", "check the disk or the network drive"),
    sqlite3.SQLITE_BUSY: IN_USE,
    sqlite3.SQLITE_LOCKED: IN_USE,
    sqlite3.SQLITE_PROTOCOL: IN_USE,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble("it is not an SQLite database", "name another file"),
    sqlite3.SQLITE_READONLY: NOT_WRITABLE,
    sqlite3.SQLITE_PERM: NOT_WRITABLE,
    sqlite3.SQLITE_AUTH: NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: Trouble("the file cannot be opened", "check its path and the permissions of its folder"),
    sqlite3.SQLITE_NOMEM: NO_MEMORY,
    sqlite3.SQLITE_ERROR: ALTERED,
    sqlite3.SQLITE_SCHEMA: ALTERED,
    sqlite3.SQLITE_CONSTRAINT: ALTERED,
}
"""By SQLite's primary result codes."""

POSTGRESQL = {
    "53100": DISK_FULL,
    "53200": NO_MEMORY,
    "53300": TOO_MANY,
    "53400": DISK_FULL,
    "57014": CANCELLED,
    "57P": STOPPED,
    "08": UNREACHABLE,
    "28": REFUSED,
    "42501": NO_RIGHTS,
    "42": ALTERED,
    "23": ALTERED,
    "3D000": NO_DATABASE,
    "3F000": Trouble("no schema is selected", "create one, or set search_path for the user"),
    "25006": READ_ONLY,
    "25": Trouble("the server ended the session", "raise idle_in_transaction_session_timeout for the user"),
    "55P03": IN_USE,
    "40": COLLIDED,
    "XX": DAMAGED,
    "58": Trouble("the server's disk cannot be read or written", "check the disk of the server"),
}
"""By PostgreSQL's SQLSTATE, or its beginning: the longest that fits counts."""

CONNECTING = {
    r'database ".*" does not exist': NO_DATABASE,
    r'role ".*" does not exist|authentication failed|pg_hba\.conf|no password supplied': REFUSED,
    r"starting up|shutting down|recovery mode": STOPPED,
    r"too many (clients|connections)|remaining connection slots": TOO_MANY,
}
"""By what a server says that refuses a connection: libpq gives no SQLSTATE then."""


def explain_error(error: BaseException) -> Trouble:
    """Return what an error of a driver, or of the operating system, means."""
    driver = find_driver_error(error)
    if isinstance(driver, sqlite3.Error):
        return SQLITE.get(getattr(driver, "sqlite_errorcode", 0) & 0xFF, UNKNOWN)
    if isinstance(driver, OSError):
        return Trouble("the file cannot be read or written", "check its path and permissions")
    state = getattr(driver, "sqlstate", None)
    if state is None:
        return _explain_no_connection(driver)
    return next((POSTGRESQL[state[:end]] for end in (5, 3, 2) if state[:end] in POSTGRESQL), UNKNOWN)


def _explain_no_connection(driver: BaseException) -> Trouble:
    """Return what it means that there was no connection, or is none any more."""
    if type(driver).__name__ == "ProgrammingError":
        return BAD_OPTION
    if type(driver).__name__ not in {"OperationalError", "ConnectionTimeout"}:
        return UNKNOWN
    said = str(driver)
    return next((found for pattern, found in CONNECTING.items() if re.search(pattern, said)), UNREACHABLE)


def find_driver_error(error: BaseException) -> BaseException:
    """Return the driver's own error."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def quote_driver(error: BaseException) -> str:
    """Return the driver's own words on one line: no statement, no row, nothing that stands in an address."""
    driver = find_driver_error(error)
    if isinstance(driver, OSError):
        return driver.strerror or type(driver).__name__
    if isinstance(driver, SQLAlchemyError):
        return type(driver).__name__
    diagnosis = getattr(driver, "diag", None)
    said = getattr(diagnosis, "message_primary", None) or str(driver)
    return " ".join(said.split())[:MOST_WORDS] or type(driver).__name__
