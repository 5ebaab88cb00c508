"""What SQLite says of a file, as it says it, and what that comes to."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from credly_audit.history.troubles import explain_error, quote_driver


def is_busy(file: Path) -> None:
    with sqlite3.connect(file, isolation_level=None) as other, sqlite3.connect(file, timeout=0) as connection:
        other.execute("BEGIN IMMEDIATE")
        connection.execute("BEGIN IMMEDIATE")


def is_full(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA max_page_count=3")
        connection.execute("INSERT INTO t VALUES (?)", ["x" * 100_000])


def is_damaged(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(100)
        opened.write(b"\xff" * 900)
    sqlite3.connect(file).execute("SELECT * FROM t").fetchall()


def is_no_database(file: Path) -> None:
    file.write_bytes(b"a text" * 1_000)
    sqlite3.connect(file).execute("SELECT * FROM t")


def is_read_only(file: Path) -> None:
    sqlite3.connect(f"file:{file}?mode=ro", uri=True).execute("INSERT INTO t VALUES (1)")


def is_a_folder(file: Path) -> None:
    sqlite3.connect(file.parent)


def lacks_a_table(file: Path) -> None:
    sqlite3.connect(file).execute("SELECT * FROM gone")


def lacks_a_column(file: Path) -> None:
    sqlite3.connect(file).execute("SELECT gone FROM t")


CASES: dict[Callable[[Path], None], tuple[str, str]] = {
    is_busy: ("another process is using it", "try again when that has ended"),
    is_full: ("the disk is full", "free space on it"),
    is_damaged: ("it is damaged", "restore a backup, or move it away and record the earlier snapshots again"),
    is_no_database: ("it is not an SQLite database", "name another file"),
    is_read_only: ("it cannot be written", "allow this user to write the file and its folder"),
    is_a_folder: ("the file cannot be opened", "check its path and the permissions of its folder"),
    lacks_a_table: ("its tables are not as credly-audit made them", "restore a backup"),
    lacks_a_column: ("its tables are not as credly-audit made them", "restore a backup"),
}


@pytest.mark.parametrize("failing", CASES, ids=lambda failing: failing.__name__)
@pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning")
def test_each_failure_of_a_file_has_its_cause_and_its_remedy(tmp_path: Path, failing: Callable[[Path], None]) -> None:
    file = tmp_path / "t.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE t (a)")
    connection.close()
    cause, remedy = CASES[failing]
    with pytest.raises(sqlite3.Error) as raised:
        failing(file)

    found = explain_error(raised.value)
    assert (found.cause, found.remedy[: len(remedy)]) == (cause, remedy)
    assert quote_driver(raised.value) == str(raised.value)
