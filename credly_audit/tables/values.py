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


def find_error_value(text: str) -> Unreadable:
    """Return the cell in which a formula failed."""
    return Unreadable(f"contains the error {text}; correct the formula, or type a text that begins with a letter", text)


def read_text(value: "Value | Unreadable | None") -> str:
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


DOTTED = re.compile(r"(\d{1,2})\. ?(\d{1,2})\. ?(\d{4})")
SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
SPELLED = re.compile(r"(?P<day>\d{1,2})(?:\.|st|nd|rd|th)?[ -](?P<month>[A-Za-z]{3,9})[ ,-]+(?P<year>\d{4})")
SPELLED_MONTH_FIRST = re.compile(r"(?P<month>[A-Za-z]{3,9}) (?P<day>\d{1,2})(?:st|nd|rd|th)?,? (?P<year>\d{4})")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)


def as_day(value: "Value | None") -> date | None:
    """Return the day that a cell shows: a day, or a text of ISO 8601 or of a form that can be read in one way only.

    `31.3.2027` is day.month.year; `31 Mar 2027` and `March 31, 2027` have the month in English; of `31/3/2027` one
    number must be above 12. None: the cell is empty. ValueError, which ends a sentence that begins with the column,
    otherwise.
    """
    if isinstance(value, datetime):
        return value.date()
    text = MIDNIGHT.sub("", read_text(value))
    if not text:
        return None
    is_number = isinstance(value, int | float)
    try:
        day = None if is_number else read_local_day(text)
        return date.fromisoformat("" if is_number else text) if day is None else date(*day)
    except ValueError as error:
        if "ambiguous" in str(error):
            raise
        what = f"is {text[:24]}, not a date; format the cell as a date, or" if is_number else "is not a date;"
        raise ValueError(f"{what} write one such as 2027-03-31") from None


def read_local_day(text: str) -> tuple[int, int, int] | None:
    """Return year, month and day of a text that is not of ISO 8601; None where it is none that can be read."""
    if dotted := DOTTED.fullmatch(text):
        return int(dotted[3]), int(dotted[2]), int(dotted[1])
    if slashed := SLASHED.fullmatch(text):
        first, second = int(slashed[1]), int(slashed[2])
        if first != second and first <= len(MONTHS) and second <= len(MONTHS):
            raise ValueError(f"is {text}, which is ambiguous; write it as {slashed[3]}-MM-DD or with the month's name")
        day, month = (second, first) if second > len(MONTHS) else (first, second)
        return int(slashed[3]), month, day
    spelled = SPELLED.fullmatch(text) or SPELLED_MONTH_FIRST.fullmatch(text)
    if spelled is None:
        return None
    name = spelled["month"].lower()
    months = [number for number, each in enumerate(MONTHS, 1) if each.startswith(name)]
    return (int(spelled["year"]), months[0], int(spelled["day"])) if months else None


def find_oddity(text: str) -> str | None:
    """Return what a spreadsheet or a web page left in a text that names something; None: nothing."""
    if text.startswith("'"):
        return "begins with an apostrophe, by which a spreadsheet marks a text; delete the apostrophe"
    if text.isascii() and text.isprintable():
        return None
    for letter in text:
        if unicodedata.category(letter) in {"Cf", "Cc"}:
            return f"contains an invisible character ({_name_character(letter)}); empty the cell and type it again"
    return None


def _name_character(letter: str) -> str:
    name = unicodedata.name(letter, "")
    return f"U+{ord(letter):04X}{f' {name}' if name else ''}"
