"""Find known secret values in texts, however they are broken or encoded there; no value is kept for that.

A value is known by its fingerprint and its length, so that every window of that length is looked at. Where its checksum
is known too, all windows are told from it at once, and only the few that could be it are fingerprinted.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from credly_audit.secrets.decoding import Mask, Numbers, View, decode_views, squeeze
from credly_audit.secrets.fingerprint import Trace

Span = tuple[int, int]

Tables = list[tuple[int, Numbers | None]]
"""For each length, the shortest first, the checksums of the values; None: not all are known."""

DEEPEST = 3
"""How many encodings may be nested."""

SAME = 6
"""As in `is_masked`: no value holds one character so many times running."""

ADLER = 65_521


class KnownValues:
    """The traces of secret values; more may be added at any time, from any thread."""

    def __init__(self, digest: Callable[[str], str | None], traces: Iterable[Trace] = ()) -> None:
        self._digest = digest
        self.fingerprints: set[str] = set()
        self._checksums: dict[int, set[int] | None] = {}
        self._sorted: dict[int, Numbers | None] = {}
        for trace in traces:
            self.add(trace)

    def add(self, trace: Trace) -> None:
        """Remember a value; where one of its length has no checksum, all windows of that length are fingerprinted."""
        self.fingerprints.add(trace.fingerprint)
        known = self._checksums.setdefault(trace.length, set())
        if trace.checksum is None:
            self._checksums[trace.length] = None
        elif known is not None:
            known.add(trace.checksum)

    def add_all(self, fingerprints: Iterable[str], lengths: Iterable[int]) -> None:
        """Remember values of which it is not known which has which length."""
        self.fingerprints.update(fingerprints)
        self._checksums |= dict.fromkeys(lengths)

    @property
    def lengths(self) -> tuple[int, ...]:
        """The different lengths of the values, in ascending order."""
        return tuple(sorted(self._checksums))

    def find(self, joined: str) -> list[Span]:
        """Return where values stand in texts joined by SEPARATOR, in whatever form; in order, some may overlap."""
        return sorted(set(self._search(View.of(joined), self._sort_checksums(), 0))) if self._checksums else []

    def _sort_checksums(self) -> Tables:
        """Return the checksums of each length in ascending order, sorted again where values were added."""
        for length in self.lengths:
            known, before = self._checksums[length], self._sorted.get(length)
            if known is None:
                self._sorted[length] = None
            elif before is None or len(before) != len(known):
                self._sorted[length] = np.sort(np.fromiter(tuple(known), dtype=np.int64))
        return [(length, self._sorted[length]) for length in self.lengths]

    def _search(self, view: View, tables: Tables, depth: int) -> Iterator[Span]:
        shortest = tables[0][0]
        squeezed = squeeze(view)
        runs = squeezed.keep_long_runs(np.ones(len(squeezed.codes), dtype=bool), shortest)
        if runs is not None:
            yield from self._search_windows(runs, tables)
        if depth < DEEPEST:
            for decoded in decode_views(view, runs, shortest):
                yield from self._search(decoded, tables, depth + 1)

    def _search_windows(self, view: View, tables: Tables) -> Iterator[Span]:
        """Yield the windows of a view of printable ASCII that are values."""
        text = view.text()
        closed = np.cumsum(view.barriers, dtype=np.int32)
        same = np.cumsum(_find_repeats(view.codes), dtype=np.int32)
        sums = _sum_up_lengths(view.codes), _sum_up_lengths(view.codes * np.arange(len(text)))
        for length, checksums in tables:
            windows = len(text) - length + 1
            if windows <= 0:
                return
            possible = closed[:windows] == closed[length - 1 :]
            possible &= same[SAME - 2 :][:windows] == same[length - 1 :]
            firsts = np.flatnonzero(possible)
            if checksums is not None:
                sought = _compute_checksums(*sums, firsts, length)
                places = np.minimum(np.searchsorted(checksums, sought), len(checksums) - 1)
                firsts = firsts[checksums[places] == sought]
            for first in firsts.tolist():
                if self._digest(text[first : first + length]) in self.fingerprints:
                    yield int(view.starts[first]), int(view.ends[first + length - 1])


def _find_repeats(codes: Numbers) -> Mask:
    """Return where one character is repeated as often as in no value."""
    ends = np.zeros(len(codes), dtype=bool)
    many = max(0, len(codes) - SAME + 1)
    repeated = codes[1:] == codes[:-1]
    ends[SAME - 1 :] = np.logical_and.reduce([repeated[first : first + many] for first in range(SAME - 1)])
    return ends


def _sum_up_lengths(numbers: Numbers) -> Numbers:
    sums = np.zeros(len(numbers) + 1, dtype=np.int64)
    np.cumsum(numbers, out=sums[1:])
    return sums


def _compute_checksums(sums: Numbers, weighted: Numbers, firsts: Numbers, length: int) -> Numbers:
    """Return Adler-32 of each window that begins at `firsts`, from the sums of all characters before each place."""
    total = sums[firsts + length] - sums[firsts]
    low = (1 + total) % ADLER
    high = (length + (firsts + length) * total - (weighted[firsts + length] - weighted[firsts])) % ADLER
    checksums: Numbers = (high << 16) | low
    return checksums
