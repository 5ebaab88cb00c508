"""Fingerprints of secret values: 16 hex digits of a digest."""

import hashlib
import hmac
import re
import zlib
from dataclasses import dataclass, field
from typing import Self

from credly_audit.secrets import Secret

SHORTEST = 16

SAME = re.compile(r"(.)\1\1\1\1\1", re.DOTALL)
"""One character six times running; one expression for this and a mask's characters would take thrice as long."""


def is_masked(value: str) -> bool:
    """Whether it holds what no value does: a mask's character, or one character six times running."""
    return "*" in value or "•" in value or bool(SAME.search(value))


@dataclass(frozen=True, slots=True)
class Trace:
    """What is remembered of a secret value: enough to recognize it, not enough to use it."""

    fingerprint: str
    length: int
    checksum: int | None = field(default=None, repr=False, compare=False)
    """Adler-32, by which most texts are distinguished from the value at once; kept in memory only."""

    @classmethod
    def of(cls, value: str, fingerprint: str) -> Self:
        """Return the trace of a value whose fingerprint is known."""
        return cls(fingerprint, len(value), zlib.adler32(value.encode("utf-8", "surrogatepass")))


class Fingerprints:
    """Fingerprints of one run: SHA-256, or HMAC-SHA-256 where there is a key; they compare under one key only."""

    def __init__(self, key: Secret | None = None) -> None:
        self._keyed = hmac.new(key.reveal().encode(), digestmod="sha256") if key else hashlib.sha256()
        self.key_fingerprint = self.digest("credly-audit fingerprint key") if key else None
        """Identifies the key without revealing it; None: there is none."""

    def of(self, value: str | None) -> str | None:
        """Return the first 16 hex digits; None for a value that is withheld, masked or too short to be one."""
        if value is None or len(value) < SHORTEST or is_masked(value):
            return None
        return self.digest(value)

    def trace(self, value: str) -> Trace | None:
        """Return the trace of a value; None where it has no fingerprint."""
        fingerprint = self.of(value)
        return None if fingerprint is None else Trace.of(value, fingerprint)

    def digest(self, text: str) -> str:
        """Return the first 16 hex digits of any text."""
        digest = self._keyed.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]
