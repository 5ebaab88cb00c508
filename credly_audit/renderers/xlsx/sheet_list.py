"""What a list is: its columns, where its rows come from, what they link to and what stands out in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openpyxl.formatting.rule import Rule
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from credly_audit.renderers.xlsx.cell_xml import MOST_IN_CELL, MOST_LETTERS

Piece = Mapping[str, Sequence[Any]]
"""Plain values by the titles of their columns; a column that is not named is empty."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `style` is one of styles.STYLES, widths are in characters; `printed` are the first ones alone."""

    title: str
    style: str = "text"
    widest: int = 60
    narrowest: int = 9
    printed: bool = True

    @property
    def most_letters(self) -> int:
        """The length to which its texts are shortened; IDs are read back, and are kept complete."""
        return MOST_IN_CELL if self.style == "code" else MOST_LETTERS


@dataclass(frozen=True, slots=True)
class Link:
    """The column whose cells are links, and where those of the rows start … stop lead (None: nowhere)."""

    title: str
    targets: Callable[[int, int], Sequence[str | None]]


@dataclass(frozen=True, slots=True)
class Emphasis:
    """A conditional format on the cells of the columns `first` … `last`; makes a rule of its own for every sheet."""

    rule: Callable[["SheetList"], Rule]
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class SheetList:
    """A list of `many` rows; `piece(start, stop)` gives some of them, `nothing` is said where there are none.

    The first `frozen` columns stay in sight; `validations` makes what may be typed, by column.
    """

    title: str
    table: str
    columns: tuple[Column, ...]
    many: int
    piece: Callable[[int, int], Piece]
    nothing: str
    frozen: int = 1
    link: Link | None = None
    emphasis: tuple[Emphasis, ...] = ()
    validations: Callable[[], dict[str, DataValidation]] = field(default=dict)

    def letter(self, title: str) -> str:
        """The letter of a column."""
        return get_column_letter(self.index(title) + 1)

    def index(self, title: str) -> int:
        """The position of a column, from 0."""
        return [column.title for column in self.columns].index(title)
