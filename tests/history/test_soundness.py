"""Two runs at once, a run killed in the middle, a full disk, damage: the history stays sound, or says what is wrong."""

import logging
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from credly_audit.errors import CannotWrite, ExitCode, UsageError
from credly_audit.history.place import DatabasePlace
from credly_audit.history.schema import HEAD, VERSION_TABLE, metadata
from credly_audit.history.store import History
from tests import needs
from tests.build import audited, snapshot, token
from tests.history.months import Months, when

WRITER = """
import sys
from datetime import timedelta
from pathlib import Path
from credly_audit.errors import AuditError
from credly_audit.history.store import History
from tests.build import audited, snapshot, token
from tests.history.months import when
url, first, audits, tokens = sys.argv[1], *map(int, sys.argv[2:])
history = History.opened(url, Path("/credly-audit.toml"), {}, create=True)
rows = [token(number, description="test") for number in range(tokens)]
months = range(first, first + audits)
judged = [audited(snapshot(rows[: tokens - month], at=when(month)), as_of=when(month)) for month in months]
print("ready", flush=True)
sys.stdin.readline()
try:
    for audit in judged:
        history.record(audit)
        print("recorded", flush=True)
except AuditError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
"""


@contextmanager
def writer(url: str, first: int, audits: int, tokens: int) -> Iterator[subprocess.Popen[str]]:
    """Another process that records audits once it is told to go."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(first), str(audits), str(tokens)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield running


def go(running: subprocess.Popen[str]) -> None:
    assert running.stdin is not None
    running.stdin.write("go\n")
    running.stdin.flush()


def sound(history: History, url: str) -> None:
    """Every state has its subject and its audits, and each subject one latest state."""
    with history.database.reading() as connection:
        for subject in ("token", "finding"):
            told = connection.execute(
                sa.text(
                    f"SELECT count(*), (SELECT count(*) FROM {subject}s) FROM {subject}_states "  # noqa: S608 - our own names
                    "WHERE latest"
                )
            ).one()
            assert told[0] == told[1]
            lost = f"SELECT count(*) FROM {subject}_states WHERE since NOT IN (SELECT id FROM audits)"  # noqa: S608
            assert connection.execute(sa.text(lost)).scalar() == 0
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection_:
            assert connection_.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_two_runs_at_once_are_both_recorded(url: str, history: History) -> None:
    with writer(url, 0, 2, 20) as one, writer(url, 2, 2, 20) as other:
        go(one)
        go(other)
        assert [one.wait(120), other.wait(120)] == [0, 0]

    assert [at.to_pydatetime() for at in history.audits()["as_of"]] == [when(month) for month in range(4)]
    sound(history, url)


def test_two_runs_may_begin_a_history_at_once(url: str, tmp_path: Path) -> None:
    with writer(url, 0, 1, 5) as one, writer(url, 1, 1, 5) as other:
        go(one)
        go(other)
        assert [one.wait(120), other.wait(120)] == [0, 0]
    history = History.opened(url, tmp_path / "credly-audit.toml", {}, create=False)
    assert history is not None
    assert len(history.audits()) == 2


def test_a_run_killed_in_the_middle_leaves_what_was_there(url: str, history: History) -> None:
    Months(history).audit(0, [token(1)])
    killed = 0
    for attempt in range(2):
        with writer(url, 1, 1, 1_500) as running:
            go(running)
            time.sleep(0.02 + 0.15 * attempt)
            running.send_signal(signal.SIGKILL)
            assert running.stdout is not None
            finished = "recorded" in running.stdout.read()
        killed += not finished
        count = len(history.audits())
        assert count in ({2} if finished else {1, 2})
        sound(history, url)
        history.purge(None)
        Months(history).audit(0, [token(1)])
    assert killed
    Months(history).audit(1, [token(1)])
    assert len(history.audits()) == 2


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with needs.small_disk(disk, "400k"):
        fills_up(disk)


def fills_up(disk: Path) -> None:
    history = History.opened("sqlite:///history.sqlite", disk / "credly-audit.toml", {}, create=True)
    assert history is not None
    months = Months(history)
    months.audit(0, [token(1, description="test")])
    many = audited(snapshot([token(number, description=None) for number in range(3_000)], at=when(1)), as_of=when(1))
    with pytest.raises(CannotWrite) as told:
        history.record(many)
    assert str(told.value).startswith(
        f"the history {disk}/history.sqlite could not be written; nothing of this audit is in it "
        "(the disk is full: database or disk is full); free space on it, then add this audit by "
    )

    assert len(history.audits()) == 1
    sound(history, f"sqlite:///{disk}/history.sqlite")
    months.audit(2, [token(1, description="test")])
    assert history.audits()["persisting"].tolist() == [0, 1]


def test_the_file_is_its_owners_alone_and_its_beginning_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "credly_audit")
    for _ in range(2):
        history = History.opened("sqlite:///new/folder/history.sqlite", tmp_path / "credly-audit.toml", {}, create=True)
        assert history is not None
        with history.database.writing():
            files = list((tmp_path / "new" / "folder").iterdir())
            assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert [record.message for record in caplog.records if "history" in record.message] == [
        f"a new history is kept in {tmp_path}/new/folder/history.sqlite"
    ]


def test_no_history_is_begun_where_none_is_to_be(url: str, tmp_path: Path) -> None:
    assert History.opened(url, tmp_path / "credly-audit.toml", {}, create=False) is None
    assert not list(tmp_path.glob("history.sqlite*"))


@pytest.mark.parametrize("bytes_", [b"this is no database" * 400, b"SQLite format 3\0" + b"\7" * 9_000])
def test_a_damaged_file_is_one_line(tmp_path: Path, bytes_: bytes) -> None:
    (tmp_path / "history.sqlite").write_bytes(bytes_)
    with pytest.raises(UsageError) as told:
        History.opened("sqlite:///history.sqlite", tmp_path / "credly-audit.toml", {}, create=True)
    assert re.fullmatch(
        r"the history \S+history.sqlite cannot be opened \(.+: .+\); .+, or name another history by .+", str(told.value)
    )


def test_a_page_that_was_overwritten_is_one_line(tmp_path: Path) -> None:
    history = History.opened("sqlite:///history.sqlite", tmp_path / "credly-audit.toml", {}, create=True)
    assert history is not None
    Months(history).audit(0, [token(number, description="test") for number in range(300)])
    file = tmp_path / "history.sqlite"
    content = bytearray(file.read_bytes())
    content[3 * 4096 :] = b"\xff" * (len(content) - 3 * 4096)
    file.write_bytes(content)
    said = r"^the history .+ cannot be (read|opened) \(it is damaged: .+\); restore a backup"
    with pytest.raises(Exception, match=said):  # noqa: PT012 - it is told when it is opened, or read
        again = History.opened("sqlite:///history.sqlite", tmp_path / "credly-audit.toml", {}, create=True)
        assert again is not None
        with again.past(when(1)):
            pass


def test_a_newer_version_is_refused(url: str, tmp_path: Path, history: History) -> None:
    with history.database.writing() as connection:
        connection.execute(sa.text("UPDATE credly_audit_version SET version_num = '9999'"))
    with pytest.raises(
        UsageError, match=rf"^the history \S+ .*is of version 9999; this credly-audit knows {HEAD}: use"
    ):
        History.opened(url, tmp_path / "credly-audit.toml", {}, create=True)


def test_the_migrations_make_the_tables_that_the_code_knows(history: History) -> None:
    with history.database.reading() as connection:
        migrations = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(migrations, metadata) == []


def test_a_server_that_does_not_answer_is_one_line_without_its_password(tmp_path: Path) -> None:
    address = "postgresql://audit:MADE-UP-password@127.0.0.1:1/audits"
    with pytest.raises(UsageError) as told:
        History.opened("env:AUDIT_HISTORY", tmp_path / "credly-audit.toml", {"AUDIT_HISTORY": address}, create=True)
    assert str(told.value).startswith("the history at env:AUDIT_HISTORY cannot be opened (")
    assert "MADE-UP" not in str(told.value)
    assert "MADE-UP" not in repr(DatabasePlace.of(address, tmp_path, {}))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://host/audits", "names a mysql database; the history can be in SQLite or PostgreSQL"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("env:AUDIT_HISTORY", "what env:AUDIT_HISTORY holds is not an address"),
        ("env:NOT_SET", "environment variable NOT_SET is not set"),
        ("sqlite:////proc/nowhere/history.sqlite", "cannot be created"),
    ],
)
def test_an_address_that_cannot_be_used_is_one_line(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(UsageError) as told:
        History.opened(url, tmp_path / "credly-audit.toml", {"AUDIT_HISTORY": "MADE-UP words"}, create=True)
    assert said in str(told.value)
    assert "MADE-UP" not in str(told.value)
    assert told.value.exit_code == ExitCode.USAGE


def test_hostile_text_is_kept(history: History) -> None:
    rows = [token(1, description="a\0b 'DROP TABLE tokens; -- \U0001f600 \u202e \\N\t\n")]
    months = Months(history)
    months.audit(0, rows, disable=["EXP"])
    months.audit(1, rows, disable=["EXP"])
    hidden = months.audit(2, [], disable=["EXP"])
    assert hidden.compared is not None
    assert len(history.audits()) == 3
