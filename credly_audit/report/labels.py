"""The words, each with its symbol, that reports for people say in place of a status, and beside its colour."""

from credly_audit.text import NOTHING

COVERAGE = {
    "complete": "✓ complete",
    "truncated": "◐ truncated",
    "unverified": "? unverified",
    "mismatch": "≠ mismatch",
    "failed": "✕ failed",
}
"""In the order of snapshot.STATUSES."""

COVERAGE_MEANS = {
    "complete": "every token is proved to be collected",
    "truncated": "Credly listed only the read-only tokens",
    "unverified": "nothing proves that the list is complete",
    "mismatch": "the list was inconsistent",
    "failed": "the list, or a page of it, could not be read",
}

STATES = {
    "expired": "✕ expired",
    "overdue": "✕ overdue",
    "refused": "✕ refused: approved by the owner",
    "expiring": "◐ expiring",
    "unjudged": "? not assessed",
    "unused": "○ unused",
    "pending": "○ not yet valid",
    "active": "✓ active",
    "open": "✓ open",
    "kept": "✓ completed",
}
"""Of waivers and plans, in the order in which they ask for attention."""

NO_DESCRIPTION = "(no description)"

ITSELF = "Organization-level finding"


def describe_setting(value: object) -> str:
    """Return a setting for people: without brackets, and without the words of a programming language."""
    if value is None or value in ([], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{str(name).replace('_', ' ')}: {describe_setting(each)}" for name, each in value.items())
    if isinstance(value, list):
        separator = ", " if all(isinstance(each, str) for each in value) else "\n"
        return separator.join(map(describe_setting, value))
    return str(value)
