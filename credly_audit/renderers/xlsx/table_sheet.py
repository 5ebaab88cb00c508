"""How a list becomes a sheet: an Excel table with a name, filters, a frozen header, widths by content, real dates.

A list longer than a sheet goes on in the next, its table's name counted on: `Findings`, `Findings2`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from openpyxl.styles import Alignment
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.filters import AutoFilter
from openpyxl.worksheet.table import Table, TableColumn, TableStyleInfo
from openpyxl.worksheet.worksheet import Worksheet

from credly_audit.renderers.xlsx import row_height as fit
from credly_audit.renderers.xlsx.archive import SheetBody
from credly_audit.renderers.xlsx.book import Book
from credly_audit.renderers.xlsx.cell_xml import words
from credly_audit.renderers.xlsx.sheet_list import Column, SheetList
from credly_audit.renderers.xlsx.styles import STYLES, Style, dressed
from credly_audit.renderers.xlsx.table_xml import Rows
from credly_audit.renderers.xlsx.workbook_report import counted

MOST_ROWS = 1_048_575
"""Of a sheet's 1,048,576 the header takes one."""

MEASURED_ROWS = 1_000


def add_list(book: Book, listing: SheetList, most_rows: int) -> None:
    """The list's sheet, or sheets; where there is nothing to list, a sentence that says so."""
    if not listing.many:
        sheet = book.sheet(listing.title)
        sheet.column_dimensions["A"].width = 100
        sheet.append([dressed(sheet, listing.nothing, STYLES["sentence"])])
        return
    for number, start in enumerate(range(0, listing.many, most_rows)):
        _add_sheet(book, listing, number, start, min(start + most_rows, listing.many))


def _add_sheet(book: Book, listing: SheetList, number: int, start: int, stop: int) -> None:
    last_row = stop - start + 1
    printed = sum(column.printed for column in listing.columns)
    area = f"A1:{get_column_letter(printed)}{last_row}"
    sheet = book.sheet(counted(listing.title, number), printed_rows="1:1", printed=area)
    sheet.freeze_panes = f"{get_column_letter(listing.frozen + 1)}2"
    head = listing.piece(start, min(start + MEASURED_ROWS, stop))
    widths = [width(column, head.get(column.title, ())) for column in listing.columns]
    for index, wide in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(index)].width = wide
    sheet.tables.add(_table(listing, counted(listing.table, number), last_row))
    for emphasis in listing.emphasis:
        area = f"{listing.letter(emphasis.first)}2:{listing.letter(emphasis.last)}{last_row}"
        sheet.conditional_formatting.add(area, emphasis.rule(listing))
    for title, validation in listing.validations().items():
        validation.add(f"{listing.letter(title)}2:{listing.letter(title)}{last_row}")
        sheet.data_validations.append(validation)
    _add_header(sheet, listing)
    rows = Rows(listing, sheet, start, stop, widths)
    book.stream(SheetBody(len(rows), rows, rows.links))


def _add_header(sheet: Worksheet, listing: SheetList) -> None:
    sheet.row_dimensions[1].height = 32
    sheet.append([dressed(sheet, column.title, _header_style(column)) for column in listing.columns])


def _header_style(column: Column) -> Style:
    """The header's, with the text where the column has its values."""
    style = STYLES["typed header" if column.style.startswith("typed") else "header"]
    side = STYLES[column.style].alignment
    alignment = Alignment(horizontal=side.horizontal, vertical="center", wrap_text=True, indent=side.indent)
    return replace(style, alignment=alignment)


def width(column: Column, values: Sequence[Any]) -> float:
    """As wide as the widest word of the title and the widest line of the values, at most `widest` characters."""
    title = max(len(word) for word in column.title.split()) + 4
    longest = (fit.letters(line) + 2 for value in values if isinstance(value, str) for line in value.splitlines())
    return min(max([title, column.narrowest, *longest]), max(column.widest, column.narrowest))


def _table(listing: SheetList, name: str, last_row: int) -> Table:
    ref = f"A1:{get_column_letter(len(listing.columns))}{last_row}"
    table = Table(displayName=name, ref=ref)
    titles = (words(column.title) for column in listing.columns)
    table.tableColumns = [TableColumn(id=index, name=title) for index, title in enumerate(titles, 1)]
    table.autoFilter = AutoFilter(ref=ref)
    table.tableStyleInfo = TableStyleInfo(name="TableStyleLight1", showRowStripes=False)
    return table
