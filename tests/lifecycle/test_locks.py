"""Locks where the file system has none of its own: a file is the lock, taken over from who is known to be gone."""

import errno
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from credly_audit.files.locks import run_lock_name
from credly_audit.lifecycle.tasks import name_lock
from credly_audit.secrets import Secret
from tests.lifecycle.conftest import Bench
from tests.lifecycle.processes import PLANT, ROOT, eventually
from tests.proof import in_proof

COMMANDS = pytest.mark.parametrize("command", ["run", "rotate", "create"])

WITHOUT_LOCKS = """
import errno, fcntl
def flock(*_):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""

OTHERS = {
    "another host": "4711\nelsewhere.example\n123456789\n",
    "another host, of an older version": "4711\nelsewhere.example\n",
    "a container of this host": f"1\n{socket.gethostname()}?pidns-f0000123\n123456789\n",
    "a process that may be another by now": f"{os.getpid()}\n{socket.gethostname()}\n",
}
"""Locks whose holder may be running."""

UNREADABLE = {
    "empty": "",
    "cut": f"4711\n{socket.gethostname()}",
    "garbage": "\0\0\0",
    "no process": f"zero\n{socket.gethostname()}\n",
    "long": "4711\n" + "x" * 5000,
}


def no_lock(*_: object) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@pytest.fixture
def _without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", no_lock)


def words(bench: Bench, command: str) -> list[object]:
    """The command line."""
    if command == "run":
        return ["run", "--no-history", "--fail-on", "never", "--output-dir", "reports"]
    own = ["--organization", bench.acme.id, "--yes", "--emergency-dir", bench.emergency]
    if command == "rotate":
        return ["rotate", *own]
    return [
        "create",
        *own,
        "--fail-on",
        "never",
        "--store",
        "file:stores/new",
        "--description",
        "Badge sync of team CRM",
    ]


def lock_of(bench: Bench, command: str) -> Path:
    config = bench.folder / "credly-audit.toml"
    name = run_lock_name(config) if command == "run" else name_lock(Secret(bench.token.token))
    return bench.folder / "state" / "credly-audit" / "locks" / f"{name}.lock"


def planted(bench: Bench, command: str, text: str) -> Path:
    """The lock as it was left by whoever wrote that."""
    lock = lock_of(bench, command)
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(text)
    return lock


@contextmanager
def going_on(bench: Bench, command: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, with its lock, waiting for an answer."""
    bench.configure(timeout=30)
    bench.sandbox.faults = ["stall@list"]
    process = subprocess.Popen(
        [sys.executable, "-c", WITHOUT_LOCKS + PLANT, *map(str, words(bench, command))],
        cwd=bench.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(lambda: len(bench.sandbox.requests) > 0)
        yield process
    finally:
        process.kill()
        bench.said += process.communicate()
        bench.sandbox.faults = []


@COMMANDS
@pytest.mark.usefixtures("_without_locks")
def test_a_second_one_ends_at_once_and_cannot_break_the_lock(bench: Bench, command: str) -> None:
    with going_on(bench, command) as process:
        asked = len(bench.sandbox.requests)
        for more in ([], ["--break-lock"]):
            told = bench.run(*words(bench, command), *more)
            assert told.code == 2
            assert f"is in progress (process {process.pid} on this mach" in told.err
        assert len(bench.sandbox.requests) == asked


@COMMANDS
@pytest.mark.usefixtures("_without_locks")
@pytest.mark.parametrize("number", [*in_proof("is free"), "is another process's by now"])
def test_the_lock_of_a_process_that_is_gone_is_taken_over(bench: Bench, command: str, number: str) -> None:
    with going_on(bench, command) as process:
        process.kill()
        process.wait()
    lock = lock_of(bench, command)
    if number != "is free":
        _, *rest = lock.read_text().splitlines(keepends=True)
        lock.write_text("".join([f"{os.getpid()}\n", *rest]))

    assert bench.run(*words(bench, command)).code == 0

    assert not lock.exists()


@COMMANDS
@pytest.mark.usefixtures("_without_locks")
@pytest.mark.parametrize("whose", OTHERS)
def test_a_lock_whose_holder_may_be_running_is_left_until_a_person_breaks_it(
    bench: Bench, command: str, whose: str
) -> None:
    lock = planted(bench, command, OTHERS[whose])
    process, host, *_ = OTHERS[whose].split("\n")
    ten_years = time.time() - 10 * 365.25 * 86_400
    os.utime(lock, (ten_years, ten_years))

    told = bench.run(*words(bench, command))

    assert (told.code, bench.sandbox.requests) == (2, [])
    [said] = [line for line in told.err.splitlines() if line.startswith("credly-audit: ")]
    for part in (lock, f"process {process} of host {host.partition('?')[0]}", "3652 days old", "--break-lock"):
        assert str(part) in said
    assert lock.read_text() == OTHERS[whose]

    told = bench.run(*words(bench, command), "--break-lock")
    assert told.code == 0
    assert "the lock was broken because of --break-lock" in told.err
    assert not lock.exists()


@COMMANDS
@pytest.mark.usefixtures("_without_locks")
@pytest.mark.parametrize("text", UNREADABLE)
def test_a_lock_that_cannot_be_read_is_left_until_a_person_breaks_it(bench: Bench, command: str, text: str) -> None:
    lock = planted(bench, command, UNREADABLE[text])

    told = bench.run(*words(bench, command))

    assert (told.code, bench.sandbox.requests) == (2, [])
    assert f"{lock}: the lock indicates that another r" in told.err
    assert "names no process and no host, and is less than a minute old" in told.err
    assert lock.read_text() == UNREADABLE[text]
    assert bench.run(*words(bench, command), "--break-lock").code == 0


@pytest.mark.usefixtures("_without_locks")
@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_however_the_system_says_that_it_has_no_locks(
    bench: Bench, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(fcntl, "flock", flock)
    lock = planted(bench, "rotate", OTHERS["another host"])

    assert bench.run(*words(bench, "rotate")).code == 2
    assert bench.run(*words(bench, "rotate"), "--break-lock").code == 0
    assert not lock.exists()


@COMMANDS
def test_where_the_system_has_locks_a_file_that_was_left_is_in_nobodys_way(bench: Bench, command: str) -> None:
    planted(bench, command, "")

    assert bench.run(*words(bench, command)).code == 0
