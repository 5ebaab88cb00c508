"""Carries owner, mode, access control list and extended attributes of a file over to the file that replaces it.

An access control list is an extended attribute (`system.posix_acl_access`), as is an SELinux label. While a file has
such a list, the group bits of its mode are the list's mask: to keep the mode without the list would let the owning
group read what only a named user may read.
"""

import errno
import os
import stat
from pathlib import Path

from credly_audit.errors import CannotWrite

ACCESS_LIST = "system.posix_acl_access"

OF_THE_CONTENT = frozenset({"security.ima", "security.evm"})
"""Signatures of a file's content, which the kernel makes anew."""

UNSUPPORTED = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}

NAMED = {ACCESS_LIST: "access control list", "security.selinux": "SELinux label"}


def keep_attributes(original: Path, descriptor: int) -> None:
    """Give an empty file, open at `descriptor`, the attributes of the original; CannotWrite where one cannot be kept.

    It has to be empty still: the list that it inherited from its folder may let others read it.
    """
    if os.name != "posix":
        return
    before = original.stat()
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.fchown(descriptor, before.st_uid, before.st_gid)
        except OSError as error:
            raise _make_error(original, "owner and group", error) from None
    wanted = _read_attributes(original)
    _set(original, descriptor, {ACCESS_LIST}, wanted)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
    _set(original, descriptor, _read_attributes(descriptor).keys() | wanted.keys(), wanted)
    if os.fstat(descriptor).st_mode != before.st_mode:
        raise CannotWrite(f"{original}: its mode cannot be kept on a new file")


def _set(original: Path, descriptor: int, names: set[str], wanted: dict[str, bytes]) -> None:
    """Make the attributes of these names what is wanted, and see that they are."""
    present = _read_attributes(descriptor)
    for name in sorted(names):
        if present.get(name) == wanted.get(name):
            continue
        try:
            if name in wanted:
                os.setxattr(descriptor, name, wanted[name])
            else:
                os.removexattr(descriptor, name)
        except OSError as error:
            raise _make_error(original, NAMED.get(name, f"attribute {name}"), error) from None
        if _read_attributes(descriptor).get(name) != wanted.get(name):
            raise CannotWrite(f"{original}: its {NAMED.get(name, f'attribute {name}')} cannot be kept on a new file")


def _read_attributes(file: Path | int) -> dict[str, bytes]:
    """The extended attributes by name; none where the system or the file system has none."""
    if not hasattr(os, "listxattr"):
        return {}
    try:
        names = os.listxattr(file)
    except OSError as error:
        if error.errno in UNSUPPORTED:
            return {}
        raise
    return {name: os.getxattr(file, name) for name in names if name not in OF_THE_CONTENT}


def _make_error(original: Path, what: str, error: OSError) -> CannotWrite:
    return CannotWrite(f"{original}: its {what} cannot be kept on a new file ({error.strerror})")
