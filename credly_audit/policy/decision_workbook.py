"""What the security team typed beside the findings of the Excel report, row by row."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from credly_audit.config.decision_models import FALSE_POSITIVE, Decision, Plan, Waiver
from credly_audit.errors import UsageError
from credly_audit.secrets.shape import mask_shapes
from credly_audit.tables.table import Row, Titles, read_table
from credly_audit.tables.values import as_day, as_text

TYPED = ("decision", "reason", "approved_by", "until")
SUBJECT = ("rule_id", "organization_id", "token_id")

TITLES = Titles(
    (*TYPED, *SUBJECT, "fingerprint"),
    needed=tuple((name,) for name in (*TYPED, *SUBJECT)),
    codes=frozenset({"decision", "until", *SUBJECT, "fingerprint"}),
    keeps_others=False,
    counts=frozenset(TYPED),
    goes_on=True,
)

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
    """Finding with its cells as such."""

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
        return self.decision, self.reason, self.approved_by, self.until

    def says(self, decision: Decision) -> bool:
        """Whether the row says what the decision says, whatever they are about."""
        day = str(self.until)
        theirs = (decision.reason, decision.by, str(decision.last_day))
        return self.kind is type(decision) and (self.full_reason, self.approved_by, day) == theirs

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


def typed_rows(path: Path) -> list[Typed]:
    """Every row with the decision columns in which somebody typed something.

    UsageError where the file cannot be read, ConfigurationError where it has no such columns.
    """
    try:
        return [_typed(row) for row in read_table(path, TITLES).rows]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None


def _typed(row: Row) -> Typed:
    texts = {name: GUARDED.sub("", as_text(row.cells.get(name))) for name in TITLES.known}
    try:
        until: Any = as_day(row.cells.get("until"))
    except ValueError:
        until = texts["until"]
    return Typed(
        row.place,
        re.sub(r"\s+", " ", mask_shapes(texts["decision"]).lower()),
        texts["reason"],
        texts["approved_by"],
        until or "",
        texts["rule_id"],
        texts["organization_id"],
        texts["token_id"],
        texts["fingerprint"],
        tuple(row.faults.values()),
    )
