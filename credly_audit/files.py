"""The one place that writes files: whole or not at all, and for their owner's eyes alone."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from credly_audit.errors import CannotWrite, UsageError


@contextmanager
def written_whole(path: Path, *, draft_name: str | None = None) -> Iterator[BinaryIO]:
    """A binary file, mode 0600, that takes `path`'s place when the block ends well; else nothing changes.

    Where the draft beside it must never stay behind, not even after SIGKILL, `draft_name` is given: the next one of
    that name removes it. CannotWrite where the disk is full or the folder is not to be written in.
    """
    draft = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = _draft(path, draft_name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except OSError as error:
        _forget(draft)
        raise CannotWrite(f"{path}: could not be written ({error.strerror or error}); nothing of it is left") from None
    except BaseException:
        _forget(draft)
        raise


def _draft(path: Path, name: str | None) -> tuple[int, str]:
    if name is None:
        return tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = path.parent / name
    draft.unlink(missing_ok=True)
    return os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), str(draft)


def _forget(draft: str | None) -> None:
    if draft is not None:
        Path(draft).unlink(missing_ok=True)


def must_be_writable(folder: Path) -> None:
    """Refuse a folder in which no file can be made, before anything was asked of Credly; it is not made yet."""
    try:
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UsageError(f"{folder}: no file can be written there ({error.strerror}); name another folder") from None


def file_can_be_written(path: Path, option: str) -> None:
    """Refuse a path that is a folder, or in whose folder no file can be made."""
    if path.is_dir():
        raise UsageError(f"{option}: {path} is a folder; name a file in it")
    must_be_writable(path.parent)
