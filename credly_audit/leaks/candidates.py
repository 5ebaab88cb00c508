"""Find values of known fingerprints in bytes: as they are, and encoded in the ways that text files encode them.

A value is made of letters, digits, `-` and `_`, and its length is known, so every window of that length within a run of
these characters is fingerprinted. A run of other text is seldom long enough: whole blocks are told from it at once.
"""

import re
from binascii import a2b_base64
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from credly_audit.secrets.redaction import WORD

BASE64, UTF_16, PERCENT, ESCAPED = "Base64", "UTF-16", "URL-encoded", "escaped"
"""The forms in which a value is found, beside that of plain text."""

DEEPEST = 3
"""How many encodings may be nested."""

LONGEST_FORM = 48
"""Bytes that a character of a value takes at most: eight backslashes, `U0000002d`, in UTF-16, in Base64."""

IS_WORD = bytes(chr(code) in WORD for code in range(256))
STANDARD_BASE64 = bytes.maketrans(b"-_", b"+/")
BASE64_GROUP = 4

CODE = rb"(?:2[dD]|3[0-9]|4[1-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aA])"
"""The hex digits of a character of a value."""

MARKS = (
    re.compile(rb"%" + CODE),
    re.compile(rb"\\(?:u00|U000000|x)" + CODE),
    re.compile(rb"&#(?:[0-9]{2,3}|[xX]" + CODE + rb");"),
)
"""Escapes of URLs, of JSON and programming languages, and of HTML; each begins with a literal, which is fast."""

ESCAPE = re.compile(
    rb"%(" + CODE + rb")|\\{1,8}(?:u00|U000000|x)(" + CODE + rb")|&#[xX](" + CODE + rb");|&#([0-9]{2,3});"
)
ESCAPED_RUN = re.compile(rb"(?:[A-Za-z0-9_-]|" + ESCAPE.pattern.replace(b"(" + CODE + b")", CODE) + rb")+")
NUMBER = re.compile(rb"[0-9a-f_-]{17,}|[0-9A-F_-]{17,}")
"""What digests and identifiers in hexadecimal are made of, longer than the shortest value."""

