"""Reads the values of Excel workbooks (XLSX, XLSM), whatever else is in them and whichever program wrote them.

Only what holds values is looked at: the list of sheets, the shared texts, the formats that make a number a day, the
cells. Neither openpyxl nor calamine would do: the one fails on styles, extensions and Strict Open XML, and takes a
formula without a result for an empty cell; the other reserves memory for every cell before the last one.
"""

import io
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from lxml import etree
from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format
from openpyxl.utils import column_index_from_string
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel
from openpyxl.utils.escape import unescape

from credly_audit.errors import ConfigurationError
from credly_audit.tables.values import MOST_CELLS, Area, Cells, Sheet, Unreadable, Value, find_error_value, read_text

MOST_BYTES = 4 * 2**30
"""What a workbook may hold when it is unpacked; a report of a million findings has two thirds of that."""

MOST_IDLE_BYTES = 16 * 2**20
"""How much of a part may be read without a row, a text or a format in it: all of that is kept in memory."""

CHUNK = 2**16

LAST_ROW, LAST_COLUMN = 1_048_576, 16_384

LETTERS = re.compile(r"[A-Za-z]{1,3}")

AREA = re.compile(r"([A-Za-z]{1,3})([0-9]{1,7}):([A-Za-z]{1,3})([0-9]{1,7})")

EAST_ASIAN_DATES = frozenset({*range(27, 37), *range(50, 59)})
"""Date formats that Excel knows by their number alone, and openpyxl does not know."""

AFTER_THE_CELLS = ("conditionalFormatting", "dataValidations", "hyperlinks", "pageMargins")

UNZIPPING = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError, ValueError)
"""What zipfile raises for a damaged archive."""

SURROGATE = re.compile("[\ud800-\udfff]")

NO_RESULT = Unreadable(
    "contains a formula without a stored result; open the file in a spreadsheet program, save it and try again"
)
NO_TEXT = Unreadable("refers to a text that the workbook lacks; type it again")
NO_NUMBER = Unreadable("is stored as a number but is not one; type it again")

OTHER_ARCHIVES = {
    "xl/workbook.bin": "a binary workbook (XLSB)",
    "Index/Document.iwa": "a Numbers document",
    "word/document.xml": "a Word document",
    "ppt/presentation.xml": "a presentation",
}

SAVE_AS = "save it as an Excel workbook (XLSX), or as CSV in UTF-8"


