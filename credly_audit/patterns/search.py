"""Looks for people's patterns in descriptions, with a deadline: what is not known in time is never "no match"."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from time import perf_counter, thread_time

import numpy as np
import pandas as pd
import regex

from credly_audit.errors import AuditError
from credly_audit.patterns.translation import translate

SECONDS_A_TEXT, SECONDS_IN_ALL = 1.0, 10.0

ORDINARY = 10e-6
"""Seconds that a search may take without counting: a million descriptions are no reason to stop."""

UNREMARKABLE = 100e-6
"""Seconds of a search after which the time is looked at."""

PROBES = ("", "a", "0", " ", "-", "é", "a a")
"""Texts in which a pattern that asks for no letter is found."""


class TooSlow(AuditError):  # noqa: N818 - as it is told
    """A pattern could not be looked for in time, so that nobody can say where it is found."""


@cache
def compile_pattern(pattern: str) -> "regex.Pattern[str]":
    """Return what finds a pattern; ValueError, as the end of a sentence, where it is none."""
    try:
        return regex.compile(translate(pattern), regex.V0)
    except (re.error, regex.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None


def check_pattern(pattern: str) -> str:
    """Return a pattern as it is written; ValueError, as the end of a sentence, where it is none or fits any text."""
    compiled = compile_pattern(pattern)
    with suppress(TimeoutError):
        if any((found := compiled.search(text, timeout=SECONDS_A_TEXT)) and not found.group() for text in PROBES):
            raise ValueError(
                "matches the empty text and therefore every description; write `.+` if any description is acceptable"
            )
    return pattern


@dataclass(slots=True)
class Deadline:
    """The time that all patterns of an audit may take together, in seconds of the processor."""

    spent: float = 0.0
    searches: int = 0

    def find(self, compiled: "regex.Pattern[str]", texts: Iterable[str]) -> list[bool]:
        """Return in which of the texts the pattern is found; OutOfTime where that cannot be told in time."""
        found: list[bool] = []
        begun, most = thread_time(), self._most
        for number, text in enumerate(texts):
            started = perf_counter()
            try:
                found.append(compiled.search(text, timeout=most) is not None)
            except TimeoutError:
                raise OutOfTime(text, in_all=most < SECONDS_A_TEXT) from None
            if perf_counter() - started > UNREMARKABLE or not number % 1_000:
                now = thread_time()
                self.spent += now - begun
                begun, most = now, self._most
            self.searches += 1
        self.spent += thread_time() - begun
        return found

    @property
    def _most(self) -> float:
        """What the next search may take."""
        return max(min(SECONDS_A_TEXT, SECONDS_IN_ALL + ORDINARY * self.searches - self.spent), 0.001)


class OutOfTime(Exception):  # noqa: N818 - nobody's error yet
    """A search that took too long, by itself or after all the others."""

    def __init__(self, text: str, *, in_all: bool) -> None:
        super().__init__()
        self.text, self.in_all = text, in_all


@dataclass
class Search:
    """Looks for patterns in a column of texts: once in each different text, whichever rows are asked for."""

    texts: pd.Series
    deadline: Deadline = field(default_factory=Deadline)
    _known: dict[str, tuple[np.ndarray, np.ndarray]] = field(init=False, default_factory=dict)
    """For each pattern the numbers of the texts that it was looked for in, in order, and whether it was found."""

    @cached_property
    def _told_apart(self) -> tuple[np.ndarray, np.ndarray]:
        """For each row the number of its text (-1: null), and the different texts; made when first needed."""
        codes, different = pd.factorize(self.texts)
        return codes, np.asarray(different, dtype=object)

    def find(self, pattern: str, rows: np.ndarray | None = None, place: str = "a rule") -> np.ndarray:
        """Return in which of the rows the pattern is found, false where a text is null; TooSlow, naming the place."""
        every, different = self._told_apart
        wanted = every if rows is None else every[rows]
        codes, found = self._known.get(pattern, (np.array([-1]), np.array([False])))  # -1: null
        new = np.setdiff1d(wanted, codes)
        try:
            fresh = self.deadline.find(compile_pattern(pattern), different[new])
        except OutOfTime as stopped:
            raise TooSlow(_describe_timeout(place, pattern, stopped)) from None
        order = np.argsort(codes := np.append(codes, new))
        codes, found = codes[order], np.append(found, np.array(fresh, dtype=bool))[order]
        self._known[pattern] = codes, found
        mask: np.ndarray = found[np.searchsorted(codes, wanted)]
        return mask


def _describe_timeout(place: str, pattern: str, stopped: OutOfTime) -> str:
    most = f"{SECONDS_IN_ALL:.0f} s in all" if stopped.in_all else f"{SECONDS_A_TEXT:.0f} s"
    return (
        f"{place}: the pattern {pattern!r:.200} was stopped after {most}, at a description of {len(stopped.text):,} "
        "characters, so it is not known whether it matches; write it without repetitions that can share letters, such "
        "as (a|aa)+; `credly-audit config validate` tests it"
    )
