"""What a cell holds: texts, numbers, days; and what is to be said of a cell that cannot be taken as it is."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

Value = str | int | float | bool | date | datetime | time | timedelta

Cells = Mapping[int, "Value | Unreadable"]
"""The cells of a row that hold something, by the position of their column from 0."""

MOST_CELLS = 16_000_000
"""Cells of one file that are kept in memory; a file with more is refused."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell whose value is not known: `why` is the end of a sentence that begins with its column.

    `text` is what the cell shows, which does for a column that only people read.
    """

    why: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Area:
    """Merged cells: rows from 1, columns from 0, the last ones included. Only the first cell has a value."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(slots=True)
class Sheet:
    """A sheet of a workbook; the only one of a text file, which has no name."""

    name: str | None
    hidden: bool = False
    wanted: Collection[int] | None = None
    """The columns that are looked at, where that saves time; None: all."""
    merged: list[Area] = field(default_factory=list)
    """The merged cells, known when all rows were read."""

    def rows(self) -> Iterator[tuple[int, Cells]]:
        """Yield the number of each row that holds something, from 1, and its cells."""
        raise NotImplementedError


MIDNIGHT = re.compile(r"[ T]00?:00(?::00(?:\.0+)?)?$")
"""What programs write behind a day that they take for an instant."""

ERROR_VALUE = re.compile(r"#(?:N/A|NA|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!|GETTING_DATA)|Err:\d{3}")


def error_value(text: str) -> Unreadable:
    """Return the cell in which a formula failed."""
    return Unreadable(f"contains the error {text}; correct the formula, or type a text that begins with a letter", text)


def as_text(value: "Value | Unreadable | None") -> str:
    """Return a value as a person reads it in the cell, without white space around it."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, Unreadable):
        return value.text
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime):
        return str(value.date() if value.time() == time() else value)
    return str(value)


def as_day(value: "Value | None") -> date | None:
    """Return the day that a cell shows, as a day or in words of ISO 8601; None: the cell is empty.

    ValueError, which ends a sentence that begins with the column, where it shows none.
    """
    text = MIDNIGHT.sub("", as_text(value))
    is_number = isinstance(value, int | float)
    try:
        if isinstance(value, datetime):
            return value.date()
        return date.fromisoformat("" if is_number else text) if text else None
    except ValueError:
        what = f"is {text[:24]}, not a date; format the cell as a date, or" if is_number else "is not a date;"
        raise ValueError(f"{what} write one such as 2027-03-31") from None


def find_oddity(text: str) -> str | None:
    """Return what a spreadsheet or a web page left in a text that names something; None: nothing."""
    if text.startswith("'"):
        return "begins with an apostrophe, by which a spreadsheet marks a text; delete the apostrophe"
    if text.isascii() and text.isprintable():
        return None
    for letter in text:
        if unicodedata.category(letter) in {"Cf", "Cc"}:
            return f"contains an invisible character ({_named(letter)}); empty the cell and type it again"
    return None


def _named(letter: str) -> str:
    name = unicodedata.name(letter, "")
    return f"U+{ord(letter):04X}{f' {name}' if name else ''}"
