"""Redact every text from outside before it reaches a report, a file, a log or a message.

A secret is known by its fingerprint, so that no value has to be kept to look for it, or by its shape.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credly_audit.secrets.decoding import SEPARATOR, View, build_doubt_pattern
from credly_audit.secrets.fingerprint import SHORTEST, Trace
from credly_audit.secrets.known_values import KnownValues, Span
from credly_audit.secrets.shape import REDACTED as SHOWN_INSTEAD
from credly_audit.secrets.shape import SHORTEST as SHORTEST_SHAPE
from credly_audit.secrets.shape import find_random_runs

REDACTED = SHOWN_INSTEAD

LOOKS_LIKE_A_VALUE = (
    "what looks like a token's value: remove it, and rotate that token if it is one (an address with such an id can be "
    "left out)"
)
"""Finding with a text that a person wrote and that would appear in reports."""

RUN = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST},}}")
"""The alphabet of Credly's values (base64url); what is shorter has no fingerprint."""

WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")

INVISIBLE = re.compile(
    "[\x01-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
"""Characters that a reader does not see within a word: controls, and Unicode's Default_Ignorable_Code_Point."""

SHAPE_DOUBT = SHORTEST_SHAPE, f"[^ -~]|[A-Za-z0-9_-]{{{SHORTEST_SHAPE}}}"
"""The length from which on a text can hold what has the shape of a value, and an expression that matches in it then."""

BATCH, OVERLAP = 1 << 17, 1 << 12
"""Characters that are searched at once, and how many of a longer text are searched twice."""


class Redactor:
    """Redacts values that it knows by fingerprint and length; `know` may be called from any thread.

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

    def redact_and_count(self, text: str) -> tuple[str, int]:
        """Return the text with each secret replaced by `[redacted]`, and how many there were."""
        [clean], [count] = self.redact_column([text])
        return clean or "", count

    def redact(self, text: str) -> str:
        """Return the text with each secret replaced by `[redacted]`."""
        return self.redact_and_count(text)[0]

    def redact_values(self, text: str) -> str:
        """Return the text with each known value replaced; what only has the shape of one stays."""
        [clean], _ = self.redact_column([text], by_shape=False)
        return clean or ""

    def redact_column(
        self, texts: Sequence[str | None], *, by_shape: bool = True
    ) -> tuple[list[str | None], list[int]]:
        """Return each text with each secret replaced by `[redacted]`, and how many there were; null stays null."""
        different = self._select_doubtful(filter(None, dict.fromkeys(texts)), by_shape=by_shape)
        spans = _search_each(different, lambda joined: self._find_spans(joined, by_shape=by_shape))
        if not spans:
            return list(texts), [0] * len(texts)
        replaced = {text: _replace(text, found) for text, found in spans.items()}
        outcomes = [replaced.get(text or "", (text, 0)) for text in texts]
        return [clean for clean, _ in outcomes], [count for _, count in outcomes]

    def _select_doubtful(self, texts: Iterable[str], *, by_shape: bool) -> list[str]:
        """Return the texts that may hold a secret: long enough, and not of short words only."""
        doubts = [(least, build_doubt_pattern(least)) for least in self.lengths[:1]] + (
            [SHAPE_DOUBT] if by_shape else []
        )
        if not doubts:
            return []
        shortest = min(least for least, _ in doubts)
        some = [text for text in texts if len(text) >= shortest]
        encoded = pa.array([text.encode("utf-8", "surrogatepass") for text in some], pa.large_binary())
        matches = pc.match_substring_regex(encoded, "|".join(expression for _, expression in doubts))
        return [some[place] for place in pc.indices_nonzero(matches).to_pylist()]

    def _find_spans(self, joined: str, *, by_shape: bool) -> list[Span]:
        return self._known.find(joined) + (find_shapes(joined) if by_shape else [])


def looks_like_a_value(text: str) -> bool:
    """Return whether the text holds something that has the shape of a token's value."""
    return bool(find_shapes(text))


def find_shapes(text: str) -> list[Span]:
    """Where the text holds runs that have the shape of a value, as they are, or in look-alikes and invisibly parted."""
    found = find_random_runs(text)
    hidden = [match.start() for match in INVISIBLE.finditer(text)]
    if hidden or not text.isascii():
        visible = np.ones(len(text), dtype=bool)
        visible[hidden] = False
        view = View.of(text).take(visible, barrier=False)
        found += [(int(view.starts[start]), int(view.ends[end - 1])) for start, end in find_random_runs(view.text())]
    return found


def _search_each(texts: Sequence[str], find: Callable[[str], list[Span]]) -> dict[str, list[Span]]:
    """Return the texts in which `find` finds something, and what; it is given many texts at once."""
    spans: dict[str, list[Span]] = {}
    for batch in _make_batches(texts):
        found = _search_parts(SEPARATOR.join(batch), find)
        begins = list(accumulate((len(text) + 1 for text in batch), initial=0)) if found else []
        for start, end in found:
            place = bisect_right(begins, start) - 1
            spans.setdefault(batch[place], []).append((start - begins[place], end - begins[place]))
    return spans


def _make_batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
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


def _search_parts(joined: str, find: Callable[[str], list[Span]]) -> list[Span]:
    found: list[Span] = []
    for offset in range(0, max(1, len(joined) - OVERLAP), BATCH - OVERLAP):
        found += [(start + offset, end + offset) for start, end in find(joined[offset : offset + BATCH])]
    return found


def _replace(text: str, spans: Iterable[Span]) -> tuple[str, int]:
    """Return the text with each span, and the run around it, replaced; and how many there were."""
    parts: list[str] = []
    done = count = 0
    for start, end in sorted(spans):
        if end <= done:
            continue
        begin = _find_run_begin(text, start, done)
        if begin > done or not count:
            parts += [text[done:begin], REDACTED]
            count += 1
        done = _find_run_end(text, max(end, done))
    return "".join([*parts, text[done:]]), count


def _find_run_begin(text: str, start: int, least: int) -> int:
    start = max(start, least)
    while start > least and text[start - 1] in WORD:
        start -= 1
    return start


def _find_run_end(text: str, end: int) -> int:
    while end < len(text) and text[end] in WORD:
        end += 1
    return end
