"""Search files, folders and standard input, and what git keeps beside them."""

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from credly_audit.errors import UsageError
from credly_audit.leaks.git import GitFailed, Repository, is_git_folder
from credly_audit.leaks.scan import Scan, TextOrigin

LINKS, SPECIAL, IGNORED, HISTORIES = "symbolic_links", "special_files", "ignored_paths", "git_histories"
"""What is skipped, as programs read it."""

QUICKLY = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NOCTTY", 0)
"""Opens what was a file a moment ago: not where it has become a link, and without waiting where it is a pipe."""


@dataclass(slots=True)
class FolderSearch:
    """Searches paths into one scan; with `git`, the history of each repository on the way, once."""

    scan: Scan
    environ: Mapping[str, str]
    git: bool = False
    respect_gitignore: bool = False
    _histories: dict[Path, Repository] = field(default_factory=dict)
    """The repositories found, by the folder with their objects."""
    _noted: set[Path] = field(default_factory=set)
    """The folders that were searched for a repository."""

    def search(self, path: Path) -> None:
        """Search a file, a pipe or a folder that a person named."""
        self.scan.check_name(TextOrigin(str(path)), os.fsencode(path.name))
        if path.is_dir():
            self._note_history(path)
            self._search_folder(path)
        else:
            self._search_file(path, os.O_RDONLY)

    def search_stream(self, stream: BinaryIO) -> None:
        """Search standard input."""
        self.scan.searched["files"] += 1
        try:
            self.scan.read(TextOrigin("standard input"), stream, None)
        except OSError as error:
            self.scan.report_gap("standard input", describe_error(error))

    def finish(self) -> None:
        """Search the histories of the repositories that were found, or count them as skipped."""
        if not self.git:
            self.scan.skipped[HISTORIES] += len(self._histories)
            return
        if not self._histories and not self.scan.gaps:
            raise UsageError("--git: there is no git repository at these paths; leave out the option, or name one")
        for repository in self._histories.values():
            repository.search(self.scan)

    def _search_folder(self, folder: Path) -> None:
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            try:
                paths = self._list_kept(here) if self.respect_gitignore else self._list_all(here)
            except OSError as error:
                self.scan.report_gap(str(here), describe_error(error))
            else:
                waiting += reversed([path for path in paths if self._search_entry(path)])

    def _list_all(self, folder: Path) -> list[Path]:
        """Return what is in a folder; objects of git are compressed, so only git can search them."""
        paths = sorted(folder.iterdir())
        if (folder / ".git").exists():
            self._note_history(folder)
        elif is_git_folder(folder):
            self._note_history(folder.parent if folder.name == ".git" else folder)
            return [path for path in paths if path.name != "objects"]
        return paths

    def _list_kept(self, folder: Path) -> list[Path]:
        """Return the files below a folder that git does not ignore, and the folders of further repositories."""
        self._note_history(folder)
        try:
            repository = Repository.find(folder, self.environ)
            if repository is None or repository.work_tree is None:
                raise UsageError(f"--respect-gitignore: {folder} is in no work tree of git; leave out the option")
            kept, ignored = repository.list_files(folder)
        except GitFailed as error:
            raise UsageError(f"--respect-gitignore: {folder} {error}") from None
        self.scan.skipped[IGNORED] += ignored
        return kept

    def _note_history(self, folder: Path) -> None:
        if (here := folder.resolve()) in self._noted:
            return
        self._noted.add(here)
        try:
            repository = Repository.find(folder, self.environ)
        except GitFailed as error:
            if self.git:
                self.scan.report_gap(f"{folder}: git history", str(error))
        else:
            if repository is not None:
                self._histories.setdefault(repository.folder, repository)

    def _search_entry(self, path: Path) -> bool:
        """Search an entry of a folder; return whether it is a folder."""
        self.scan.check_name(TextOrigin(str(path)), os.fsencode(path.name))
        try:
            kind = path.lstat().st_mode
        except OSError as error:
            self.scan.report_gap(str(path), describe_error(error))
            return False
        if stat.S_ISREG(kind):
            self._search_file(path, QUICKLY)
        elif stat.S_ISLNK(kind):
            self.scan.skipped[LINKS] += 1
        elif not stat.S_ISDIR(kind):
            self.scan.skipped[SPECIAL] += 1
        return stat.S_ISDIR(kind)

    def _search_file(self, path: Path, flags: int) -> None:
        try:
            with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                self.scan.searched["files"] += 1
                size = status.st_size if stat.S_ISREG(status.st_mode) else None
                self.scan.read(TextOrigin(str(path)), cast("BinaryIO", file), size)
        except OSError as error:
            self.scan.report_gap(str(path), describe_error(error))


def require_searchable(paths: Iterable[Path]) -> None:
    """Raise UsageError, before anything is searched, where a path is nothing that can be searched."""
    for path in paths:
        try:
            kind = path.stat().st_mode
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror}); name files and folders that exist") from None
        if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind) or stat.S_ISFIFO(kind)):
            raise UsageError(f"{path}: is a device or a socket; name files and folders, or - for standard input")


def describe_error(error: OSError) -> str:
    """Return why a file or folder was not searched."""
    return f"cannot be read ({error.strerror or error})"
