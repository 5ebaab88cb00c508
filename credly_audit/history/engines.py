"""How connections to a history are made: to a file that may or may not be written, and to a PostgreSQL server."""

import atexit
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL

from credly_audit.config.database_address import DatabaseAddress
from credly_audit.process.extras import MissingExtra

PATIENCE = 120
"""Seconds that a run waits for another one that writes."""

Access = Literal["write", "read", "immutable", "copy"]

JOURNALS = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a file while it is in use, by the ends of the names."""

COPIES, PAUSE = 10, 0.2
"""How often, and after how many seconds, a file that changes while it is copied is copied again."""

WRITING = ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON")
"""Readers do not wait for a writer, and what is deleted is overwritten."""


def find_access(file: Path) -> Access:
    """Return how the file of a history can be opened so that nothing stays beside it.

    In WAL mode even readers need files beside it. Where these cannot be written they must be there already; a file
    that no one can write is read as it is; any other is read from a copy, since a reader would leave its files behind.
    """
    beside = {suffix: Path(f"{file}{suffix}") for suffix in JOURNALS}
    there = {suffix for suffix, path in beside.items() if path.exists()}
    file_can, folder_can = _can_write(file), _can_write(file.parent)
    if file_can and folder_can and all(_can_write(beside[suffix]) for suffix in there):
        return "write"
    if {"-wal", "-shm"} <= there:
        return "read"
    return "copy" if file_can or folder_can or there else "immutable"


def _can_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def copy_of(file: Path) -> Path:
    """Return a copy of a file, with what is beside it, that no one else can read and that ends with this process."""
    folder = tempfile.mkdtemp(prefix="credly-audit-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copied = Path(folder) / file.name
    for _ in range(COPIES):
        before = _read_states(file)
        for suffix in ("", "-wal", "-journal"):
            Path(f"{copied}{suffix}").unlink(missing_ok=True)
            if before[suffix] is not None:
                shutil.copyfile(f"{file}{suffix}", f"{copied}{suffix}")
        if _read_states(file) == before:
            return copied
        time.sleep(PAUSE)
    raise TimeoutError(0, "it is being written all the time")


def _read_states(file: Path) -> dict[str, tuple[int, int] | None]:
    states: dict[str, tuple[int, int] | None] = {}
    for suffix in ("", "-wal", "-journal"):
        path = Path(f"{file}{suffix}")
        state = path.stat() if path.exists() else None
        states[suffix] = (state.st_mtime_ns, state.st_size) if state else None
    return states


def make_sqlite_engine(file: Path, access: Access) -> sa.Engine:
    """Return what connects to the file of a history."""
    url = URL.create("sqlite", database=str(file))
    if access != "write":
        query = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if access == "immutable" else {})
        url = URL.create("sqlite", database=f"file:{quote(str(file.absolute()))}", query=query)
    engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True, connect_args={"timeout": PATIENCE})
    sa.event.listen(engine, "connect", _set_up_connection)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _set_up_connection(connection: Any, _record: Any) -> None:
    """Set up a new connection so that transactions begin only where this code begins them."""
    connection.isolation_level = None
    connection.execute("PRAGMA cache_size=-65536")


def _begin(connection: sa.Connection) -> None:
    if not connection.get_execution_options().get("writing", False):
        connection.exec_driver_sql("BEGIN")
        return
    for pragma in WRITING:
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def make_postgresql_engine(address: DatabaseAddress) -> sa.Engine:
    """Return what connects to a PostgreSQL server, or to a pool before one: no statement is prepared on the server."""
    ours = {"connect_timeout": "15", "application_name": "credly-audit"}
    given = ours | address.connection | {"client_encoding": "UTF8", "prepare_threshold": None}
    try:
        return sa.create_engine(
            "postgresql+psycopg://",
            poolclass=sa.NullPool,
            hide_parameters=True,
            connect_args=given,
            use_native_hstore=False,
        )
    except ImportError:
        raise MissingExtra("postgresql", "[history] url: PostgreSQL") from None
