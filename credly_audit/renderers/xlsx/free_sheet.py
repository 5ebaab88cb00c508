"""A sheet that is a page and no list: cells put where they belong, written top down once all are there."""

from dataclasses import dataclass, field

from openpyxl.utils import get_column_letter
from openpyxl.worksheet.pagebreak import Break
from openpyxl.worksheet.worksheet import Worksheet

from credly_audit.renderers.xlsx import row_height as fit
from credly_audit.renderers.xlsx.styles import STYLES, Style, dressed

Value = str | float | None


@dataclass(slots=True)
class Page:
    """A page in the making; `row` is the next free one. A cell is a value, a style's name and where it links to."""

    sheet: Worksheet
    row: int = 1
    _cells: dict[tuple[int, int], tuple[Value, Style, str | None]] = field(default_factory=dict)

    def widths(self, *widths: float) -> None:
        """The widths of the columns, from A on."""
        for index, width in enumerate(widths, 1):
            self.sheet.column_dimensions[get_column_letter(index)].width = width

    def line(self, **cells: Value | tuple[Value, str] | tuple[Value, str, str | None]) -> None:
        """A row: `B="text"`, `C=(12, "number")` or `C=(12, "number", "'Findings'!A2")`, by columns."""
        for letter, said in cells.items():
            value, style, *target = said if isinstance(said, tuple) else (said, "sentence")
            self.put(letter, value, STYLES[style], target[0] if target else None)
        self.row += 1

    def put(self, letter: str, value: Value, style: Style, target: str | None = None) -> None:
        """One cell of the row."""
        self._cells[self.row, ord(letter) - ord("A")] = value, style, target

    def high(self, points: float) -> None:
        """The height of the row."""
        self.sheet.row_dimensions[self.row].height = points

    def heading(self, text: str) -> None:
        """A blank row and a heading."""
        self.row += 1
        self.high(24)
        self.line(B=(text, "heading"))

    def new_sheet_of_paper(self) -> None:
        """Break the print here, so that no chart is cut in two."""
        self.sheet.row_breaks.append(Break(id=self.row - 1))

    def write(self) -> None:
        """Hand the rows to openpyxl."""
        last = max(row for row, _ in self._cells)
        for row in range(1, last + 1):
            self._fit(row)
            columns = [column for at, column in self._cells if at == row]
            self.sheet.append([self._cell(row, column) for column in range(max(columns, default=-1) + 1)])

    def _fit(self, row: int) -> None:
        """Make a row high enough, unless somebody has said how high it is."""
        if row in self.sheet.row_dimensions:
            return
        needed = [
            fit.lines(value, self.sheet.column_dimensions[get_column_letter(column + 1)].width)
            for (at, column), (value, style, _) in self._cells.items()
            if at == row and isinstance(value, str) and style.alignment.wrap_text
        ]
        self.sheet.row_dimensions[row].height = fit.height(max(needed, default=1))

    def _cell(self, row: int, column: int) -> object:
        found = self._cells.get((row, column))
        return dressed(self.sheet, *found) if found else None
