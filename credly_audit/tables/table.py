"""Finds the table in a file: its sheet, its titles, its rows. Tolerant in form, strict in meaning.

The register, the organizations and the decisions are all read here. The titles stand somewhere in the first rows of
exactly one visible sheet; a cell whose value is not certain is never taken for an empty one.
"""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from openpyxl.utils import get_column_letter

from credly_audit.errors import ConfigurationError
from credly_audit.secrets.redaction import REDACTED, looks_like_a_value
from credly_audit.tables.delimited import WHOLE_ROW, read_kind, read_separated
from credly_audit.tables.spreadsheet import LAST_COLUMN, SAVE_AS, Workbook
from credly_audit.tables.values import (
    ERROR_VALUE,
    MOST_CELLS,
    Area,
    Cells,
    Sheet,
    Unreadable,
    find_error_value,
    find_oddity,
    read_text,
)

MOST_BYTES = 100 * 2**20
"""A larger file is refused."""

MOST_ROWS_ABOVE = 20
"""Titles that stand further down are not found."""

MOST_OTHERS = 200
"""The most columns that a team may add of its own; each becomes a column of the reports."""

MOST_LETTERS = 500
"""A title is cut here."""

MOST_NAMED = 10

MOST_MERGED = 1_000
"""After so many rows with merged cells no more are looked for."""

ZIP = (b"PK\x03\x04", b"PK\x05\x06")

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

WORKBOOK_NAMES = frozenset({".xlsx", ".xlsm", ".xltx", ".xltm", ".xls", ".xlsb", ".ods"})


@dataclass(frozen=True, slots=True)
class Titles:
    """What the titles of a table are."""

    known: tuple[str, ...]
    needed: tuple[tuple[str, ...], ...]
    """Of each of these, one has to be there."""

    codes: frozenset[str] = frozenset()
    """The columns in which a sign too many is a mistake: ids, references, days."""

    keeps_others: bool = True
    """Whether columns that are not known are read."""

    counts: frozenset[str] = frozenset()
    """A row counts where one of these holds something; where none is named, any cell will do."""

    optional: bool = False
    """Whether a file without such a table is read as an empty one."""

    goes_on: bool = False
    """Whether the table may go on in sheets that are called as the first one with a number behind it."""

    def missing(self, names: Sequence[str]) -> list[str]:
        """Return what is needed and not there."""
        return [" or ".join(group) for group in self.needed if not set(group) & set(names)]


