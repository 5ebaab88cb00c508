"""What an output leads to is respected: links are followed, devices and pipes are written to, others' links are not."""

import io
import os
import socket
import stat
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credly_audit.errors import CannotWrite, UsageError
from credly_audit.files.destinations import file_can_be_written, place_of
from credly_audit.files.writing import Tolerant, replace_file, write_file
from tests import needs
from tests.journeys.conftest import Command, credly_audit

__all__ = ["credly_audit"]

REPORT = '{"schema_version": "1.0", "as_of": "2026-11-23T00:00:00Z", "findings": []}'
BASELINE = b'"format": "credly-audit-baseline"'

NOBODY = 65_534


@pytest.fixture
def root() -> None:
    """Only root can give files to others."""
    needs.root()


def write(path: Path, content: bytes = b"new", *, edited: bool = False) -> None:
    """Check a path as commands do before they collect, then write."""
    file_can_be_written(path, "--output")
    with write_file(path, edited=edited) as file:
        file.write(content)


def reader(path: Path) -> Callable[[], bytes]:
    """Read a pipe in a thread; the function waits for what came."""
    came: list[bytes] = []
    thread = threading.Thread(target=lambda: came.append(path.read_bytes()))
    thread.start()

    def wait() -> bytes:
        thread.join(20)
        return came[0]

    return wait


def test_a_link_is_followed_and_stays(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"old")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "file")

    write(tmp_path / "link")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "real" / "file").stat().st_mode) == 0o600


@pytest.mark.parametrize("aim", ["new", "sub/new", "../{folder}/new"])
def test_what_a_dangling_link_leads_to_is_made(tmp_path: Path, aim: str) -> None:
    (tmp_path / "link").symlink_to(aim.format(folder=tmp_path.name))

    write(tmp_path / "link")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / aim.format(folder=tmp_path.name)).read_bytes() == b"new"


def test_a_link_at_a_name_that_the_tool_makes_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "report").symlink_to("other")

    with replace_file(tmp_path / "report") as file:
        file.write(b"new")

    assert not (tmp_path / "report").is_symlink()
    assert (tmp_path / "other").read_bytes() == b"other"


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")

    with pytest.raises(UsageError, match="its symbolic links form a loop"):
        write(tmp_path / "one")


NAMES = ("a", "b", "c")
aims = st.lists(st.sampled_from([*NAMES, "..", "."]), min_size=1, max_size=4).map("/".join)


@given(links=st.dictionaries(st.sampled_from(["a", "b", "a/c", "b/c"]), aims), asked=aims)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_path_leads_where_the_system_says_it_leads(tmp_path: Path, links: dict[str, str], asked: str) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        for name, aim in sorted(links.items()):
            path = Path(folder, name)
            if path.parent == Path(folder) or not path.parent.is_symlink():
                path.parent.mkdir(exist_ok=True)
                path.symlink_to(aim)
        path = Path(folder, asked)
        try:
            expected = Path(os.path.realpath(path, strict=True))
        except FileNotFoundError:
            expected = Path(os.path.realpath(path))
        except OSError:  # links in a circle
            with pytest.raises(UsageError):
                place_of(path)
            return

        assert place_of(path).path == expected


@pytest.mark.parametrize(("mode", "others_can"), [(0o755, False), (0o1777, False), (0o777, True), (0o757, True)])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_link_in_a_folder_that_others_can_change_is_refused(
    tmp_path: Path, mode: int, *, others_can: bool, is_folder: bool
) -> None:
    """In a folder with the sticky bit, such as /tmp, nobody else can replace one's own link."""
    shared, real = tmp_path / "shared", tmp_path / "real"
    for each in (shared, real):
        each.mkdir()
    (shared / "link").symlink_to(real if is_folder else real / "file")
    shared.chmod(mode)
    path = shared / "link" / "file" if is_folder else shared / "link"

    if others_can:
        with pytest.raises(UsageError, match=f"other users can change the symbolic link {shared}/link"):
            write(path)
        assert not list(real.iterdir())
    else:
        write(path)
        assert (real / "file").read_bytes() == b"new"


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_the_link_of_another_user_is_refused(tmp_path: Path, mode: int) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    (shared / "link").symlink_to(tmp_path / "file")
    os.chown(shared / "link", NOBODY, NOBODY, follow_symlinks=False)

    with pytest.raises(UsageError, match="other users can change the symbolic link"):
        write(shared / "link")


