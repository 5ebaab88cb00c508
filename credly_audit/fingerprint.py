"""How a secret value is remembered: by a digest of which 16 hex digits are kept."""

import hashlib
import hmac
import re

from credly_audit.secrets import Secret

SHORTEST = 16

MASKED = re.compile(r"[*•]|(.)\1{5}", re.DOTALL)
"""What no value holds: a mask's character, or one character six times running."""


class Fingerprints:
    """Fingerprints of one run: SHA-256, or HMAC-SHA-256 where there is a key; they compare under one key only."""

    def __init__(self, key: Secret | None = None) -> None:
        self._keyed = hmac.new(key.reveal().encode(), digestmod="sha256") if key else hashlib.sha256()
        self.key_fingerprint = self._digest("credly-audit fingerprint key") if key else None
        """Names the key without telling it; None: there is none."""

    def of(self, value: str | None) -> str | None:
        """The first 16 hex digits; None for a value that is withheld, masked or too short to be one."""
        if value is None or len(value) < SHORTEST or MASKED.search(value):
            return None
        return self._digest(value)

    def _digest(self, text: str) -> str:
        digest = self._keyed.copy()
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]
