"""What tests need of the machine beside Python: without it a test is skipped, with the command that installs it.

`make test` ends with one line that sums the skipped tests up (tests/conftest.py).
"""

import os
import pwd
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

TOOLS = Path(__file__).parent / "tools" / "node_modules"

PACKAGES = {
    "bash": "bash",
    "chattr": "e2fsprogs",
    "chromium": "chromium",
    "cron": "cron",
    "crontab": "cron",
    "git": "git",
    "initdb": "postgresql",
    "jq": "jq",
    "mount": "mount",
    "pdftotext": "poppler-utils",
    "pg_ctl": "postgresql",
    "pgbouncer": "pgbouncer",
    "promtool": "prometheus",
    "setpriv": "util-linux",
    "soffice": "libreoffice-calc",
    "systemd-analyze": "systemd",
    "umount": "mount",
    "unshare": "util-linux",
}
"""The programs that tests start, and Debian's packages of them; `.ci/run` installs them."""

OFF_THE_PATH = ("/usr/sbin", "/sbin", *map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))

LONGEST_SOCKET = 80
"""Bytes of a folder in which a server's socket can be: its whole path may have 107."""

REASON = re.compile(r"needs (?P<what>.+?): (?P<how>.+)", re.DOTALL)


def program(name: str) -> str:
    """Where a program is; the test is skipped where it is not installed."""
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(OFF_THE_PATH))
    if found is None:
        missing(name, f"apt-get install {PACKAGES[name]}")
    return found


def script(name: str) -> str:
    """Where a program of the development dependencies is, beside this Python."""
    found = Path(sys.executable).parent / name
    if not found.exists():
        missing(name, "pip install -r requirements-dev.lock")
    return str(found)


def runner(name: str) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """A program, ready to be run."""
    found = program(name)

    def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
        words = [found, *map(str, arguments)]
        return subprocess.run(words, capture_output=True, timeout=120, check=False, **options)

    return run


def tool(path: str) -> Path:
    """A file of tests/tools, ready to be run where it is a program."""
    found = TOOLS / path
    if not found.exists():
        missing(path.rpartition("/")[2], "npm ci --prefix tests/tools")
    return found


def validator(path: str) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """A program of tests/tools that is built with .NET, which asks for no library of locales so."""
    found = tool(path)
    found.chmod(found.stat().st_mode | stat.S_IXUSR)
    environ = os.environ | {"DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}

    def run(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        words = [str(found), *map(str, arguments)]
        return subprocess.run(words, capture_output=True, timeout=120, check=False, env=environ)

    return run


def root() -> None:
    """The test starts programs as another user, or mounts."""
    if os.geteuid() != 0:
        missing("root", "run the tests as root")


def as_user(name: str) -> list[str]:
    """The words with which root starts a program as another user."""
    setpriv = program("setpriv")
    if name not in {each.pw_name for each in pwd.getpwall()}:
        missing(f"the user {name}", f"useradd --system --user-group {name}")
    return [setpriv, f"--reuid={name}", f"--regid={name}", "--clear-groups"]


def mounts() -> None:
    """The test has mounts of its own."""
    root()
    if subprocess.run([program("unshare"), "--mount", "true"], capture_output=True, check=False).returncode != 0:
        missing("mounts of its own", "run the tests where `unshare --mount true` works, as in a privileged container")


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """While a file system of this size lies on the folder."""
    root()
    mount, umount = program("mount"), program("umount")
    words = [mount, "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        missing("mounts", "run the tests where root may mount, as in a privileged container")
    try:
        yield
    finally:
        subprocess.run([umount, folder], check=True)


@contextmanager
def common_folder(prefix: str) -> Iterator[Path]:
    """A new folder that every user can reach, with a path short enough for a socket.

    The folder for temporary files is neither where it is its owner's alone (libpam-tmpdir) or deep.
    """
    for place in dict.fromkeys([tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"]):  # noqa: S108 - with a new name
        if _is_common(Path(place)):
            with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as folder:
                yield Path(folder)
            return
    missing("a short folder that all users reach", "set TMPDIR to one, such as /tmp")


def summed_up(reasons: Iterable[str]) -> str:
    """One line for the reasons of skipped tests: how many, what they need, and the command that installs it."""
    many, found = 0, Counter[tuple[str, str]]()
    for reason in reasons:
        many += 1
        named = REASON.search(reason)
        found[(named["what"], named["how"]) if named else (reason.removeprefix("Skipped: "), "")] += 1
    packages = sorted({how.split()[-1] for _, how in found if how.startswith("apt-get ")})
    sudo = "" if os.geteuid() == 0 else "sudo "
    ways = [f"{sudo}apt-get install --no-install-recommends {' '.join(packages)}"] if packages else []
    ways += sorted({how for _, how in found if how and not how.startswith("apt-get ")})
    what = ", ".join(sorted({what for what, _ in found}))
    return f"{many} test{'' if many == 1 else 's'} skipped for want of {what}: {' && '.join(ways)}".removesuffix(": ")


def _is_common(place: Path) -> bool:
    try:
        folders = [place.resolve(), *place.resolve().parents]
        open_to_all = all(each.stat().st_mode & 0o001 for each in folders)
    except OSError:
        return False
    return open_to_all and os.access(place, os.W_OK) and len(os.fsencode(place)) < LONGEST_SOCKET


def missing(what: str, how: str) -> NoReturn:
    """Skip the test for want of something, with the command or the way that helps."""
    pytest.skip(f"needs {what}: {how}")
