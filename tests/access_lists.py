"""Access control lists as the kernel keeps them, for the tests: no program is needed to set or to read one."""

import errno
import os
import struct
from collections.abc import Mapping
from pathlib import Path

from tests import needs

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"

OWNER, USER, GROUP, GROUP_NAMED, MASK, OTHER = 1, 2, 4, 8, 16, 32
NO_ID = 0xFFFFFFFF


def access_list(
    owner: int, group: int, other: int, mask: int, users: Mapping[int, int], groups: Mapping[int, int]
) -> bytes:
    """A list in the kernel's form (version 2); permissions are 0 to 7, users and groups are by id."""
    entries = [(OWNER, owner, NO_ID), *((USER, users[each], each) for each in sorted(users))]
    entries += [(GROUP, group, NO_ID), *((GROUP_NAMED, groups[each], each) for each in sorted(groups))]
    entries += [(MASK, mask, NO_ID)] if users or groups else []
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *each) for each in [*entries, (OTHER, other, NO_ID)])


def set_attribute(path: Path, name: str, value: bytes) -> None:
    """Set it; the test is skipped where the file system has no such attributes."""
    try:
        os.setxattr(path, name, value)
    except AttributeError:
        needs.missing("extended attributes", "run the tests on Linux")
    except OSError as error:
        if error.errno in {errno.ENOTSUP, errno.EPERM}:
            needs.missing(f"the attribute {name}", "set TMPDIR to a folder of a file system such as ext4")
        raise


def attributes(path: Path) -> dict[str, bytes]:
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


READER = 65534
"""Who may read a file by its list alone."""


def readable_by_one(path: Path) -> None:
    """Give the file to its owner and one reader; the owning group may not read it, though the mode says so."""
    set_attribute(path, ACCESS, access_list(6, 0, 0, 4, {READER: 4}, {}))
