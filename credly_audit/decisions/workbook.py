"""What the security team typed beside the findings of the Excel report, row by row."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from credly_audit.errors import ConfigurationError, UsageError

TYPED = ("decision", "reason", "approved by", "until")
SUBJECT = ("rule_id", "organization_id", "token_id")

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


def typed_rows(path: Path) -> Iterator[Typed]:
    """Every row of every sheet with the decision columns in which somebody typed something.

    UsageError where there is no such file, ConfigurationError where it is no workbook or has no such sheet.
    """
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise ConfigurationError([f"{path}: not an XLSX workbook, or damaged ({type(error).__name__})"]) from None
    try:
        found = False
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            rows = enumerate(sheet.iter_rows(values_only=True), 1)
            for number, cells in rows:
                columns = {_text(cell).lower(): place for place, cell in enumerate(cells)}
                if set(TYPED) <= set(columns) and set(SUBJECT) <= set(columns):
                    found = True
                    for row, values in rows:
                        yield from _typed(f"{path}: {sheet.title} row {row}", values, columns)
                if number > MOST_ROWS_ABOVE:
                    break
    finally:
        book.close()
    if not found:
        raise ConfigurationError(
            [f"{path}: no sheet has the columns {', '.join((*TYPED, *SUBJECT))}; is it the report?"]
        )


MOST_ROWS_ABOVE = 20
"""A header that stands further down than this is not looked for."""


def _typed(place: str, values: tuple[Any, ...], columns: dict[str, int]) -> Iterator[Typed]:
    def cell(name: str) -> Any:
        return values[columns[name]] if columns[name] < len(values) else None

    texts = {name: GUARDED.sub("", _text(cell(name))) for name in (*TYPED[:3], *SUBJECT)}
    until = cell("until")
    if isinstance(until, datetime):
        until = until.date()
    if any(texts[name] for name in TYPED[:3]) or not isinstance(until, date | None):
        yield Typed(
            place,
            re.sub(r"\s+", " ", texts["decision"].lower()),
            texts["reason"],
            texts["approved by"],
            until if isinstance(until, date) else _text(until),
            texts["rule_id"],
            texts["organization_id"],
            texts["token_id"],
        )


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
