"""Takes secrets out of texts: descriptions that somebody pasted a token into, and the API's own words.

A secret is known by its fingerprint, so that no value has to be kept to look for it, or by its shape.
"""

import re
from collections.abc import Callable, Iterable

from credly_audit.credly.auth import Trace
from credly_audit.fingerprint import SHORTEST
from credly_audit.secret_shape import looks_random

REDACTED = "[redacted]"

RUN = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST},}}")
"""The alphabet of Credly's values (base64url); what is shorter has no fingerprint."""


class Redactor:
    """Knows values by fingerprint and length; safe to tell more from any thread."""

    def __init__(self, fingerprint_of: Callable[[str], str | None], traces: Iterable[Trace] = ()) -> None:
        self._fingerprint_of = fingerprint_of
        self.fingerprints: set[str] = set()
        self.lengths: set[int] = set()
        for trace in traces:
            self.know(trace)

    def know(self, trace: Trace) -> None:
        """Remember a value."""
        self.fingerprints.add(trace.fingerprint)
        self.lengths.add(trace.length)

    def redacted(self, text: str) -> tuple[str, int]:
        """The text with each secret replaced by `[redacted]`, and how many there were."""
        count = 0

        def judged(run: re.Match[str]) -> str:
            nonlocal count
            if looks_random(run[0]) or self._holds_a_value(run[0]):
                count += 1
                return REDACTED
            return run[0]

        return RUN.sub(judged, text), count

    def words(self, text: str) -> str:
        """The text without secrets."""
        return self.redacted(text)[0]

    def without_values(self, text: str) -> str:
        """The text without known values; what only has the shape of one stays."""
        return RUN.sub(lambda run: REDACTED if self._holds_a_value(run[0]) else run[0], text)

    def _holds_a_value(self, run: str) -> bool:
        """Whether any part of the run is a known value."""
        return any(
            self._fingerprint_of(run[start : start + length]) in self.fingerprints
            for length in sorted(self.lengths)
            for start in range(len(run) - length + 1)
        )
