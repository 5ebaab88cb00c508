"""What the security team typed beside the findings of the Excel report, row by row."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from credly_audit.decisions.declared import FALSE_POSITIVE, Decision, Plan, Waiver
from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.workbooks import opened

TYPED = ("decision", "reason", "approved by", "until")
SUBJECT = ("rule_id", "organization_id", "token_id")
BESIDE = "fingerprint"

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
        named = decision.token in {None, *self._names}
        return rule.startswith(decision.rule) and organization == decision.organization and named

    def is_on_the_same_as(self, decision: Decision) -> bool:
        """Whether the decision covers what the row is about and nothing else."""
        alone = decision.token is not None or not self.token
        return self.is_about(decision) and self.rule.upper() == decision.rule and alone

    @property
    def _names(self) -> set[str]:
        """What a decision may call the token."""
        return {name.lower() for name in (self.token, self.fingerprint) if name}


def typed_rows(path: Path) -> list[Typed]:
    """Every row of every sheet with the decision columns in which somebody typed something.

    UsageError where there is no such file, ConfigurationError where it is no workbook or has no such sheet.
    """
    typed: list[Typed] = []
    found = False
    try:
        with opened(path) as book:
            for sheet in book.worksheets:
                sheet.reset_dimensions()
                rows = enumerate(sheet.iter_rows(values_only=True), 1)
                for number, cells in rows:
                    columns = {_text(cell).lower(): place for place, cell in enumerate(cells)}
                    if set(TYPED) <= set(columns) and set(SUBJECT) <= set(columns):
                        found = True
                        for row, values in rows:
                            typed += _typed(f"{path}: {sheet.title} row {row}", values, columns)
                    if number > MOST_ROWS_ABOVE:
                        break
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    if not found:
        raise ConfigurationError(
            [f"{path}: no sheet has the columns {', '.join((*TYPED, *SUBJECT))}; is it the report?"]
        )
    return typed


MOST_ROWS_ABOVE = 20
"""A header that stands further down than this is not looked for."""


def _typed(place: str, values: tuple[Any, ...], columns: dict[str, int]) -> Iterator[Typed]:
    def cell(name: str) -> Any:
        return values[columns[name]] if columns[name] < len(values) else None

    texts = {name: GUARDED.sub("", _text(cell(name))) for name in (*TYPED[:3], *SUBJECT)}
    until = cell("until")
    if isinstance(until, datetime):
        until = until.date()
    if any(texts[name] for name in TYPED[:3]) or _text(until):
        yield Typed(
            place,
            re.sub(r"\s+", " ", texts["decision"].lower()),
            texts["reason"],
            texts["approved by"],
            until if isinstance(until, date) else _text(until),
            texts["rule_id"],
            texts["organization_id"],
            texts["token_id"],
            _text(cell(BESIDE)) if BESIDE in columns else "",
        )


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
