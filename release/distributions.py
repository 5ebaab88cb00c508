"""Build the distributions of a commit, and compare them with what they must contain."""

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

IN_PACKAGE = ("report_templates", "sample_data")
"""Folders of the repository that the wheel holds inside the package."""


class NotReady(Exception):  # noqa: N818 - named as it is reported
    """Something is not fit for a release: one sentence."""


@dataclass(frozen=True, slots=True)
class Distributions:
    """A source distribution and a wheel."""

    sdist: Path
    wheel: Path

    @classmethod
    def in_folder(cls, folder: Path) -> "Distributions":
        """Return the two in a folder; NotReady where there is not one of each."""
        sdists, wheels = list(folder.glob("*.tar.gz")), list(folder.glob("*.whl"))
        if len(sdists) != 1 or len(wheels) != 1:
            raise NotReady(f"{folder}: expected one .tar.gz and one .whl, found {len(sdists)} and {len(wheels)}")
        return cls(sdists[0], wheels[0])


def run_git(repository: Path, *words: str) -> str:
    """Return what git prints."""
    return subprocess.run(["git", "-C", repository, *words], check=True, capture_output=True, text=True).stdout


def build(repository: Path, commit: str, folder: Path) -> Distributions:
    """Build both distributions of a commit in `folder`, from a copy that holds nothing else.

    Their timestamps are those of the commit (SOURCE_DATE_EPOCH).
    """
    with TemporaryDirectory(prefix="release-") as name:
        source = Path(name) / "source"
        source.mkdir()
        archive = Path(name) / "source.tar"
        run_git(repository, "archive", "--format=tar", f"--output={archive}", commit)
        with tarfile.open(archive) as tar:
            tar.extractall(source, filter="data")
        run_hatchling(source, folder, int(run_git(repository, "log", "-1", "--format=%ct", commit)))
    return Distributions.in_folder(folder)


def build_from_sdist(sdist: Path, folder: Path, epoch: int) -> Path:
    """Build the wheel of an unpacked source distribution in `folder`."""
    with TemporaryDirectory(prefix="release-") as name:
        with tarfile.open(sdist) as tar:
            tar.extractall(name, filter="data")
        [source] = Path(name).iterdir()
        run_hatchling(source, folder, epoch, "--target", "wheel")
    [wheel] = folder.glob("*.whl")
    return wheel


def run_hatchling(source: Path, folder: Path, epoch: int, *words: str) -> None:
    """Build what is in `source`; NotReady where that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", folder.resolve(), *words],
        cwd=source,
        env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotReady(f"the build failed: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}")


def require_equal(one: Path, other: Path, what: str) -> None:
    """Raise NotReady where two files differ."""
    if one.read_bytes() != other.read_bytes():
        raise NotReady(f"{one.name}: {what} differ; something in the build depends on time, place or machine")


def list_tracked(repository: Path, commit: str) -> set[str]:
    """Return the files of a commit."""
    return set(run_git(repository, "ls-tree", "-r", "-z", "--name-only", commit).split("\0")) - {""}


def require_complete(built: Distributions, tracked: Iterable[str]) -> None:
    """Raise NotReady where a distribution lacks a file of the repository that belongs in it, or has another one."""
    tracked = set(tracked)
    with tarfile.open(built.sdist) as tar:
        members = {each.name.partition("/")[2] for each in tar.getmembers() if each.isfile()}
    _require_same(built.sdist, members - {"PKG-INFO"}, tracked)
    with zipfile.ZipFile(built.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {name for name in tracked if name.startswith("credly_audit/")}
    inside = {f"credly_audit/{name}" for name in tracked if name.startswith(tuple(f"{each}/" for each in IN_PACKAGE))}
    _require_same(built.wheel, names, package | inside)


def _require_same(path: Path, found: set[str], expected: set[str]) -> None:
    if lacking := sorted(expected - found):
        raise NotReady(f"{path.name}: lacks {', '.join(lacking[:5])}{' …' if len(lacking) > 5 else ''}")  # noqa: PLR2004
    if more := sorted(found - expected):
        raise NotReady(f"{path.name}: has {', '.join(more[:5])}{' …' if len(more) > 5 else ''}, not in the repository")  # noqa: PLR2004