@dataclass(slots=True)
class Workbook:
    """A workbook; `left` is how much more of it may be unpacked."""

    path: Path
    archive: zipfile.ZipFile
    left: int = MOST_BYTES
    epoch: datetime = CALENDAR_WINDOWS_1900
    dates: frozenset[str] = frozenset()
    """The cell styles, by number, that show a number as a day."""
    texts: list[str] | None = None
    texts_part: str | None = None

    @classmethod
    def open(cls, path: Path, data: bytes) -> "Workbook":
        """ConfigurationError where the bytes are no workbook."""
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
        except UNZIPPING as error:
            raise _describe_damage(path, type(error).__name__) from None
        names = set(archive.namelist())
        kind = next((kind for name, kind in OTHER_ARCHIVES.items() if name in names), None)
        if "mimetype" in names:
            kind = "an OpenDocument file (ODS)"
        if kind is not None:
            raise ConfigurationError([f"{path}: is {kind}; {SAVE_AS}"])
        if not any(name.lower() == "[content_types].xml" for name in names):
            raise ConfigurationError([f"{path}: is a ZIP archive without a workbook; {SAVE_AS}"])
        return cls(path, archive)

    def sheets(self) -> list["Grid"]:
        """Return the sheets that have cells, in their order; charts and macros are none."""
        book = next((target for _, kind, target in self._relations("") if kind == "officeDocument"), "xl/workbook.xml")
        relations = list(self._relations(book))
        grids = {identifier: target for identifier, kind, target in relations if kind == "worksheet"}
        sheets = []
        for each in self.elements(book, "workbookPr", "sheet"):
            if _name(each) == "workbookPr" and each.get("date1904") in {"1", "true"}:
                self.epoch = CALENDAR_MAC_1904
            target = grids.get(next((value for key, value in each.items() if key.endswith("}id")), ""))
            if target is not None:
                hidden = each.get("state", "visible") != "visible"
                sheets.append(Grid(each.get("name", ""), hidden, book=self, part=target))
        self.texts_part = next((target for _, kind, target in relations if kind == "sharedStrings"), None)
        self.dates = frozenset(
            style for _, kind, target in relations if kind == "styles" for style in self._date_styles(target)
        )
        return sheets

    def elements(self, part: str, *names: str) -> Iterator[Any]:
        """Yield the elements of these names, each as soon as it is complete; it is gone when the next one is asked for.

        ConfigurationError where the part is missing, damaged or too large.
        """
        parser = etree.XMLPullParser(("end",), tag=[f"{{*}}{name}" for name in names], resolve_entities=False)
        idle = 0
        try:
            with self.archive.open(self._member(part)) as file:
                while chunk := file.read(CHUNK):
                    self.left -= len(chunk)
                    idle += len(chunk)
                    if self.left < 0 or idle > MOST_IDLE_BYTES:
                        raise ConfigurationError([f"{self.path}: {part} is too large when unpacked; {SAVE_AS}"])
                    parser.feed(chunk)
                    for _, element in parser.read_events():
                        idle = 0
                        yield element
                        _forget(element)
            parser.close()
        except KeyError:
            raise _describe_damage(self.path, f"{part} is missing") from None
        except (*UNZIPPING, etree.XMLSyntaxError) as error:
            raise _describe_damage(self.path, f"{part}, {type(error).__name__}") from None
        except RuntimeError:
            raise _describe_damage(self.path, f"{part} is encrypted") from None

    def shared_text(self, number: str) -> str | Unreadable:
        """Return one of the texts that cells share."""
        if self.texts is None:
            self.texts = []
            for each in self.elements(self.texts_part, "si") if self.texts_part else ():
                self.texts.append(_read_text(each))
                if len(self.texts) > MOST_CELLS:
                    raise ConfigurationError([f"{self.path}: contains more than {MOST_CELLS:,} texts; {SAVE_AS}"])
        return self.texts[int(number)] if number.isdecimal() and int(number) < len(self.texts) else NO_TEXT

    def _relations(self, part: str) -> Iterator[tuple[str, str, str]]:
        """Yield what a part refers to: identifier, kind (`worksheet`), name of the other part."""
        folder, name = posixpath.split(part)
        listed = posixpath.join(folder, "_rels", f"{name}.rels")
        try:
            self._member(listed)
        except KeyError:
            return
        for each in self.elements(listed, "Relationship"):
            target = each.get("Target", "").replace("\\", "/")
            place = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            yield each.get("Id", ""), each.get("Type", "").rpartition("/")[2], place

    def _member(self, part: str) -> zipfile.ZipInfo:
        """Return the archive's member of that name, the case and slashes of which differ between programs."""
        try:
            return self.archive.getinfo(part)
        except KeyError:
            wanted = part.lower()
            for each in self.archive.infolist():
                if each.filename.replace("\\", "/").lstrip("/").lower() == wanted:
                    return each
            raise

    def _date_styles(self, part: str) -> Iterator[str]:
        formats: dict[str, str] = {str(number): code for number, code in BUILTIN_FORMATS.items()}
        styles: list[str] = []
        for each in self.elements(part, "numFmt", "xf"):
            above = each.getparent()
            parent = "" if above is None else _name(above)
            if parent == "numFmts":
                formats[each.get("numFmtId", "")] = each.get("formatCode", "")
            elif parent == "cellXfs":
                styles.append(each.get("numFmtId", "0"))
        local = {str(number) for number in EAST_ASIAN_DATES} - set(formats)
        for position, number in enumerate(styles):
            if number in local or is_date_format(formats.get(number)):
                yield str(position)


