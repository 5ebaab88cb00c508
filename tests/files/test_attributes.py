"""What a file has besides its content is on the file that replaces it, or nothing is replaced."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credly_audit.errors import CannotWrite
from credly_audit.files.attributes import keep_attributes
from tests import needs
from tests.access_lists import ACCESS, DEFAULT, access_list, attributes, set_attribute

PERMISSIONS = st.integers(0, 7)
IDS = st.dictionaries(st.integers(1, 70_000), PERMISSIONS, max_size=3)
LISTS = st.none() | st.builds(
    access_list, PERMISSIONS, PERMISSIONS, PERMISSIONS, PERMISSIONS, IDS.filter(bool), IDS
)  # fmt: skip
OWN = st.dictionaries(st.sampled_from(["user.note", "user.mime_type", "user.x"]), st.binary(max_size=50), max_size=3)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    tmp_path.chmod(0o700)


def renewed(path: Path) -> None:
    """Remove the file or the folder's list of before."""
    path.unlink(missing_ok=True)
    if DEFAULT in os.listxattr(path.parent):
        os.removexattr(path.parent, DEFAULT)


@given(mode=st.integers(0, 0o777), acl=LISTS, own=OWN, inherited=LISTS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_new_file_has_all_that_the_original_has_and_nothing_else(
    folder: Path, mode: int, acl: bytes | None, own: dict[str, bytes], inherited: bytes | None
) -> None:
    original, draft = folder / "original", folder / "draft"
    renewed(original)
    draft.unlink(missing_ok=True)
    original.touch(mode=0o600)
    for name, value in own.items():
        set_attribute(original, name, value)
    original.chmod(mode)
    if acl is not None:
        set_attribute(original, ACCESS, acl)
    if inherited is not None:
        set_attribute(folder, DEFAULT, inherited)

    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    keep_attributes(original, descriptor)
    os.close(descriptor)

    assert draft.stat().st_mode == original.stat().st_mode
    assert attributes(draft) == attributes(original)


def test_owner_group_and_special_bits_stay_in_a_folder_that_gives_its_own_group(folder: Path) -> None:
    needs.root()
    original, draft = folder / "original", folder / "draft"
    original.touch()
    os.chown(folder, -1, 4_321)
    folder.chmod(0o2770)
    os.chown(original, 1_234, 5_678)
    original.chmod(0o2750)

    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY, 0o600)
    keep_attributes(original, descriptor)
    os.close(descriptor)

    made = draft.stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (1_234, 5_678, 0o2750)


def test_an_attribute_that_cannot_be_set_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = folder / "original"
    original.touch()
    set_attribute(original, "user.note", b"of the CRM team")

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setxattr", refuse)
    with (
        (folder / "draft").open("wb") as draft,
        pytest.raises(CannotWrite, match=r"attribute user\.note cannot be kept"),
    ):
        keep_attributes(original, draft.fileno())
