"""Search streams for values, whatever archives and encodings they are in, and keep account of what was read."""

import io
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import BinaryIO, cast

from credly_audit.leaks.archives import (
    DAMAGE,
    DEEPEST,
    HEAD,
    OVERHEAD,
    Allowance,
    Metered,
    Opener,
    Rejoined,
    TooLarge,
    describe_damage,
    find_opener,
    name_foreign,
)
from credly_audit.leaks.candidates import Match, ValueSearch

BLOCK = 1 << 20

SHORT_ID = 12
"""Hex digits of an object id that people read."""

MOST_LINES = 100
"""Lines of one file that are reported for one value; further ones are counted."""


@dataclass(frozen=True, slots=True)
class GitObject:
    """An object of a git repository: a `blob`, `commit`, `tag` or `tree`.

    A blob has the path, the commit and the day with which it first came into the history; None where no branch, tag or
    reflog leads to it.
    """

    id: str
    kind: str
    path: str | None = None
    commit: str | None = None
    day: str | None = None

    def describe(self, rest: str) -> str:
        """Return how the object is called within its repository; `rest` is what follows its path."""
        called = f"{self.kind} {self.id[:SHORT_ID]}"
        if self.path is None:
            return f"{called}{rest}"
        return f"{self.path}{rest} ({called}, commit {(self.commit or '')[:SHORT_ID]} of {self.day})"


@dataclass(frozen=True, slots=True)
class TextOrigin:
    """Where a text is: a file, a member of an archive (`release.zip!/config.ini`), or an object of a repository."""

    path: str
    members: tuple[str, ...] = ()
    object: "GitObject | None" = None
    """The object of the repository at `path`; None: the text is a file."""

    def enter(self, member: str) -> "TextOrigin":
        """Return the place of a member; the content of a compressed file has no name of its own."""
        return replace(self, members=(*self.members, member)) if member else self

    def describe(self, line: int | None = None) -> str:
        """Return how the place is called, and its line."""
        rest = "".join([*(f"!/{member}" for member in self.members), "" if line is None else f":{line}"])
        return f"{self.path}{rest}" if self.object is None else f"{self.path}: {self.object.describe(rest)}"


@dataclass(frozen=True, slots=True)
class Leak:
    """A value that was found; without a line it is in the name of a file, and `forms` say how it is encoded there."""

    origin: TextOrigin
    line: int | None
    fingerprint: str
    forms: tuple[str, ...]

    @property
    def place(self) -> str:
        """How its place is called."""
        return f"{self.origin.describe(self.line)}{' (the name of the file)' if self.line is None else ''}"


@dataclass(frozen=True, slots=True)
class Gap:
    """What could not be read, and why; `reason` continues a sentence that begins with the name."""

    name: str
    reason: str


@dataclass(slots=True)
class Scan:
    """One search, and what it has found and read so far."""

    search: ValueSearch
    leaks: list[Leak] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """How many of each kind were left out."""
    searched: Counter[str] = field(default_factory=Counter)
    """How many files, archives, members of archives, objects and bytes were searched."""
    omitted: int = 0
    """How many lines were left out where one file holds one value too often."""

    def read(self, origin: TextOrigin, stream: BinaryIO, size: int | None) -> None:
        """Search a file, an object or a stream, and what it holds; what is damaged or too large becomes a gap."""
        self._read(origin, stream, Allowance.of(size), 0)

    def check_name(self, origin: TextOrigin, name: bytes) -> None:
        """Search the name of a file or of a member."""
        for match in self.search.find(name):
            self.leaks.append(Leak(origin, None, match.fingerprint, match.forms))

    def report_gap(self, name: str, reason: str) -> None:
        """Remember what could not be read."""
        self.gaps.append(Gap(name, reason))

    def _read(self, origin: TextOrigin, stream: BinaryIO, allowance: Allowance, depth: int) -> None:
        head = read_head(stream)
        opener = find_opener(head)
        if opener is None:
            self._search_text(origin, chain([head], iter(lambda: stream.read(BLOCK), b"")))
            if foreign := name_foreign(head):
                self.report_gap(origin.describe(), f"is compressed ({foreign}); unpack it and search what it holds")
        elif depth == DEEPEST:
            self.report_gap(
                origin.describe(), f"is an archive within {DEEPEST} others; unpack it and search what it holds"
            )
        else:
            self._open(origin, opener, rewind(stream, head), allowance, depth)

    def _open(self, origin: TextOrigin, opener: Opener, stream: BinaryIO, allowance: Allowance, depth: int) -> None:
        self.searched["archives"] += 1
        try:
            for name, member in opener(stream):
                allowance.spend(OVERHEAD)
                self._read_member(origin.enter(name), name, member, allowance, depth)
        except TooLarge:
            if depth:
                raise
            self.report_gap(origin.describe(), "holds more than may be unpacked; unpack it and search what it holds")
        except DAMAGE as error:
            self.report_gap(origin.describe(), describe_damage(error))

    def _read_member(
        self, origin: TextOrigin, name: str, member: BinaryIO | str, allowance: Allowance, depth: int
    ) -> None:
        self.check_name(origin, name.encode("utf-8", "surrogateescape"))
        if isinstance(member, str):
            self.report_gap(origin.describe(), member)
            return
        self.searched["members"] += 1
        try:
            self._read(origin, cast("BinaryIO", io.BufferedReader(Metered(member, allowance))), allowance, depth + 1)
        except DAMAGE as error:
            self.report_gap(origin.describe(), describe_damage(error))

    def _search_text(self, origin: TextOrigin, blocks: Iterator[bytes]) -> None:
        found: set[tuple[int, str]] = set()
        lines = Counter[str]()
        for line, match in self._find_lines(blocks):
            if (line, match.fingerprint) in found:
                continue
            found.add((line, match.fingerprint))
            lines[match.fingerprint] += 1
            if lines[match.fingerprint] > MOST_LINES:
                self.omitted += 1
            else:
                self.leaks.append(Leak(origin, line, match.fingerprint, match.forms))

    def _find_lines(self, blocks: Iterator[bytes]) -> Iterator[tuple[int, Match]]:
        """Yield each value with its line; the end of a block is searched again with the next one."""
        line, rest = 1, b""
        for block in blocks:
            self.searched["bytes"] += len(block)
            content = rest + block
            for match in self.search.find(content):
                yield line + content.count(b"\n", 0, match.offset), match
            kept = max(0, len(content) - self.search.reach)
            line += content.count(b"\n", 0, kept)
            rest = content[kept:]


def read_head(stream: BinaryIO) -> bytes:
    """Return the first bytes of a stream, fewer only where it ends."""
    head = b""
    while len(head) < HEAD and (more := stream.read(HEAD - len(head))):
        head += more
    return head


def rewind(stream: BinaryIO, head: bytes) -> BinaryIO:
    """Return a stream that begins with its head again."""
    if stream.seekable():
        stream.seek(-len(head), os.SEEK_CUR)
        return stream
    return cast("BinaryIO", io.BufferedReader(Rejoined(head, stream)))
