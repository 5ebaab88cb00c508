"""The rows of a list as XML, a piece at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import quoteattr

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from credly_audit.renderers.xlsx import cell_xml as cells
from credly_audit.renderers.xlsx import row_height as fit
from credly_audit.renderers.xlsx.sheet_list import Piece, SheetList
from credly_audit.renderers.xlsx.styles import STYLES, number_of

MOST_LINKS = 60_000
"""A sheet holds 65,530; with more, Excel calls the file damaged."""

PIECE = 4_000

UNLINKED = {"go": "tick", "linked number": "number"}


@dataclass(slots=True)
class Rows:
    """The rows start … stop of a list, under the header of one sheet whose columns have these widths."""

    listing: SheetList
    sheet: Worksheet
    start: int
    stop: int
    widths: Sequence[float]
    _links: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[bytes]:
        columns = self.listing.columns
        letters = [get_column_letter(index) for index in range(1, len(columns) + 1)]
        dresses = [number_of(self.sheet, column.style) for column in columns]
        for first in range(self.start, self.stop, PIECE):
            last = min(first + PIECE, self.stop)
            row = first - self.start + 2
            empty: Sequence[Any] = [None] * (last - first)
            values = self.listing.piece(first, last)
            written = [
                cells.column(letter, dress, values.get(column.title, empty), row, column.most_letters)
                for letter, dress, column in zip(letters, dresses, columns, strict=True)
            ]
            self._link(written, values, first, last)
            yield cells.rows(written, self._lines(values, last - first), row)

    def links(self) -> bytes:
        """Where the rows that were written lead."""
        return f"<hyperlinks>{''.join(self._links)}</hyperlinks>".encode() if self._links else b""

    def _link(self, written: list[list[str]], values: Piece, first: int, last: int) -> None:
        """Note the links of some rows; a cell without one must not look like one."""
        link = self.listing.link
        if link is None:
            return
        row = first - self.start + 2
        index, letter = self.listing.index(link.title), self.listing.letter(link.title)
        plain_dress = number_of(self.sheet, UNLINKED[self.listing.columns[index].style])
        plain = cells.column(letter, plain_dress, values[link.title], row)
        for offset, target in enumerate(link.targets(first, last)):
            if target and len(self._links) < MOST_LINKS:
                self._links.append(f'<hyperlink ref="{letter}{row + offset}" location={quoteattr(target)}/>')
            else:
                written[index][offset] = plain[offset]

    def _lines(self, values: Piece, many: int) -> list[int]:
        """Count the lines that each row needs for its wrapped columns."""
        needed = [1] * many
        for column, width in zip(self.listing.columns, self.widths, strict=True):
            if STYLES[column.style].alignment.wrap_text:
                for offset, value in enumerate(values.get(column.title, ())):
                    if value is not None and len(value) > width / 2:
                        needed[offset] = max(needed[offset], fit.lines(value, width))
        return needed
