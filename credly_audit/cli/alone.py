"""One run of a configuration at a time on this machine: a run that outlasts its month does not meet the next one."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from credly_audit.errors import UsageError
from credly_audit.places import NoStateFolder, state_folder

log = logging.getLogger(__name__)


class AlreadyRunning(UsageError):  # noqa: N818 - named as it is told
    """Another run of the configuration goes on; this one asked nothing."""


@contextmanager
def alone(config: Path) -> Iterator[None]:
    """While no other run of this configuration goes on; AlreadyRunning at once where one does.

    The lock ends with its process, however that ends. Where none can be held, that is said and the run goes on.
    """
    name = hashlib.sha256(str(config.resolve()).encode()).hexdigest()[:32]
    try:
        folder = state_folder() / "locks"
    except NoStateFolder as error:
        log.warning("no lock can be held, so two runs could meet: %s", error)
        yield
        return
    lock = FileLock(folder / f"run-{name}.lock", timeout=0, mode=0o600)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise AlreadyRunning(
            f"another run of {config} is going on (on this machine): nothing was asked; run again when it has ended"
        ) from None
    except OSError as error:
        log.warning(
            "%s: no lock can be held there (%s), so two runs could meet; set XDG_STATE_HOME to a folder that keeps",
            folder,
            error.strerror,
        )
    try:
        yield
    finally:
        lock.release()
