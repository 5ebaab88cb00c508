"""A folder is read in full: what was left out is counted, and what could not be read is named."""

import os
import socket
from pathlib import Path

import pytest

from credly_audit.errors import UsageError
from credly_audit.leaks.folders import HISTORIES, IGNORED, LINKS, SPECIAL, FolderSearch, require_searchable
from credly_audit.leaks.scan import Scan
from tests import needs
from tests.leaks.finding import OTHER, VALUE, gaps, places, scan_for, write


def search(*paths: Path, **options: bool) -> Scan:
    """Return the scan of paths."""
    scan = scan_for()
    folders = FolderSearch(scan, os.environ, **options)
    for path in paths:
        folders.search(path)
    folders.finish()
    return scan


def test_hidden_files_and_deep_folders_are_read(tmp_path: Path) -> None:
    write(tmp_path / ".env", f"CREDLY_TOKEN={VALUE}\n")
    write(tmp_path / "a/b/c/d/e.yaml", f"\n\ntoken: '{OTHER}'\n")
    write(tmp_path / "binary", bytes(range(256)) * 50 + VALUE.encode() + b"\0\1")

    scan = search(tmp_path)

    assert [leak.origin.path.removeprefix(f"{tmp_path}/") for leak in scan.leaks] == [
        ".env",
        "binary",
        "a/b/c/d/e.yaml",
    ]
    assert scan.leaks[2].line == 3
    assert scan.searched["files"] == 3


def test_links_pipes_and_sockets_are_skipped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "searched"
    write(tmp_path / "outside", VALUE)
    write(folder / "empty", "")
    (folder / "to-outside").symlink_to(tmp_path / "outside")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere").symlink_to(folder / "missing")
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        scan = search(folder)

    assert places(scan) == []
    assert gaps(scan) == []
    assert scan.skipped[LINKS] == 3
    assert scan.skipped[SPECIAL] == 2


def test_a_link_that_a_person_names_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "outside", VALUE)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "outside")

    assert places(search(link)) == [f"{link}:1"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path / "after", VALUE)

    scan = search(Path("/proc/self/mem"), tmp_path)

    assert gaps(scan) == [("/proc/self/mem", "cannot be read (Input/output error)")]
    assert len(scan.leaks) == 1


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "missing"])
def test_what_is_no_file_is_refused_before_anything_is_searched(path: str) -> None:
    with pytest.raises(UsageError, match=r"is a device|No such file"):
        require_searchable([Path("/"), Path(path)])


def test_the_name_of_a_file_and_of_a_folder_can_hold_a_value(tmp_path: Path) -> None:
    write(tmp_path / VALUE / f"{OTHER}.txt", "")

    assert [leak.line for leak in search(tmp_path).leaks] == [None, None]


def test_a_repository_without_git_is_counted(tmp_path: Path) -> None:
    needs.program("git")
    needs.runner("git")("init", "-q", tmp_path / "repository")
    write(tmp_path / "repository/a", VALUE)

    scan = search(tmp_path)

    assert len(scan.leaks) == 1
    assert scan.skipped[HISTORIES] == 1
    assert scan.skipped[IGNORED] == 0
