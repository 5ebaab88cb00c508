"""The one place that writes files: completely or not at all, and readable by their owner only.

Where a path leads to something that cannot be replaced (a device, a pipe, a mounted file), it is written to as it is.
"""

import errno
import io
import os
import select
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from credly_audit.errors import CannotWrite
from credly_audit.files.attributes import keep_attributes
from credly_audit.files.destinations import Place, is_own_folder, place_of

OWNER_ONLY = 0o600

DRAFT = ".credly-audit-"

PATIENCE = 30.0
"""Seconds that a named pipe is given to find a reader."""


class Tolerant(io.RawIOBase):
    """A descriptor that never refuses what is written to it; `trouble` says why some of it is lost.

    Libraries that write XML and ZIP files cannot clean up after an error: they try to write again when they are
    removed from memory, and print a trace where no one can catch it.
    """

    def __init__(self, descriptor: int, *, is_file: bool = False, trouble: OSError | None = None) -> None:
        self.descriptor = descriptor
        self.trouble = trouble
        self._is_file = is_file
        self._position = self._end = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Only a file is."""
        return self._is_file

    def fileno(self) -> int:
        """The descriptor."""
        return self.descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal that still takes something."""
        return self.trouble is None and os.isatty(self.descriptor)

    def write(self, data: Any) -> int:
        """Write what the system takes; from the first error on, only count."""
        length = len(data)
        if self.trouble is None:
            try:
                return self._written(data)
            except OSError as error:
                self._stop(error)
        self._position += length
        self._end = max(self._end, self._position)
        return length

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move in the file, or where nothing is written any more in what would be the file."""
        if not self._is_file:
            raise io.UnsupportedOperation
        if self.trouble is None:
            return os.lseek(self.descriptor, offset, whence)
        self._position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        return self._position

    def end(self) -> None:
        """Close the descriptor; what is written later is ignored."""
        if self.trouble is None:
            self._stop(OSError(errno.EBADF, os.strerror(errno.EBADF)))
        os.close(self.descriptor)

    def _written(self, data: Any) -> int:
        while True:
            try:
                return os.write(self.descriptor, data)
            except BlockingIOError:
                select.select([], [self.descriptor], [])

    def _stop(self, error: OSError) -> None:
        if self._is_file:
            with suppress(OSError):
                self._position = os.lseek(self.descriptor, 0, os.SEEK_CUR)
                self._end = os.fstat(self.descriptor).st_size
        self.trouble = error


@contextmanager
def _write_draft(descriptor: int) -> Iterator[BinaryIO]:
    """A file to write to, on the disk when the block ends; OSError then where some of it could not be written."""
    raw = Tolerant(descriptor, is_file=True)
    file = io.BufferedWriter(raw)
    try:
        yield cast("BinaryIO", file)
        file.flush()
        if raw.trouble is not None:
            raise raw.trouble
        os.fsync(descriptor)
    finally:
        raw.end()


@contextmanager
def replace_file(
    path: Path, *, draft_name: str | None = None, like: os.stat_result | None = None
) -> Iterator[BinaryIO]:
    """A binary file, mode 0600, that takes `path`'s place when the block ends well; else nothing changes.

    It is for names that the tool makes itself: a symbolic link there is replaced, not followed. Where the draft beside
    it must never stay behind, not even after SIGKILL, `draft_name` is given: the next one of that name removes it. It
    gets the owner of `like`. CannotWrite where the disk is full or the folder is not to be written in.
    """
    draft = None
    try:
        Path(os.path.realpath(path.parent)).mkdir(parents=True, exist_ok=True)
        descriptor, draft = _draft(path, draft_name)
        with _write_draft(descriptor) as file:
            if like is not None:
                _keep_owner(descriptor, like)
            yield file
        _replace(path, draft)
    except OSError as error:
        _forget(draft)
        raise CannotWrite(f"{path}: could not be written ({error.strerror or error}); no part of it remains") from None
    except BaseException:
        _forget(draft)
        raise


@contextmanager
def write_file(path: Path, *, edited: bool = False) -> Iterator[BinaryIO]:
    """A binary file that is put where a path given by a person leads when the block ends well.

    Links are followed. A file is replaced by one of the same owner with mode 0600. One that is `edited` keeps its
    mode, access control list and attributes too; where a new file cannot have them, it is overwritten in its place, as
    a device, a pipe, a descriptor and a mounted file are. CannotWrite.
    """
    try:
        place = place_of(path)
        if place.is_replaced and not (edited and place.status and not _can_be_remade(place.path)):
            with _replace_destination(place, edited=edited) as file:
                yield file
            return
        with tempfile.TemporaryFile() as draft:
            with _write_draft(os.dup(draft.fileno())) as file:
                yield file
            draft.seek(0)
            _copy(draft, place, mode=None if edited else OWNER_ONLY)
    except OSError as error:
        raise CannotWrite(f"{path}: could not be written ({error.strerror or error})") from None


@contextmanager
def _replace_destination(place: Place, *, edited: bool) -> Iterator[BinaryIO]:
    before = place.status
    like = before if before and is_own_folder(place.path.parent) else None
    with replace_file(place.path, like=like) as file:
        if edited and before:
            keep_attributes(place.path, file.fileno())
        yield file


def _can_be_remade(path: Path) -> bool:
    """Whether a new file can have the owner, mode and attributes of a file."""
    with tempfile.NamedTemporaryFile(prefix=DRAFT, dir=path.parent) as trial:
        try:
            keep_attributes(path, trial.fileno())
        except CannotWrite:
            return False
    return True


def _draft(path: Path, name: str | None) -> tuple[int, str]:
    if name is None:
        return tempfile.mkstemp(prefix=DRAFT, dir=path.parent)
    draft = path.parent / name
    draft.unlink(missing_ok=True)
    return os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY), str(draft)


def _replace(path: Path, draft: str) -> None:
    """Give a draft its name; a file that is mounted by itself, as in a container, is overwritten in its place."""
    try:
        Path(draft).replace(path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        with Path(draft).open("rb") as file:
            _copy(file, Place(path), mode=stat.S_IMODE(os.fstat(file.fileno()).st_mode))
        Path(draft).unlink()


def _copy(draft: BinaryIO, place: Place, mode: int | None) -> None:
    """Write a draft to what is at a place already; a file there gets the mode, where this user may change it."""
    out = Tolerant(_open_descriptor(place))
    try:
        is_file = stat.S_ISREG(os.fstat(out.fileno()).st_mode)
        if is_file and place.descriptor is None:
            if mode is not None:
                with suppress(PermissionError):
                    os.fchmod(out.fileno(), mode)
            os.ftruncate(out.fileno(), 0)
        buffered = io.BufferedWriter(out)
        shutil.copyfileobj(draft, buffered)
        buffered.flush()
        if out.trouble is not None:
            raise out.trouble
        if is_file:
            os.fsync(out.fileno())
    finally:
        out.end()


def _open_descriptor(place: Place) -> int:
    """A descriptor to write to; a named pipe gets some time to find a reader."""
    if place.descriptor is not None:
        return os.dup(place.descriptor)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            descriptor = os.open(place.path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or not place.path.is_fifo():
                raise
            if time.monotonic() > until:
                raise TimeoutError(errno.ETIMEDOUT, f"no program read from it within {PATIENCE:g} seconds") from None
            time.sleep(0.05)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


def _keep_owner(descriptor: int, before: os.stat_result) -> None:
    """Give a draft the owner of the file that it replaces, where this user may."""
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
        with suppress(PermissionError):
            os.fchown(descriptor, before.st_uid, before.st_gid)


def _forget(draft: str | None) -> None:
    if draft is not None:
        Path(draft).unlink(missing_ok=True)
