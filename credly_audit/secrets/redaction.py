"""The one redactor: every text from outside passes it before it reaches a report, a file, a log or a message.

A secret is known by its fingerprint, so that no value has to be kept to look for it, or by its shape.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credly_audit.secrets.decoding import SEPARATOR, View, doubt
from credly_audit.secrets.fingerprint import SHORTEST, Trace
from credly_audit.secrets.known_values import KnownValues, Span
from credly_audit.secrets.shape import REDACTED as SHOWN_INSTEAD
from credly_audit.secrets.shape import SHORTEST as SHORTEST_SHAPE
from credly_audit.secrets.shape import random_runs

REDACTED = SHOWN_INSTEAD

LOOKS_LIKE_A_VALUE = (
    "what looks like a token's value: remove it, and rotate that token if it is one (an address with such an id can be "
    "left out)"
)
"""What is wrong with a text of a person that would come into reports."""

RUN = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST},}}")
"""The alphabet of Credly's values (base64url); what is shorter has no fingerprint."""

WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")

INVISIBLE = re.compile(
    "[\x01-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
"""What a reader does not see within a word: controls, and Unicode's Default_Ignorable_Code_Point."""

SHAPE_DOUBT = SHORTEST_SHAPE, f"[^ -~]|[A-Za-z0-9_-]{{{SHORTEST_SHAPE}}}"
"""The length from which on a text can hold what has the shape of a value, and an expression that matches in it then."""

BATCH, OVERLAP = 1 << 17, 1 << 12
"""Characters that are searched at once, and how many of a longer text are searched twice."""


class Redactor:
    """Knows values by fingerprint and length; safe to tell more from any thread.

    `digest` makes the fingerprint of a text; `Fingerprints.of` would do the same more slowly.
    """

    def __init__(self, digest: Callable[[str], str | None], traces: Iterable[Trace] = ()) -> None:
        self.digest = digest
        self._known = KnownValues(digest, traces)
        self.know = self._known.add
        self.know_all = self._known.add_all

    @property
    def fingerprints(self) -> set[str]:
        """The fingerprints of the values that it knows."""
        return self._known.fingerprints

    @property
    def lengths(self) -> tuple[int, ...]:
        """The different lengths of the values that it knows, in ascending order."""
        return self._known.lengths

    def redacted(self, text: str) -> tuple[str, int]:
        """The text with each secret replaced by `[redacted]`, and how many there were."""
        [clean], [count] = self.column([text])
        return clean or "", count

    def words(self, text: str) -> str:
        """The text without secrets."""
        return self.redacted(text)[0]

    def without_values(self, text: str) -> str:
        """The text without known values; what only has the shape of one stays."""
        [clean], _ = self.column([text], by_shape=False)
        return clean or ""

    def column(self, texts: Sequence[str | None], *, by_shape: bool = True) -> tuple[list[str | None], list[int]]:
        """Each text with each secret replaced by `[redacted]`, and how many there were; null stays null."""
        different = self._doubtful(filter(None, dict.fromkeys(texts)), by_shape=by_shape)
        spans = _of_each(different, lambda joined: self._spans(joined, by_shape=by_shape))
        if not spans:
            return list(texts), [0] * len(texts)
        replaced = {text: _replaced(text, found) for text, found in spans.items()}
        outcomes = [replaced.get(text or "", (text, 0)) for text in texts]
        return [clean for clean, _ in outcomes], [count for _, count in outcomes]

    def _doubtful(self, texts: Iterable[str], *, by_shape: bool) -> list[str]:
        """The texts that one look does not clear: long enough, and not of short words alone."""
        doubts = [(least, doubt(least)) for least in self.lengths[:1]] + ([SHAPE_DOUBT] if by_shape else [])
        if not doubts:
            return []
        shortest = min(least for least, _ in doubts)
        some = [text for text in texts if len(text) >= shortest]
        encoded = pa.array([text.encode("utf-8", "surrogatepass") for text in some], pa.large_binary())
        matches = pc.match_substring_regex(encoded, "|".join(expression for _, expression in doubts))
        return [some[place] for place in pc.indices_nonzero(matches).to_pylist()]

    def _spans(self, joined: str, *, by_shape: bool) -> list[Span]:
        return self._known.find(joined) + (shaped(joined) if by_shape else [])


def looks_like_a_value(text: str) -> bool:
    """Whether the text holds something that has the shape of a token's value."""
    return bool(shaped(text))


def shaped(text: str) -> list[Span]:
    """Where the text holds runs that have the shape of a value, as they are, or in look-alikes and invisibly parted."""
    found = random_runs(text)
    hidden = [match.start() for match in INVISIBLE.finditer(text)]
    if hidden or not text.isascii():
        visible = np.ones(len(text), dtype=bool)
        visible[hidden] = False
        view = View.of(text).take(visible, barrier=False)
        found += [(int(view.starts[start]), int(view.ends[end - 1])) for start, end in random_runs(view.text())]
    return found


def _of_each(texts: Sequence[str], find: Callable[[str], list[Span]]) -> dict[str, list[Span]]:
    """Return the texts in which `find` finds something, and what; it is given many texts at once."""
    spans: dict[str, list[Span]] = {}
    for batch in _batches(texts):
        found = _in_parts(SEPARATOR.join(batch), find)
        begins = list(accumulate((len(text) + 1 for text in batch), initial=0)) if found else []
        for start, end in found:
            place = bisect_right(begins, start) - 1
            spans.setdefault(batch[place], []).append((start - begins[place], end - begins[place]))
    return spans


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield texts that are searched at once; one that is too long for that is alone."""
    first = size = 0
    for number, text in enumerate(texts):
        size += len(text) + 1
        if size > BATCH:
            if first < number:
                yield texts[first:number]
            first, size = number, len(text) + 1
    if size:
        yield texts[first:]


def _in_parts(joined: str, find: Callable[[str], list[Span]]) -> list[Span]:
    found: list[Span] = []
    for offset in range(0, max(1, len(joined) - OVERLAP), BATCH - OVERLAP):
        found += [(start + offset, end + offset) for start, end in find(joined[offset : offset + BATCH])]
    return found


def _replaced(text: str, spans: Iterable[Span]) -> tuple[str, int]:
    """The text with each span, and the run that it stands in, replaced; and how many that were."""
    parts: list[str] = []
    done = count = 0
    for start, end in sorted(spans):
        if end <= done:
            continue
        begin = _run_begins(text, start, done)
        if begin > done or not count:
            parts += [text[done:begin], REDACTED]
            count += 1
        done = _run_ends(text, max(end, done))
    return "".join([*parts, text[done:]]), count


def _run_begins(text: str, start: int, least: int) -> int:
    start = max(start, least)
    while start > least and text[start - 1] in WORD:
        start -= 1
    return start


def _run_ends(text: str, end: int) -> int:
    while end < len(text) and text[end] in WORD:
        end += 1
    return end
