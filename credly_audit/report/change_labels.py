"""What reports for people say of each change since the last audit."""

from collections.abc import Iterator

import pandas as pd

from credly_audit.audit.changes import FINDING_CHANGES, TOKEN_CHANGES
from credly_audit.audit.model import Audit
from credly_audit.text import count, number

LABELS = dict(
    zip(
        (*TOKEN_CHANGES, *FINDING_CHANGES),
        (
            "token created",
            "token removed",
            "token rotated",
            "permissions increased",
            "permissions reduced",
            "new finding",
            "reopened finding",
            "resolved finding",
            "risk accepted",
            "risk no longer accepted",
        ),
        strict=True,
    )
)
"""The words for each change, in the order of the list."""

TOLD = {
    "created": ("token created", "tokens created"),
    "removed": ("token removed", "tokens removed"),
    "rotated": ("token rotated", "tokens rotated"),
    "permissions increased": ("token with increased permissions", "tokens with increased permissions"),
    "permissions reduced": ("token with reduced permissions", "tokens with reduced permissions"),
    "new": ("new finding", "new findings"),
    "reopened": ("reopened finding", "reopened findings"),
    "resolved": ("resolved finding", "resolved findings"),
    "accepted": ("risk accepted", "risks accepted"),
    "no longer accepted": ("risk no longer accepted", "risks no longer accepted"),
}
"""How many of a change there are, in words."""


def count_changes(changes: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield every change that there is: its label, and how many of it there are in words."""
    counts = changes["change"].value_counts()
    for change, label in LABELS.items():
        if change in counts:
            yield label, count(int(counts[change]), *TOLD[change])


def describe_deltas(deltas: pd.DataFrame, kinds: tuple[str, ...]) -> list[str]:
    """Return for each organization its changes of these kinds in a line, empty where there is none."""
    columns = [deltas[kind].tolist() for kind in kinds]
    return [
        ", ".join(f"{number(many)} {kind}" for kind, many in zip(kinds, row, strict=True) if many)
        for row in zip(*columns, strict=True)
    ]


def describe_rules(audit: Audit, rule_ids: pd.Series) -> pd.Series:
    """Return the names of the rules as texts of people; null where a change is that of a token."""
    names = {
        each: audit.rules[each].name.replace("-", " ") for each in rule_ids.dropna().unique() if each in audit.rules
    }
    return rule_ids.map(lambda rule_id: names.get(rule_id, rule_id), na_action="ignore")
