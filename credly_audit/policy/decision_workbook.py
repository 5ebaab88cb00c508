"""What the security team typed beside the findings of the Excel report, row by row."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from credly_audit.config.decision_models import FALSE_POSITIVE, Decision, Plan, Waiver
from credly_audit.errors import UsageError
from credly_audit.instants import read_instant
from credly_audit.secrets.shape import mask_shapes
from credly_audit.tables.table import Row, Titles, read_table
from credly_audit.tables.values import as_day, read_text
from credly_audit.text import count

NEEDED = ("decision", "reason", "approved_by", "until")
TYPED = (*NEEDED, "assigned_to", "reference")
"""The yellow columns; the workbooks of the release before have only those that are needed."""

SUBJECT = ("rule_id", "organization_id", "token_id")

TITLES = Titles(
    (*TYPED, *SUBJECT, "fingerprint", "token", "organization"),
    needed=tuple((name,) for name in (*NEEDED, *SUBJECT)),
    codes=frozenset({"decision", "until", *SUBJECT, "fingerprint"}),
    keeps_others=False,
    counts=frozenset(TYPED),
    goes_on=True,
)

GROUP = ("rule_id", "organization_ids", "created_before")

GROUP_TITLES = Titles(
    (*TYPED, *GROUP, "group", "organizations"),
    needed=tuple((name,) for name in (*NEEDED, *GROUP)),
    codes=frozenset({"decision", "until", *GROUP}),
    keeps_others=False,
    counts=frozenset(TYPED),
    goes_on=True,
    optional=True,
)
"""The sheet Decide by group."""

KINDS: dict[str, type[Decision]] = {"accept": Waiver, "false positive": Waiver, "fix": Plan}
"""What may be typed as a decision, and what it is made into."""

GUARDED = re.compile(r"'(?=\s*[=+\-@\t])")
"""The apostrophe that the report sets before a text which a spreadsheet would take for a formula."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A row with a decision: `place` names its workbook, sheet and row; texts are trimmed, empty where nothing was."""

    place: str
    decision: str
    reason: str
    approved_by: str
    until: Any
    """A date, or what else somebody wrote there."""
    rule: str
    organization: str
    token: str
    fingerprint: str
    faults: tuple[str, ...] = ()
    """What is wrong with its cells as such."""
    assigned_to: str = ""
    reference: str = ""
    created_before: datetime | None = None
    """Of a decision on a group: the instant of the audit that the workbook is of."""
    called: str = ""
    """The token and the organization, or the group, as the workbook shows them."""
    source: str | None = None
    """The workbook by name and SHA-256, and the day of the import."""

    @property
    def assignee(self) -> str:
        """Who remediates; in workbooks of the release before, in the column Approved by."""
        return self.assigned_to or self.approved_by

    @property
    def subject(self) -> tuple[str, str, str]:
        """What it is about: rule, organization, token."""
        return self.rule.upper(), self.organization.lower(), self.token.lower()

    @property
    def kind(self) -> type[Decision] | None:
        """What is decided; None where that is none of the choices."""
        return KINDS.get(self.decision)

    @property
    def full_reason(self) -> str:
        """The reason as it is kept, which also tells a false positive."""
        return FALSE_POSITIVE + self.reason if self.decision == "false positive" else self.reason

    @property
    def said(self) -> tuple[Any, ...]:
        """All that was typed."""
        return self.decision, self.reason, self.approved_by, self.assigned_to, self.until, self.reference

    def says(self, decision: Decision) -> bool:
        """Whether the row says what the decision says, whatever they are about."""
        theirs = (decision.reason, decision.by, str(decision.last_day), decision.reference or "")
        who = self.assignee if self.kind is Plan else self.approved_by
        covers = decision.created_before if isinstance(decision, Waiver) else None
        newer = covers is not None and self.created_before is not None and covers < self.created_before
        own = (self.full_reason, who, str(self.until), self.reference)
        return self.kind is type(decision) and own == theirs and not newer

    def is_about(self, decision: Decision) -> bool:
        """Whether the decision covers what the row is about."""
        rule, organization, _ = self.subject
        named = decision.token in {None, *self.names}
        return rule.startswith(decision.rule) and organization == decision.organization and named

    def is_on_the_same_as(self, decision: Decision) -> bool:
        """Whether the decision covers what the row is about and nothing else."""
        alone = decision.token is not None or not self.token
        return self.is_about(decision) and self.rule.upper() == decision.rule and alone

    @property
    def names(self) -> set[str]:
        """What a decision may call the token."""
        return {name.lower() for name in (self.token, self.fingerprint) if name}


def read_typed_rows(path: Path, today: date) -> list[Typed]:
    """Return every row whose decision columns contain an entry; for a group, one row for each organization.

    UsageError where the file cannot be read, ConfigurationError where it has no such columns.
    """
    try:
        rows = read_table(path, TITLES).rows
        groups = read_table(path, GROUP_TITLES).rows
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    source = f"{mask_shapes(path.name)[:100]}, sha256:{digest}, {today}"
    return [
        *(_read_typed(row, source) for row in rows),
        *(each for row in groups for each in _expand_group(row, source)),
    ]


def _read_typed(row: Row, source: str) -> Typed:
    texts = _read_texts(row, TITLES)
    called = ", ".join(filter(None, (f"“{texts['token'][:60]}”" if texts["token"] else "", texts["organization"][:60])))
    return Typed(
        **_read_decision(row, texts),
        rule=texts["rule_id"],
        organization=texts["organization_id"],
        token=texts["token_id"],
        fingerprint=texts["fingerprint"],
        called=mask_shapes(called),
        source=source,
    )


def _expand_group(row: Row, source: str) -> Iterator[Typed]:
    """Yield the decision of a group for each of its organizations."""
    texts = _read_texts(row, GROUP_TITLES)
    before = read_instant(texts["created_before"])
    ids = texts["organization_ids"].split()
    faults = tuple(_find_group_faults(texts["organizations"], ids, before))
    decided = _read_decision(row, texts)
    for organization in ids or [""]:
        yield Typed(
            **decided | {"faults": (*decided["faults"], *faults)},
            rule=texts["rule_id"],
            organization=organization,
            token="",
            fingerprint="",
            created_before=before,
            called=mask_shapes(texts["group"][:60]),
            source=source,
        )


def _find_group_faults(organizations: str, ids: Sequence[str], before: datetime | None) -> Iterator[str]:
    """Yield what is wrong with the columns of a group that nobody types into."""
    if before is None:
        yield "created_before is not an instant; use the workbook as the report wrote it"
    if organizations and organizations != str(len(ids)):
        yield (
            f"organization_ids has {count(len(ids), 'ID', 'IDs')} for {mask_shapes(organizations)[:20]} organizations; "
            "use the workbook as the report wrote it"
        )


def _read_texts(row: Row, titles: Titles) -> dict[str, str]:
    return {name: GUARDED.sub("", read_text(row.cells.get(name))) for name in titles.known}


def _read_decision(row: Row, texts: dict[str, str]) -> dict[str, Any]:
    try:
        until: Any = as_day(row.cells.get("until"))
        faults = tuple(row.faults.values())
    except ValueError as error:
        until, faults = texts["until"], (*row.faults.values(), f"Until: {mask_shapes(texts['until'])[:40]!r} {error}")
    return {
        "place": row.place,
        "decision": re.sub(r"\s+", " ", mask_shapes(texts["decision"]).lower()),
        "reason": texts["reason"],
        "approved_by": texts["approved_by"],
        "assigned_to": texts["assigned_to"],
        "reference": texts["reference"],
        "until": until or "",
        "faults": faults,
    }
