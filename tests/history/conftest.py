"""The same tests over SQLite and over a PostgreSQL that they start themselves."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from credly_audit.history.store import History
from tests import needs


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The folder of a private server's socket; root starts the server as the user `postgres`."""
    initdb, control = needs.program("initdb"), needs.program("pg_ctl")
    who = needs.as_user("postgres") if os.getuid() == 0 else []
    with needs.common_folder("pg-") as folder:
        if who:
            shutil.chown(folder, "postgres")
        data = str(folder / "data")
        _run(*who, initdb, "-D", data, "-U", "audit", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale")
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=20"
        _run(*who, control, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield str(folder)
        finally:
            _run(*who, control, "-D", data, "-w", "-m", "immediate", "stop")


def _run(*words: str) -> None:
    """What is said is not kept: the server that `pg_ctl` starts goes on, and would hold a pipe open."""
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a history of the test's own can begin."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/history.sqlite"
    folder = request.getfixturevalue("postgresql")
    name = f"h{os.urandom(6).hex()}"
    with psycopg.connect(f"host={folder} user=audit dbname=postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    return f"postgresql://audit@/{name}?host={folder}"


@pytest.fixture
def reopened(url: str, tmp_path: Path) -> Callable[[], History]:
    """Open the test's history, as another run would."""

    def open_it() -> History:
        history = History.opened(url, tmp_path / "credly-audit.toml", {}, create=True)
        assert history is not None
        return history

    return open_it


@pytest.fixture
def history(reopened: Callable[[], History]) -> History:
    """A history that has just begun."""
    return reopened()


Open = Callable[..., History]


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Open:
    """Open the test's history for a configuration file, which is made, or for one that is not there."""

    def open_it(file: str, name: str | None = None, *, there: bool = True, create: bool = True) -> History:
        path = tmp_path / file
        if there:
            path.parent.mkdir(exist_ok=True)
            path.touch()
        history = History.opened(url, path, {}, name=name, create=create)
        assert history is not None
        return history

    return open_it
