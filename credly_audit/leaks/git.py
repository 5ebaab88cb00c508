"""Read a git repository with git: its objects, each once, the files that it does not ignore, and where a blob began.

A repository can be hostile: git runs nothing that its configuration names, and fetches nothing.
"""

import io
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from credly_audit.files.paths import working_folder
from credly_audit.leaks.scan import GitObject, Scan, TextOrigin
from credly_audit.process.programs import open_output

SAFELY = (
    *("git", "--no-pager", "--no-replace-objects", "--no-optional-locks"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "log.showRoot=true"),
    *("-c", "log.showSignature=false"),
    *("-c", "protocol.allow=never"),
)

ENVIRONMENT = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}

IN_MEMORY = 64 << 20
"""Objects up to this size are read at once."""

AT_ONCE = 500
"""Objects that git is asked about at once."""

FIELDS = 3
"""Object id, type and size: what git writes before each object."""

LOG = (
    *("--all", "--reflog", "--date-order", "--reverse", "-m", "--no-renames"),
    *("--raw", "--no-abbrev", "-z", "--format=%x01%H %cs"),
)
"""Options of `git log`: every commit, the oldest first, with the raw changes that it made."""

COMMIT = b"\x01"
"""Begins a commit in git's log as it is asked for here; a path cannot begin with it there."""


class GitFailed(Exception):  # noqa: N818 - named as it is told
    """Git cannot do what it is asked; the message continues a sentence that begins with the folder."""


