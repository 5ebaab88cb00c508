"""The same tests over SQLite and over a PostgreSQL that they start themselves."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from credly_audit.history.store import History

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The folder of a private server's socket."""
    found = next((folder for folder in PROGRAMS if (folder / "initdb").exists()), None) or (
        Path(initdb).parent if (initdb := shutil.which("initdb")) else None
    )
    if found is None:
        pytest.skip("PostgreSQL's programs are not installed")
    who = []
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        if os.getuid() == 0:
            if shutil.which("setpriv") is None or "postgres" not in {each.pw_name for each in pwd.getpwall()}:
                pytest.skip("PostgreSQL does not run as root, and there is no user postgres to run it as")
            who = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(folder, "postgres")
        data = f"{folder}/data"
        subprocess.run(
            [*who, found / "initdb", "-D", data, "-U", "audit", "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd="/",
        )
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=20"
        control = [*who, found / "pg_ctl", "-D", data, "-w"]
        subprocess.run(
            [*control, "-l", f"{folder}/log", "-o", options, "start"], check=True, stdout=subprocess.DEVNULL, cwd="/"
        )
        try:
            yield folder
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/")


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