@dataclass(slots=True)
class Grid(Sheet):
    """A sheet of a workbook, in the archive's member `part`."""

    book: Workbook = field(kw_only=True)
    part: str = field(kw_only=True)

    def rows(self) -> Iterator[tuple[int, Cells]]:
        """Yield the rows that hold something; cells that are only formatted cost next to nothing."""
        self.merged.clear()
        number = 0
        for each in self.book.elements(self.part, "row", "mergeCell", *AFTER_THE_CELLS):
            name = _name(each)
            if name == "row":
                number = self._number(each.get("r"), number)
                if cells := dict(self._cells(each)):
                    yield number, cells
            elif name == "mergeCell":
                self._merge(each.get("ref", ""))
            else:
                return

    def _number(self, written: str | None, last: int) -> int:
        number = last + 1 if written is None else int(written) if written.isdecimal() else 0
        if not 1 <= number <= LAST_ROW:
            raise _describe_damage(self.book.path, f"sheet {self.name} has no row {written or number}")
        return number

    def _cells(self, row: Any) -> Iterator[tuple[int, Value | Unreadable]]:
        """Yield the cells of a row that hold something, each with its column."""
        inside = row.iterdescendants("{*}v", "{*}is", "{*}f")
        filled = [each for each in dict.fromkeys(each.getparent() for each in inside) if _name(each) == "c"]
        if not all(each.get("r") for each in filled):  # then their columns are known by their order
            filled = list(row.iterchildren("{*}c"))
        column = -1
        for cell in filled:
            column = self._column(cell) if cell.get("r") else column + 1
            value = self._value(cell) if self.wanted is None or column in self.wanted else None
            if value is not None and (isinstance(value, Unreadable) or read_text(value)):
                yield column, value

    def _column(self, cell: Any) -> int:
        column = _read_column(cell.get("r").rstrip("0123456789"))
        if column is None:
            raise _describe_damage(self.book.path, f"sheet {self.name} has no cell {cell.get('r')[:20]}")
        return column

    def _merge(self, reference: str) -> None:
        match = AREA.fullmatch(reference)
        left, right = (_read_column(match[1]), _read_column(match[3])) if match else (None, None)
        if match and left is not None and right is not None and len(self.merged) < MOST_CELLS:
            self.merged.append(Area(int(match[2]), left, int(match[4]), right))

    def _value(self, cell: Any) -> Value | Unreadable | None:
        """Return what a cell holds; None: nothing."""
        kind = cell.get("t", "n")
        children = {_name(child): child for child in cell.iterchildren(tag=etree.Element)}
        stored = children.get("v")
        if kind == "inlineStr" and "is" in children:
            return _read_text(children["is"])
        if stored is not None and len(stored):
            raise _describe_damage(self.book.path, f"sheet {self.name}, cell {cell.get('r', '')[:20]}")
        if stored is None or not stored.text:
            without = "f" in children and (stored is None or kind != "str")
            return NO_RESULT if without else None
        return self._stored(kind, stored.text, cell.get("s", ""))

    def _stored(self, kind: str, text: str, style: str) -> Value | Unreadable:
        match kind:
            case "s":
                return self.book.shared_text(text.strip())
            case "b":
                return text.strip() in {"1", "true"}
            case "e":
                return find_error_value(text.strip())
            case "d":
                return _convert_instant(text.strip())
            case "n":
                return _number(text, self.book.epoch if style in self.book.dates else None)
            case _:
                return _decode_escapes(text)


@lru_cache(maxsize=LAST_COLUMN)
def _read_column(letters: str) -> int | None:
    """Return the position of a column, from 0; None: there is none of that name."""
    column = column_index_from_string(letters.upper()) if LETTERS.fullmatch(letters) else 0
    return column - 1 if 1 <= column <= LAST_COLUMN else None


def _number(text: str, epoch: datetime | None) -> Value | Unreadable:
    """Return a number, or with an epoch the day that it shows; a day that Excel cannot show is a number."""
    try:
        number = float(text)
        whole = int(number)
    except (ValueError, OverflowError):
        return NO_NUMBER
    try:
        if epoch is not None and (day := from_excel(number, epoch)) is not None:
            return day
    except (ValueError, OverflowError):
        pass
    return whole if whole == number and abs(whole) < 10**15 else number


def _convert_instant(text: str) -> Value:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return text


def _read_text(element: Any) -> str:
    """Return a text of one or several runs, without the guides to its pronunciation."""
    runs = (each for each in element.iter("{*}t") if _name(each.getparent()) != "rPh")
    return _decode_escapes("".join(each.text or "" for each in runs))


def _decode_escapes(text: str) -> str:
    """Return the text with Excel's `_x000D_` as the characters that they stand for."""
    return SURROGATE.sub("\ufffd", unescape(text)) if "_x" in text else text


def _name(element: Any) -> str:
    """Return an element's name without its namespace, which Strict Open XML writes otherwise."""
    return str(element.tag).rpartition("}")[2]


def _forget(element: Any) -> None:
    """Free an element and what stands before it."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _describe_damage(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError([f"{path}: not an XLSX workbook, or damaged ({what}); {SAVE_AS}"])
