"""Reads text files with separated values, as spreadsheets, databases and editors save them.

The encoding is UTF-8, or UTF-16 or UTF-32 with a byte order mark. A first line `sep=;` names the separator. Nothing is
guessed beyond that: a byte that is not UTF-8 is refused with its line.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from credly_audit.errors import ConfigurationError
from credly_audit.tables.values import Cells, Sheet, Unreadable, Value

SEPARATORS = (",", ";", "\t", "|")

MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

OTHER_KINDS = {
    "<!doctype html": "a web page (HTML)",
    "<html": "a web page (HTML)",
    "<table": "a web page (HTML)",
    "<?xml": "an XML file",
    "{\\rtf": "a document (RTF)",
    "%pdf": "a document (PDF)",
}

SAVE_AS = "save it as XLSX, or as CSV in UTF-8"

LINES_NAMED = 5

SEPARATOR_LINE = re.compile(r'"?sep=([^\r\n"])"?[ \t]*(?:\r\n?|\n|$)', re.IGNORECASE)

csv.field_size_limit(2**31 - 1)  # the size of the file is bounded; a long cell is no reason to refuse it


@dataclass(slots=True)
class Separated(Sheet):
    """The text of a file, read with one separator."""

    text: str = ""
    separator: str = ","
    first: int = 1
    """The number of the text's first line."""

    def rows(self) -> Iterator[tuple[int, Cells]]:
        """Yield the cells of each row; the number of a row is that of its first line.

        A row that is no CSV is one unreadable cell, in the column before the first, and the last row that is read.
        """
        reader = csv.reader(
            io.StringIO(self.text, newline=""), delimiter=self.separator, strict=True, skipinitialspace=True
        )
        number = self.first
        try:
            for texts in reader:
                cells: dict[int, Value | Unreadable] = {place: text for place, text in enumerate(texts) if text.strip()}
                if cells:
                    yield number, cells
                number = self.first + reader.line_num
        except csv.Error as error:
            yield number, {WHOLE_ROW: Unreadable(_explain(error))}


WHOLE_ROW = -1
"""The column of what is wrong with a row as such."""


def read_separated(path: Path, data: bytes) -> list[Separated]:
    """Return the file's text, read with each separator that may be meant.

    ConfigurationError where it is no text, or another kind of text.
    """
    text = _decode(path, data)
    if kind := _detect_other_kind(text):
        raise ConfigurationError([f"{path}: is {kind}, not a table; {SAVE_AS}"])
    named = SEPARATOR_LINE.match(text)
    if named:
        return [Separated(None, text=text[named.end() :], separator=named[1], first=2)]
    return [Separated(None, text=text, separator=separator) for separator in SEPARATORS]


def read_kind(data: bytes) -> str | None:
    """Return what kind of text the bytes are; None: they are no text."""
    try:
        text = _decode(Path(), data)
    except ConfigurationError:
        return None
    return _detect_other_kind(text) or ("a text file" if text else "empty")


def _detect_other_kind(text: str) -> str | None:
    start = text[:1000].lstrip().lower()
    return next((kind for beginning, kind in OTHER_KINDS.items() if start.startswith(beginning)), None)


def _decode(path: Path, data: bytes) -> str:
    mark, encoding = next((each for each in MARKS if data.startswith(each[0])), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path}: {_describe_bad_bytes(data, mark, encoding, error)}"]) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ConfigurationError(
            [f"{path}: row {line}: contains a NUL character: not a text file, or UTF-16 without its mark; {SAVE_AS}"]
        )
    return text.removeprefix("\ufeff")


def _describe_bad_bytes(data: bytes, mark: bytes, encoding: str, error: UnicodeDecodeError) -> str:
    """Return which lines are not in the encoding, so that all of them can be corrected at once."""
    if encoding != "utf-8":
        return f"is damaged: {error.reason} of {encoding[:6].upper()} after {error.start:,} bytes; {SAVE_AS}"
    bad = [number for number, line in enumerate(data[len(mark) :].splitlines(), 1) if not _is_utf8(line)]
    rows = ", ".join(map(str, bad[:LINES_NAMED]))
    more = f" and {len(bad) - LINES_NAMED:,} more" if len(bad) > LINES_NAMED else ""
    byte = data[len(mark) + error.start]
    return (
        f"row{'s' if len(bad) > 1 else ''} {rows}{more}: not UTF-8 (byte 0x{byte:02X}), perhaps Windows-1252; "
        'save it as "CSV UTF-8" in Excel, or with the character set UTF-8 in LibreOffice'
    )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _explain(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quotation mark begins a cell that never ends; close it, or double it if it belongs to the text"
    return "a quotation mark is inside a quoted cell; double it"
