"""Where a path given by a person leads, and whether something can be written there, said before anything is collected.

Links are followed, but none that other users can change: they could lead a report, or a secret, to a place of theirs.
"""

import errno
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from credly_audit.errors import UsageError

MOST_LINKS = 40
"""Symbolic links on the way to a file before they are taken for a loop, as Linux counts."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path leads in the end: to a descriptor of this process, or to what is, or will be, at `path`."""

    path: Path
    descriptor: int | None = None

    @property
    def is_standard_output(self) -> bool:
        """Whether it is another name of standard output, such as /dev/stdout."""
        return self.descriptor == 1

    @property
    def status(self) -> os.stat_result | None:
        """What is there; None where nothing is."""
        try:
            return self.path.stat() if self.descriptor is None else os.fstat(self.descriptor)
        except (FileNotFoundError, NotADirectoryError):
            return None

    @property
    def is_file(self) -> bool:
        """Whether a file is, or will be, there that can be read again later."""
        before = self.status
        return self.descriptor is None and (before is None or stat.S_ISREG(before.st_mode))

    @property
    def is_replaced(self) -> bool:
        """Whether a new file takes the place of what is there; else that is written to as it is."""
        return self.is_file and (self.status is None or _can_create_files(self.path.parent))


def place_of(path: Path) -> Place:
    """Follow the links of a path that a person gave; UsageError for a loop, and where other users can change a link."""
    rest = list(reversed(path.absolute().parts))
    here = Path(rest.pop())
    links = 0
    while rest:
        part = rest.pop()
        if part == os.pardir:
            here = here.parent
            continue
        if _is_descriptor_folder(here) and part.isdecimal() and not rest:
            return Place(path, int(part))
        here /= part
        if not here.is_symlink():
            continue
        links += 1
        if links > MOST_LINKS:
            raise UsageError(f"{path}: its symbolic links form a loop; name the file itself")
        if _is_changeable_by_others(here):
            raise UsageError(f"{path}: other users can change the symbolic link {here}; name the file itself")
        aim = here.readlink()
        here = Path(aim.anchor) if aim.is_absolute() else here.parent
        rest += reversed(aim.parts[1:] if aim.is_absolute() else aim.parts)
    return Place(here)


def file_can_be_written(path: Path, option: str) -> Place:
    """Where a path leads; UsageError, before anything is collected, where it cannot be written to."""
    try:
        place = place_of(path)
        before = place.status
    except OSError as error:
        raise UsageError(f"{option}: {path} cannot be written ({error.strerror}); name another file") from None
    if before is None:
        must_be_writable(place.path.parent)
        return place
    if stat.S_ISDIR(before.st_mode):
        raise UsageError(f"{option}: {path} is a folder; name a file in it")
    if place.descriptor is not None:
        _require_open_descriptor(place.descriptor, f"{option}: {path}")
    elif not place.is_replaced:
        _require_writable_special_file(place.path, before, f"{option}: {path}")
    elif _is_protected_by_sticky_bit(place.path, before):
        raise UsageError(f"{option}: {path} belongs to another user; name another file")
    return place


def must_be_writable(folder: Path) -> None:
    """Refuse a folder in which no file can be made, before anything was asked of Credly; it is not made yet."""
    try:
        target = place_of(folder).path
        there = next(each for each in (target, *target.parents) if each.exists())
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UsageError(f"{folder}: no file can be written there ({error.strerror}); name another folder") from None


def _require_writable_special_file(path: Path, status: os.stat_result, called: str) -> None:
    if stat.S_ISSOCK(status.st_mode) or stat.S_ISBLK(status.st_mode):
        kind = "socket" if stat.S_ISSOCK(status.st_mode) else "disk"
        raise UsageError(f"{called} is a {kind}; name a file")
    if status.st_uid not in _list_trusted_users() and not is_own_folder(path.parent):
        raise UsageError(f"{called} was created by another user; name a file of your own")
    if not os.access(path, os.W_OK):
        raise UsageError(f"{called} cannot be written (Permission denied); name another file")


def _require_open_descriptor(descriptor: int, called: str) -> None:
    try:
        os.write(descriptor, b"")
    except OSError as error:
        raise UsageError(f"{called} cannot be written ({error.strerror}); name a file") from None


def _is_protected_by_sticky_bit(path: Path, status: os.stat_result) -> bool:
    """Whether a file stands in a folder with the sticky bit, such as /tmp, where only its owner can replace it."""
    folder = path.parent.stat()
    own = os.geteuid() in {0, status.st_uid, folder.st_uid} if os.name == "posix" else True
    return bool(folder.st_mode & stat.S_ISVTX) and not own


def _can_create_files(folder: Path) -> bool:
    """Whether this user may make a file in a folder; what else could be wrong shows when it is made."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        return error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS}


def _is_descriptor_folder(folder: Path) -> bool:
    process = f"/proc/{os.getpid()}"
    return folder in {Path("/dev/fd"), Path(process, "fd")} or (
        folder.name == "fd" and folder.is_relative_to(Path(process, "task"))
    )


def _list_trusted_users() -> set[int]:
    """The users who could read or change everything of this one's anyway."""
    return {0, os.geteuid()}


def _is_shared(folder: os.stat_result) -> bool:
    """Whether others can make files in a folder: everyone, or a group of more than this user."""
    if folder.st_mode & stat.S_IWOTH:
        return True
    return bool(folder.st_mode & stat.S_IWGRP) and folder.st_gid != 0 and not _is_own_group(folder.st_gid)


def _is_own_group(group: int) -> bool:
    """Whether a group is this user's private one: of the user's name, and without other members."""
    import grp  # noqa: PLC0415 - only where there are groups
    import pwd  # noqa: PLC0415

    try:
        found, name = grp.getgrgid(group), pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a user or group without a name, as in a container
        return group == os.getegid()
    return found.gr_name == name and set(found.gr_mem) <= {name}


def is_own_folder(folder: Path) -> bool:
    """Whether no one but this user and root can put anything into a folder."""
    if os.name != "posix":
        return False
    status = folder.stat()
    return status.st_uid in _list_trusted_users() and not _is_shared(status)


def _is_changeable_by_others(link: Path) -> bool:
    """Whether other users can make a link lead elsewhere.

    In a folder with the sticky bit, such as /tmp, only the owner of a link, or of the folder, can replace it.
    """
    if os.name != "posix":
        return False
    folder = link.parent.stat()
    is_sticky = bool(folder.st_mode & stat.S_ISVTX)
    return not {link.lstat().st_uid, folder.st_uid} <= _list_trusted_users() or (_is_shared(folder) and not is_sticky)