WORD_RUN = re.compile(rb"[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Match:
    """A value: where its text begins, its fingerprint, and how it is encoded, the outermost form first."""

    offset: int
    fingerprint: str
    forms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """What a part of a text holds in encoded form."""

    offset: int
    form: str
    content: bytes


class ValueSearch:
    """Finds the values of these fingerprints and lengths; `digest` makes the fingerprint of a text."""

    def __init__(self, digest: Callable[[str], str], fingerprints: Collection[str], lengths: Collection[int]) -> None:
        self._digest = digest
        self._fingerprints = frozenset(fingerprints)
        self._lengths = sorted(lengths)
        self.reach = LONGEST_FORM * self._lengths[-1]
        """Bytes that a value in any form takes at most: so much of a block is searched again with the next one."""

    def find(self, content: bytes) -> list[Match]:
        """Return the values in a text, in the order of their places; one can be found in several forms."""
        return sorted(self._search(content, ()), key=lambda match: match.offset)

    def _search(self, content: bytes, forms: tuple[str, ...]) -> Iterator[Match]:
        runs = find_long_runs(content, self._lengths[0])
        for start, end in runs:
            for fingerprint in self._match_windows(content[start:end]):
                yield Match(start, fingerprint, forms)
        if len(forms) == DEEPEST:
            return
        yield from self._search_pieces(
            [*decode_escapes(content, self.reach), *self._decode_base64(content, runs)], forms
        )
        if b"\0" in content:
            for offset in range(2):
                for match in self._search(take_every_second(content, offset), (*forms, UTF_16)):
                    yield Match(offset + 2 * match.offset, match.fingerprint, match.forms)

    def _match_windows(self, run: bytes) -> Iterator[str]:
        """Yield the fingerprints of the values that a run holds; no random value is a part of a long hex number."""
        numbers = [found.span() for found in NUMBER.finditer(run)]
        text = run.decode("ascii")
        for length in self._lengths:
            for first in list_windows(len(run), length, numbers):
                if (fingerprint := self._digest(text[first : first + length])) in self._fingerprints:
                    yield fingerprint

    def _search_pieces(self, pieces: list[Piece], forms: tuple[str, ...]) -> Iterator[Match]:
        """Search what was decoded, all of one form at once."""
        for form in dict.fromkeys(piece.form for piece in pieces):
            chosen = [piece for piece in pieces if piece.form == form]
            begins = list(accumulate((len(piece.content) + 1 for piece in chosen), initial=0))
            for match in self._search(b"\n".join(piece.content for piece in chosen), (*forms, form)):
                yield Match(chosen[bisect_right(begins, match.offset) - 1].offset, match.fingerprint, match.forms)

    def _decode_base64(self, content: bytes, runs: Iterable[tuple[int, int]]) -> Iterator[Piece]:
        """Yield what long runs hold as Base64, read from each of the four places at which a group can begin.

        That of a value has no `+` and no `/` but at its very end, where it shares a character with what follows.
        """
        least = -(-self._lengths[0] * 4 // 3) - 1
        for start, end in runs:
            if end - start >= least and not NUMBER.fullmatch(content, start, end):
                until = end + (content[end : end + 1] in {b"+", b"/"})
                digits = content[start:until].translate(STANDARD_BASE64)
                for before in range(BASE64_GROUP):
                    after = -(before + len(digits)) % BASE64_GROUP
                    yield Piece(start, BASE64, a2b_base64(b"A" * before + digits + b"A" * after))


def find_long_runs(content: bytes, least: int) -> list[tuple[int, int]]:
    """Return where at least so many characters of values follow each other, as pairs of begin and end."""
    fits = np.frombuffer(content.translate(IS_WORD), dtype=bool)
    width = 1
    while width < least:
        step = min(width, least - width)
        fits = fits[:-step] & fits[step:]
        width += step
    places = np.flatnonzero(fits)
    if not len(places):
        return []
    gaps = np.flatnonzero(np.diff(places) > 1)
    starts = places[np.concatenate(([0], gaps + 1))]
    ends = places[np.concatenate((gaps, [len(places) - 1]))] + least
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def list_windows(size: int, length: int, numbers: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Yield where windows of a run begin; all but those within the numbers, unless one window is the whole run."""
    if size == length:
        yield 0
        return
    first, last = 0, size - length
    for start, end in numbers:
        if end - start >= length:
            yield from range(first, min(start, last + 1))
            first = end - length + 1
    yield from range(first, last + 1)


def decode_escapes(content: bytes, reach: int) -> Iterator[Piece]:
    """Yield the runs that hold escaped characters of values, with these read; each begins `reach` before the first."""
    if not any(mark.search(content) for mark in MARKS):
        return
    done = 0
    while found := ESCAPE.search(content, done):
        before = content[max(done, found.start() - reach) : found.start()][::-1]
        start = found.start() - len(_match_all(WORD_RUN, before, 0))
        run = _match_all(ESCAPED_RUN, content, start)
        yield Piece(start, PERCENT if found[0].startswith(b"%") else ESCAPED, ESCAPE.sub(_read_escape, run))
        done = start + len(run)


def _match_all(pattern: re.Pattern[bytes], content: bytes, start: int) -> bytes:
    found = pattern.match(content, start)
    return found[0] if found else b""


def _read_escape(found: re.Match[bytes]) -> bytes:
    digits = found[1] or found[2] or found[3]
    code = int(digits, 16) if digits else int(found[4])
    return bytes([code]) if code < len(IS_WORD) else b" "


def take_every_second(content: bytes, offset: int) -> bytes:
    """Return the characters of UTF-16 of either byte order at even or at odd places; other bytes become line feeds."""
    codes = np.frombuffer(content, dtype=np.uint8)
    chosen = codes[offset::2].copy()
    is_zero = np.concatenate(([False], codes == 0, [False]))
    beside_zero = is_zero[offset::2][: len(chosen)] | is_zero[offset + 2 :: 2][: len(chosen)]
    chosen[~beside_zero | (chosen == 0)] = ord("\n")
    return chosen.tobytes()