class ObjectStream(io.RawIOBase):
    """The content of one object in the output of git."""

    def __init__(self, output: BinaryIO, size: int) -> None:
        self._output = output
        self._rest = size

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes of the object."""
        content = self._output.read(min(len(buffer), self._rest))
        self._rest -= len(content)
        buffer[: len(content)] = content
        return len(content)

    def skip_rest(self) -> None:
        """Read what was left, and the end of the line."""
        while self._rest and self.read(io.DEFAULT_BUFFER_SIZE):
            pass
        self._output.read(1)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository: the folder with its objects, and the one with its work tree, None for a bare one."""

    folder: Path
    work_tree: Path | None
    environ: Mapping[str, str]

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str]) -> "Repository | None":
        """Return the repository that a folder is in, or is; None where it is in none. GitFailed where git fails."""
        here = folder.resolve()
        for each in (here, *here.parents):
            if (each / ".git").exists():
                return cls._resolve(each, environ)
            if is_git_folder(each):
                return cls(each, None, environ)
        return None

    @classmethod
    def _resolve(cls, work_tree: Path, environ: Mapping[str, str]) -> "Repository":
        """Return the repository of a work tree, which may be a further one that only names it."""
        here = cls(work_tree / ".git", work_tree, environ)
        output = here.read("rev-parse", "--path-format=absolute", "--git-common-dir")
        return replace(here, folder=Path(os.fsdecode(output.rstrip(b"\n"))))

    @property
    def name(self) -> str:
        """The folder that holds the repository, its work tree where that is beside it; relative to the working one."""
        folder = self.folder.parent if self.folder.name == ".git" else self.folder
        here = working_folder().resolve()
        return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)

    def search(self, scan: Scan) -> None:
        """Search every object, whether or not a branch, a tag or a reflog still leads to it."""
        scan.searched["repositories"] += 1
        first = len(scan.leaks)
        try:
            self._report_missing(scan)
            with self._run("cat-file", "--batch-all-objects", "--batch", "--unordered", "--buffer") as output:
                self._search_objects(scan, output)
            self._name_origins(scan, first)
        except GitFailed as error:
            scan.report_gap(f"{self.name}: git history", str(error))

    def list_files(self, folder: Path) -> tuple[list[Path], int]:
        """Return the files of a folder that git does not ignore, and how many paths it ignores. GitFailed."""
        listing = ("ls-files", "-z", "--others", "--exclude-standard")
        kept = self.read(*listing, "--cached", folder=folder).split(b"\0")
        ignored = self.read(*listing, "--ignored", "--directory", folder=folder)
        return [folder / os.fsdecode(name) for name in sorted(set(kept)) if name], ignored.count(b"\0")

    def read(self, *arguments: str, folder: Path | None = None) -> bytes:
        """Return what git writes, run in a folder; GitFailed."""
        with self._run(*arguments, folder=folder) as output:
            return output.read()

    @contextmanager
    def _run(self, *arguments: str, folder: Path | None = None) -> Iterator[BinaryIO]:
        places = [f"--git-dir={self.folder}", *([f"--work-tree={self.work_tree}"] if self.work_tree else [])]
        environ = {name: said for name, said in self.environ.items() if not name.startswith("GIT_")} | ENVIRONMENT
        try:
            with open_output([*SAFELY, *places, *arguments], folder or self.folder.parent, environ) as output:
                yield output
        except subprocess.CalledProcessError as error:
            raise GitFailed(f"cannot be read by git (exit status {error.returncode}); `git fsck` says why") from None
        except FileNotFoundError:
            raise GitFailed("cannot be read without git; install it") from None

    def _report_missing(self, scan: Scan) -> None:
        """Report that a shallow or partial clone lacks a part of the history."""
        if (self.folder / "shallow").exists():
            scan.report_gap(
                f"{self.name}: git history", "is cut (a shallow clone); fetch all of it: git fetch --unshallow"
            )
        if any((self.folder / "objects" / "pack").glob("*.promisor")):
            scan.report_gap(f"{self.name}: git history", "lacks objects (a partial clone); clone it without --filter")

    def _search_objects(self, scan: Scan, output: BinaryIO) -> None:
        while header := output.readline():
            fields = header.split()
            if len(fields) != FIELDS:
                scan.report_gap(f"{self.name}: git history", f"lacks the object {os.fsdecode(fields[0])}; run git fsck")
                continue
            found, size = GitObject(fields[0].decode(), fields[1].decode()), int(fields[2])
            content = ObjectStream(output, size)
            scan.searched["objects"] += 1
            stream = io.BytesIO(content.read(size)) if size <= IN_MEMORY else io.BufferedReader(content)
            scan.read(TextOrigin(self.name, object=found), cast("BinaryIO", stream), size)
            content.skip_rest()

    def _name_origins(self, scan: Scan, first: int) -> None:
        """Name the path and the commit with which each blob that holds a value first came into the history."""
        objects = (leak.origin.object for leak in scan.leaks[first:])
        blobs = {each.id for each in objects if each is not None and each.kind == "blob"}
        named: dict[str, GitObject] = {}
        wanted = sorted(blobs)
        for begin in range(0, len(wanted), AT_ONCE):
            sought = [f"--find-object={each}" for each in wanted[begin : begin + AT_ONCE]]
            for each in read_log(self.read("log", *LOG, *sought)):
                if each.id in blobs:
                    named.setdefault(each.id, each)
        for number, leak in enumerate(scan.leaks[first:], first):
            if leak.origin.object and leak.origin.object.id in named:
                scan.leaks[number] = replace(leak, origin=replace(leak.origin, object=named[leak.origin.object.id]))


def read_log(output: bytes) -> Iterator[GitObject]:
    """Yield the blobs that commits brought, from `git log --raw -z` with COMMIT before each commit."""
    commit = day = ""
    tokens = iter(output.split(b"\0"))
    for token in tokens:
        line = token.lstrip(b"\n")
        if line.startswith(COMMIT):
            commit, day = os.fsdecode(line[1:]).split()
        elif line.startswith(b":"):
            new = line.split()[3].decode()
            yield GitObject(new, "blob", os.fsdecode(next(tokens, b"")), commit, day)


def is_git_folder(folder: Path) -> bool:
    """Return whether a folder is a bare repository, or the `.git` of another one."""
    return (folder / "HEAD").is_file() and all((folder / name).is_dir() for name in ("objects", "refs"))
