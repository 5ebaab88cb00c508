"""A small table on a page with its chart beside it, and what its cells are made of."""

from datetime import datetime

from credly_audit.renderers.xlsx.free_sheet import Page
from credly_audit.renderers.xlsx.native_charts import bars

CHART_ROW = 17.0
"""Points: the height of the rows that a chart stands beside."""

CENTIMETRES_A_POINT = 2.54 / 72

WIDTHS = {"D": 24, "E": 17}
"""Centimetres that a chart has from this column to the page's edge."""


def captions(*texts: str, numbers: str = "C") -> dict[str, tuple[str, str]]:
    """The header of a table from column B on; the column `numbers` has numbers."""
    return {
        letter: (text, "caption of numbers" if letter == numbers else "caption")
        for letter, text in zip("BCDEF", texts, strict=False)
    }


def linked(many: int, target: str | None) -> tuple[int, str, str | None]:
    """A number that leads to its place."""
    return many, "linked whole" if target else "whole", target


def day_cell(when: datetime) -> int:
    """A day as Excel counts it."""
    return (when.replace(tzinfo=None) - datetime(1899, 12, 30)).days  # noqa: DTZ001 - Excel's days have no zone


def chart(
    page: Page,
    title: str,
    start: int,
    rows: int,
    *,
    lying: bool = False,
    colours: dict[int, str] | None = None,
    beside: str = "D",
    days: str = "mmm yy",
) -> None:
    """A chart beside the table that begins in row `start`; the next block begins below both."""
    last = page.row - 1
    size = (WIDTHS[beside], int(rows * CHART_ROW * CENTIMETRES_A_POINT))
    cells = [f"${letter}${start}:${letter}${last}" for letter in "BC"]
    made = bars(page.sheet, title, *cells, size=size, lying=lying, colours=colours, days=days)
    page.sheet.add_chart(made, f"{beside}{start}")
    page.row = max(page.row, start + rows)
