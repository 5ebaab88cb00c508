"""Locks: one run of a configuration, and one rotation of a credential, at a time.

The operating system releases a lock together with its process. Where the file system has no such locks (some network
shares), the lock is a file that names process and host of its holder. It is taken over when that process is known to be
gone: a process of this host that does not run any more, or whose number is another process's by now. The age of a lock
proves nothing. One of another host, and one that cannot be read, stay until a person says --break-lock.
"""

import hashlib
import logging
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import sleep, time
from typing import Self

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from credly_audit.errors import UsageError
from credly_audit.files.paths import NoStateFolder, make_folder, state_folder

log = logging.getLogger(__name__)

TRIES = 3
"""A file of a process that is gone is removed by the first try, and taken by the next one."""

LONGEST_RECORD = 1024

RECORD = re.compile(r"(?P<process>[1-9][0-9]{0,9})\n(?P<host>[!-~]+)\n(?:(?P<began>[0-9]+)\n)?")
"""What filelock writes into a lock that is a file; one that was cut short is none."""


class AlreadyRunning(UsageError):  # noqa: N818 - named as it is told
    """Another run holds the lock, or may hold it; nothing was asked."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock, as far as its file says."""

    process: int | None
    host: str | None
    age: float
    """Seconds since the file was written."""
    is_known: bool = False
    """Whether the file says when the process began, so that another one of its number is told from it."""

    @classmethod
    def of(cls, file: Path) -> Self:
        """Read the file; OSError where it is gone."""
        age = max(0.0, time() - file.lstat().st_mtime)
        with file.open("rb") as opened:
            record = RECORD.fullmatch(opened.read(LONGEST_RECORD).decode("ascii", "replace"))
        if record is None:
            return cls(None, None, age)
        return cls(int(record["process"]), record["host"], age, is_known=record["began"] is not None)

    def __str__(self) -> str:
        if self.host is None:
            return f"its file names no process and no host, and is {_format_age(self.age)} old"
        host, _, container = self.host.partition("?pidns-")
        where = f"{host} (in a container)" if container else host
        return f"it is held by process {self.process} of host {where} and is {_format_age(self.age)} old"


@contextmanager
def alone(config: Path, *, break_lock: bool = False) -> Iterator[None]:
    """Hold the lock of this configuration; AlreadyRunning at once where another run has it.

    Where no lock can be held, that is said and the run goes on.
    """
    with ExitStack() as held:
        try:
            doing = f"another run of {config} is in progress"
            held.enter_context(_hold_lock(run_lock_name(config), doing, break_lock=break_lock))
        except NoStateFolder as error:
            log.warning("no lock can be acquired, so two runs could overlap: %s", error)
        except OSError as error:
            log.warning(
                "%s: no lock can be acquired there (%s), so two runs could overlap; set XDG_STATE_HOME to a persistent "
                "folder",
                _find_lock_folder(),
                error.strerror,
            )
        yield


def run_lock_name(config: Path) -> str:
    """Return a configuration's own name here, however its path is written."""
    return f"run-{hashlib.sha256(str(config.resolve()).encode()).hexdigest()[:32]}"


@contextmanager
def hold_locks(names: Iterable[str], *, break_lock: bool = False) -> Iterator[None]:
    """Hold the locks of these credentials, or of none; AlreadyRunning at once where another run has one of them."""
    doing = "another rotation with this credential is in progress"
    with ExitStack() as held:
        for name in sorted(set(names)):
            try:
                held.enter_context(_hold_lock(name, doing, break_lock=break_lock))
            except OSError as error:
                raise UsageError(
                    f"{_find_lock_folder()}: no lock can be acquired there ({error.strerror}); change its permissions"
                ) from None
        yield


def is_held(name: str) -> bool:
    """Return whether a run that goes on right now has it, or may have it."""
    if not _make_lock_path(name).exists():
        return False
    try:
        with hold_locks([name]):
            return False
    except UsageError:
        return True


@contextmanager
def _hold_lock(name: str, doing: str, *, break_lock: bool) -> Iterator[None]:
    """Hold one lock. AlreadyRunning, or OSError where none can be held."""
    file = _make_lock_path(name)
    make_folder(file.parent)
    if _has_locks(file.parent):
        lock: BaseFileLock = FileLock(file, timeout=0, mode=0o600)
        try:
            lock.acquire()
        except Timeout:
            raise AlreadyRunning(
                f"{doing} (on this machine): no request was sent; run the command again when it has ended"
            ) from None
    else:
        lock = _acquire_lock(file, doing, break_lock=break_lock)
    try:
        yield
    finally:
        lock.release()


def _acquire_lock(file: Path, doing: str, *, break_lock: bool) -> BaseFileLock:
    """Acquire a lock that is a file, where the file system has no others."""
    lock = SoftFileLock(file, timeout=0, mode=0o600)
    for _ in range(TRIES):
        with suppress(Timeout):
            lock.acquire()
            return lock
        sleep(0.01)
        try:
            holder = Holder.of(file)
        except OSError:
            continue
        if holder.is_known and holder.host == _name_host():
            raise AlreadyRunning(
                f"{doing} (process {holder.process} on this machine): no request was sent; run the command again when "
                "it has ended"
            )
        if not break_lock:
            raise AlreadyRunning(
                f"{file}: the lock indicates that {doing}: {holder}: no request was sent; if that run has ended, run "
                "again with --break-lock"
            )
        log.warning("%s: the lock was broken because of --break-lock: %s", file, holder)
        file.unlink(missing_ok=True)
    raise AlreadyRunning(f"{doing}: no request was sent; run the command again when it has ended")


def _has_locks(folder: Path) -> bool:
    """Return whether the system locks files there; a file that no other process knows is not locked by another one."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows, which locks files everywhere
    except ImportError:
        return True
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


def _name_host() -> str | None:
    """Return what a lock of this process calls its host."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lock"
        with SoftFileLock(file, timeout=0):
            return Holder.of(file).host


def _format_age(seconds: float) -> str:
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        many = int(seconds / length)
        if many:
            return f"{many} {unit}{'' if many == 1 else 's'}"
    return "less than a minute"


def _find_lock_folder() -> Path:
    return state_folder() / "locks"


def _make_lock_path(name: str) -> Path:
    return _find_lock_folder() / f"{name}.lock"