@dataclass(slots=True)
class Row:
    """A row that holds something: where it is (`sheet` None: in a text file), and what it says by column.

    `faults` are sentences on cells that cannot be taken as they are, by column; `""`: on the row as such.
    """

    path: Path
    sheet: str | None
    number: int
    cells: dict[str, Any] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where the row is, for messages."""
        return _place(self.path, self.sheet, self.number)

    @property
    def mistakes(self) -> list[str]:
        """The faults, each with its place."""
        return [f"{self.place}: {fault}" for fault in self.faults.values()]


@dataclass(slots=True)
class Table:
    """The rows of a file, and its columns that are not known: for each, where it stands."""

    path: Path
    rows: list[Row] = field(default_factory=list)
    others: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Heading:
    """The row of a sheet that is likest to the titles: its number, the names in it by their column, what is missing."""

    sheet: Sheet
    row: int
    names: dict[int, str]
    missing: list[str]
    known: int


def read_table(path: Path, titles: Titles) -> Table:
    """Read the table of a file; OSError where it cannot be read.

    ConfigurationError where it is no table, or not one that can be told from others.
    """
    table = Table(path)
    for heading in _find(path, titles):
        _Reading(table, titles, heading).read()
    return table


def normalize_column_name(title: str) -> str:
    """Return a title as a name: `Organization-ID:` is organization_id; one that looks like a value is not shown."""
    if looks_like_a_value(title):
        return REDACTED
    text = unicodedata.normalize("NFKC", title[:MOST_LETTERS])
    text = "".join(letter for letter in text if letter.isspace() or unicodedata.category(letter) not in {"Cf", "Cc"})
    return re.sub(r"[\s\u2010-\u2015-]+", "_", text.strip().removeprefix("'").rstrip(": \t\n").lower())


def _place(path: Path, sheet: str | None, number: int) -> str:
    return f"{path}: {'' if sheet is None else f'{sheet} '}row {number}"


def _open_sheets(path: Path) -> Sequence[Sheet]:
    """Return the sheets of a file, of whatever kind it is."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ConfigurationError([f"{path}: is larger than {MOST_BYTES // 2**20} MB; {SAVE_AS}"])
    if data.startswith(OLE):
        raise ConfigurationError([f"{path}: {_explain_ole(data)}"])
    if path.suffix.lower() in WORKBOOK_NAMES and not data.startswith(ZIP) and (kind := read_kind(data)) is not None:
        raise ConfigurationError([f"{path}: has the name of a workbook, but is {kind}; rename it, or {SAVE_AS}"])
    if path.suffix.lower() in WORKBOOK_NAMES or data.startswith(ZIP):
        return Workbook.open(path, data).sheets()
    return read_separated(path, data)


def _explain_ole(data: bytes) -> str:
    if "EncryptedPackage".encode("utf-16-le") in data:
        return "is encrypted with a password; save it without one"
    return f"is an Excel workbook of before 2007 (XLS), or another old Office file; {SAVE_AS}"


def _find(path: Path, titles: Titles) -> list[_Heading]:
    """Return the titles that fit: one sheet's, and those of the sheets in which its table goes on."""
    sheets = _open_sheets(path)
    headings = [_find_best_row(sheet, titles) for sheet in sheets if not sheet.hidden]
    if sheets and sheets[0].name is None:
        headings = [min(headings, key=lambda each: (len(each.missing), -each.known))]
    fitting = [each for each in headings if not each.missing]
    if not fitting and titles.optional:
        return []
    if not fitting:
        hidden = [each.name for each in sheets if each.hidden and not _find_best_row(each, titles).missing]
        raise ConfigurationError([_explain_none(path, titles, headings, hidden)])
    first, *more = fitting
    if more and not (titles.goes_on and all(_is_next(first, each) for each in more)):
        names = _join_names([str(each.sheet.name) for each in fitting], " and ")
        raise ConfigurationError([f"{path}: the sheets {names} all have the columns; keep one, or hide the others"])
    return fitting


def _is_next(first: _Heading, other: _Heading) -> bool:
    return re.fullmatch(rf"{re.escape(str(first.sheet.name))}\d+", str(other.sheet.name)) is not None


def _find_best_row(sheet: Sheet, titles: Titles) -> _Heading:
    """Return the first row that has all that is needed, else the one that has most of it."""
    best = _Heading(sheet, 1, {}, titles.missing(()), 0)
    for number, cells in takewhile(lambda row: row[0] <= MOST_ROWS_ABOVE, sheet.rows()):
        names = {
            column: normalize_column_name(read_text(cell)) for column, cell in cells.items() if column != WHOLE_ROW
        }
        names = {column: name for column, name in names.items() if name}
        missing = titles.missing(list(names.values()))
        known = len(set(names.values()) & set(titles.known))
        if not missing or (len(missing), -known) < (len(best.missing), -best.known):
            best = _Heading(sheet, number, names, missing, known)
        if not missing:
            break
    return best


def _explain_none(path: Path, titles: Titles, headings: list[_Heading], hidden: list[str | None]) -> str:
    others = ", and any others" if titles.keeps_others else ""
    columns = f"the columns are {', '.join(titles.known)}{others}"
    if len(headings) == 1 and headings[0].sheet.name is None:
        return f"{path}: row {headings[0].row}: no column {', no column '.join(headings[0].missing)}; {columns}"
    found = [
        f"{each.sheet.name} row {each.row}: no column {', no column '.join(each.missing)}"
        if each.known
        else f"{each.sheet.name}: none of them"
        for each in headings
    ]
    shown = (
        f"; show the hidden sheet {_join_names([str(name) for name in hidden], ' or ')}, which has them"
        if hidden
        else ""
    )
    return (
        f"{path}: no sheet has the columns in one of its first {MOST_ROWS_ABOVE} rows "
        f"({_join_names(found, '; ') or 'it has no sheet with cells'}); {columns}{shown}"
    )


def _join_names(names: list[str], joint: str) -> str:
    more = f"{joint}{len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return joint.join(names[:MOST_NAMED]) + more


@dataclass(slots=True)
class _Reading:
    """The way through the rows of one sheet."""

    table: Table
    titles: Titles
    heading: _Heading
    rows: list[Row] = field(default_factory=list)
    columns: dict[int, str | None] = field(default_factory=dict)
    """The names of the columns; None: it is not read."""
    cells: int = 0
    merged: int = 0

    def read(self) -> None:
        """Add the rows and the unknown columns to the table."""
        self._check_titles()
        if not self.titles.keeps_others:
            self.heading.sheet.wanted = {column for column, name in self.columns.items() if name}
        for number, cells in self.heading.sheet.rows():
            if number > self.heading.row:
                row = self._row(number, cells)
                if not self.titles.counts or (self.titles.counts | {""}) & {*row.cells, *row.faults}:
                    self._keep(row)
        self.rows.sort(key=lambda row: row.number)
        numbers = [row.number for row in self.rows]
        for area in self.heading.sheet.merged:
            inside = self.rows[bisect_left(numbers, area.top) : bisect_right(numbers, area.bottom)]
            self._mark_merged(area, inside)
        self.table.rows += self.rows

    def _keep(self, row: Row) -> None:
        self.rows.append(row)
        self.cells += len(row.cells)
        if self.cells > MOST_CELLS:
            raise ConfigurationError([f"{row.place}: more than {MOST_CELLS:,} cells are filled in; {SAVE_AS}"])

    def _check_titles(self) -> None:
        letters: dict[str, list[str]] = {}
        for column, name in sorted(self.heading.names.items()):
            if self._add_column(column, name):
                letters.setdefault(name, []).append(get_column_letter(column + 1))
        mistakes = [
            f"{self._title_place}: two columns are called {name[:60]} ({' and '.join(where)}); keep one"
            for name, where in letters.items()
            if len(where) > 1
        ]
        if mistakes:
            raise ConfigurationError(mistakes)

    def _add_column(self, column: int, name: str) -> str | None:
        """Note the name of a column; None where it is not read."""
        known = name in self.titles.known
        self.columns[column] = name if known or self.titles.keeps_others else None
        if self.columns[column] and not known:
            self.table.others.setdefault(name, get_column_letter(column + 1))
            if len(self.table.others) > MOST_OTHERS:
                raise ConfigurationError([f"{self._title_place}: more than {MOST_OTHERS} columns of other names"])
        return self.columns[column]

    def _add_untitled(self, column: int) -> str | None:
        name = f"column_{column + 1}"
        while name in self.heading.names.values():
            name += "_"
        return self._add_column(column, name)

    @property
    def _title_place(self) -> str:
        return _place(self.table.path, self.heading.sheet.name, self.heading.row)

    def _row(self, number: int, cells: Cells) -> Row:
        row = Row(self.table.path, self.heading.sheet.name, number)
        last = max(self.heading.names) if row.sheet is None else LAST_COLUMN
        for column, value in sorted(cells.items()):
            if column == WHOLE_ROW:
                row.faults[""] = value.why if isinstance(value, Unreadable) else read_text(value)
            elif column > last:
                row.faults[""] = "more cells than columns; quote a cell with a comma"
            elif name := self.columns[column] if column in self.columns else self._add_untitled(column):
                row.cells[name], why = self._judge(name, value)
                if why:
                    del row.cells[name]
                    row.faults[name] = f"{name}{self._cell(row, column)} {why}"
        return row

    def _cell(self, row: Row, column: int) -> str:
        return "" if row.sheet is None else f" (cell {get_column_letter(column + 1)}{row.number})"

    def _judge(self, name: str, value: Any) -> tuple[Any, str | None]:
        """Return what a cell of a column says, and what is wrong with it."""
        known = name in self.titles.known
        if known and isinstance(value, str) and ERROR_VALUE.fullmatch(value.strip()):
            value = find_error_value(value.strip())
        if isinstance(value, Unreadable):
            return value.text, value.why if known or not value.text else None
        return value, find_oddity(read_text(value)) if name in self.titles.codes else None

    def _mark_merged(self, area: Area, rows: Sequence[Row]) -> None:
        """Note in the rows of merged cells what those cells leave open: only the first has a value.

        Rows that do not count are not among them; their decision is then left open by the row that has the value.
        """
        names = self.heading.names
        first = rows[0] if rows and rows[0].number == area.top else None
        first_name = names.get(area.left, "")
        if area.top > self.heading.row and (first is None or first_name not in {*first.cells, *first.faults}):
            return
        known = [names[each] for each in sorted(names) if area.left <= each <= area.right]
        for row in rows:
            spared = {first_name} if row is first and not (self.titles.counts and area.bottom > area.top) else set()
            for name in known:
                if name in self.titles.known and name not in spared:
                    row.faults[name] = f"{name} is in merged cells, of which only the first has a value; unmerge them"
                    self.merged += 1
            if self.merged > MOST_MERGED:
                raise ConfigurationError([*row.mistakes, f"{row.place}: and more merged cells; unmerge them all"])
