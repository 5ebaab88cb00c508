"""The words and symbols by which the page says a severity, a coverage and a decision, beside their colour."""

from typing import Any

from credly_audit.report.labels import NO_DESCRIPTION
from credly_audit.severity import Severity
from credly_audit.text import has_words, one_line

SEVERITIES = {
    Severity.CRITICAL: "◆ critical",
    Severity.HIGH: "▲ high",
    Severity.MEDIUM: "● medium",
    Severity.LOW: "○ low",
    Severity.INFO: "· info",
}

OUTCOMES = {"pass": "✓", "violations": "✕", "incomplete": "◐"}

MOST_LETTERS = 400
"""Of a description; the workbook and the JSON report have all of it."""


def described(description: str | None) -> str:
    """What stands in a list for a token."""
    return one_line(description, MOST_LETTERS) if description and has_words(description) else NO_DESCRIPTION


def permission_words(read: Any, write: Any, delete: Any) -> str:
    """Return `read, write`, `none`, and `unknown: delete` for what the API did not say."""
    flags = {"read": read, "write": write, "delete": delete}
    has = [name for name, flag in flags.items() if flag]
    unknown = [name for name, flag in flags.items() if flag is None]
    if len(unknown) == len(flags):
        return "unknown"
    known = ", ".join(has) or "none"
    return f"{known} (unknown: {', '.join(unknown)})" if unknown else known
