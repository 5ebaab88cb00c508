"""How much a finding weighs."""

from enum import StrEnum


class Severity(StrEnum):
    """From the lightest to the heaviest."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def weight(self) -> int:
        """0 for info to 4 for critical."""
        return list(Severity).index(self)