@pytest.mark.usefixtures("root")
def test_the_pipe_that_another_user_laid_out_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    os.mkfifo(shared / "pipe")
    os.chown(shared / "pipe", NOBODY, NOBODY)

    with pytest.raises(UsageError, match="was created by another user"):
        write(shared / "pipe")


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(("mode", "owner"), [(0o755, NOBODY), (0o1777, 0)])
def test_the_owner_of_a_file_stays_where_nobody_else_could_have_put_it_there(
    tmp_path: Path, mode: int, owner: int
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(mode)
    (folder / "file").write_bytes(b"old")
    os.chown(folder / "file", NOBODY, NOBODY)

    write(folder / "file")

    assert (folder / "file").stat().st_uid == owner


def test_a_device_stays_a_device() -> None:
    before = Path("/dev/null").lstat()

    write(Path("/dev/null"))

    after = Path("/dev/null").lstat()
    assert stat.S_ISCHR(after.st_mode)
    assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)


def test_a_device_that_takes_nothing_is_a_failure() -> None:
    with pytest.raises(CannotWrite, match=r"/dev/full: could not be written \(No space left on device\)"):
        write(Path("/dev/full"))


def test_a_named_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    came = reader(tmp_path / "pipe")

    write(tmp_path / "pipe", bytes(1_000_000))

    assert came() == bytes(1_000_000)
    assert (tmp_path / "pipe").is_fifo()


def test_a_named_pipe_that_nobody_reads_is_a_failure_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("credly_audit.files.writing.PATIENCE", 0.2)
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(CannotWrite, match="no program read from it within"):
        write(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "/proc/thread-self/fd/{}"])
def test_an_open_descriptor_is_written_to_whatever_it_is(tmp_path: Path, name: str) -> None:
    one, other = socket.socketpair()
    with one, other, (tmp_path / "log").open("wb") as log:
        log.write(b"before ")
        log.flush()

        write(Path(name.format(one.fileno())))
        write(Path(name.format(log.fileno())))

        assert other.recv(100) == b"new"
    assert (tmp_path / "log").read_bytes() == b"before new"


def test_a_descriptor_that_is_not_open_for_writing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with (tmp_path / "file").open("rb") as file, pytest.raises(UsageError, match="cannot be written"):
        write(Path(f"/dev/fd/{file.fileno()}"))
    with pytest.raises(UsageError, match="can"):
        write(Path("/dev/fd/987"))


def test_a_pipe_that_does_not_block_gets_all_of_it() -> None:
    """As the standard streams may be that a program in Node.js or an SSH client hands over."""
    read, write_end = os.pipe()
    os.set_blocking(write_end, False)
    came: list[bytes] = []
    reader = threading.Thread(target=lambda: came.extend(iter(lambda: os.read(read, 4_096), b"")))
    reader.start()

    out = io.BufferedWriter(Tolerant(write_end))
    out.write(bytes(1_000_000))
    out.flush()
    os.close(write_end)
    reader.join(20)
    os.close(read)

    assert sum(map(len, came)) == 1_000_000


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(UsageError, match="--output: socket is a socket; name a file"):
            write(Path("socket"))


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/../dev/stdout"])
def test_standard_output_is_known_by_all_its_names(name: str) -> None:
    assert place_of(Path(name)).is_standard_output


@pytest.mark.parametrize(("edited", "mode"), [(False, 0o600), (True, 0o640)])
def test_a_file_that_is_edited_keeps_its_mode(tmp_path: Path, mode: int, *, edited: bool) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o640)

    write(tmp_path / "file", edited=edited)

    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_a_file_with_the_longest_name_is_written(tmp_path: Path) -> None:
    write(tmp_path / ("ä" * 127))

    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


MOUNTED = "cd {folder} && mount --bind real mounted && exec {python} -m credly_audit baseline report.json -o mounted"


def test_a_mounted_file_is_written_in_its_place(tmp_path: Path) -> None:
    for name in ("real", "mounted"):
        (tmp_path / name).write_text("old")
    (tmp_path / "report.json").write_text(REPORT)
    needs.mounts()
    script = MOUNTED.format(folder=tmp_path, python=sys.executable)

    done = needs.runner("unshare")("--mount", "sh", "-c", script)

    assert done.returncode == 0, done.stderr
    assert BASELINE in (tmp_path / "real").read_bytes()
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"real", "mounted", "report.json"}


@pytest.mark.parametrize(
    "command",
    ["baseline report.json -o", "config init --overwrite", "config schema -o", "rules docs -o"],
)
def test_every_command_follows_a_link_and_leaves_a_device(credly_audit: Command, tmp_path: Path, command: str) -> None:
    (tmp_path / "report.json").write_text(REPORT)
    (tmp_path / "link").symlink_to("real")

    assert credly_audit(*command.split(), "link").code == 0
    assert credly_audit(*command.split(), "/dev/null").code == 0
    printed = credly_audit(*command.split(), "/dev/stdout")

    assert (tmp_path / "link").is_symlink()
    assert Path("/dev/null").is_char_device()
    assert (printed.code, printed.out.encode()) == (0, (tmp_path / "real").read_bytes())
    assert "/dev/stdout" in printed.err
