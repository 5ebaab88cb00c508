"""The words, each with its symbol, that reports for people say in place of a status, and beside its colour."""

COVERAGE = {
    "complete": "✓ fully seen",
    "truncated": "◐ truncated",
    "unverified": "? unverified",
    "mismatch": "≠ mismatch",
    "failed": "✕ failed",
}
"""In the order of snapshot.STATUSES."""

COVERAGE_MEANS = {
    "complete": "the listing is proved to be whole",
    "truncated": "Credly showed the read-only tokens alone",
    "unverified": "nothing proves that the listing is whole",
    "mismatch": "the pages contradict each other",
    "failed": "the listing, or a page of it, could not be had",
}

STATES = {
    "expired": "✕ expired",
    "overdue": "✕ overdue",
    "expiring": "◐ expiring",
    "unjudged": "? not judged",
    "unused": "○ unused",
    "pending": "○ not yet in force",
    "active": "✓ active",
    "open": "✓ open",
    "kept": "✓ kept",
}
"""Of waivers and plans, in the order in which they ask for attention."""

NO_DESCRIPTION = "(no description)"

ITSELF = "(the organization itself)"
