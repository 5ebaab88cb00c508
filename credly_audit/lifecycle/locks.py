"""One rotation of a credential at a time on this machine, whichever configuration or fingerprint key it has."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from credly_audit.errors import UsageError
from credly_audit.places import NoStateFolder, state_folder
from credly_audit.secrets import Secret


class Taken(UsageError):  # noqa: N818 - named as it is told
    """Another run holds the lock; nothing was asked."""


def lock_name(value: Secret) -> str:
    """A credential's own name here; not a fingerprint, so that it can be compared with none in a report."""
    return hashlib.sha256(b"credly-audit lock\0" + value.reveal().encode()).hexdigest()[:32]


@contextmanager
def holding(names: Iterable[str]) -> Iterator[None]:
    """Hold the locks of these credentials, or of none; Taken at once where another run has one of them."""
    with ExitStack() as held:
        for name in sorted(set(names)):
            held.enter_context(_held(name))
        yield


def is_held(name: str) -> bool:
    """Whether a run that goes on right now has it."""
    try:
        if not _file(state_folder() / "locks", name).exists():
            return False
        with _held(name):
            return False
    except NoStateFolder:
        return False
    except Taken:
        return True


@contextmanager
def _held(name: str) -> Iterator[None]:
    folder = state_folder() / "locks"
    lock = FileLock(_file(folder, name), timeout=0)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise Taken(
            "another rotation with this credential is going on right now (on this machine): nothing was asked; run "
            "again when it has ended"
        ) from None
    except OSError as error:
        raise UsageError(f"{folder}: no lock can be held there ({error.strerror}); mend its permissions") from None
    try:
        yield
    finally:
        lock.release()


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.lock"
