"""How a value becomes a cell's XML: texts as texts, never as formulas; instants and numbers as numbers."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

import pandas as pd

from credly_audit.renderers.xlsx.row_height import MOST_LINES, height
from credly_audit.text import cell

MOST_LETTERS = 2_000
"""A text is shortened to this: no one reads on in a cell, and the JSON report has all of it."""

MOST_IN_CELL = 32_767
"""The most characters of a cell in Excel; IDs, which are read back, are not shortened before that."""

ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
"""Excel reads `_x000D_` in a text as the character of that number."""

FIRST_DAY = pd.Timestamp("1900-03-01", tz="UTC")
"""Earlier days are wrong or refused in Excel: it takes 1900 for a leap year."""

DAY_ZERO = pd.Timestamp("1899-12-30", tz="UTC")


@lru_cache(maxsize=20_000)
def words(text: str, most: int = MOST_LETTERS) -> str:
    """Return a text as a cell may hold it, before XML's own escapes: at most so many characters."""
    safe = ESCAPED.sub("_x005F_", cell(text))
    return safe if len(safe) <= most else safe[: most - 1] + "…"


@lru_cache(maxsize=20_000)
def _in_xml(text: str, most: int) -> str:
    return escape(words(text, most))


def serial(instants: pd.Series) -> list[float | str | None]:
    """Excel's day numbers, to the second, of instants (UTC); a day that Excel cannot show is a text."""
    seconds = (instants.dt.floor("s") - DAY_ZERO).dt.total_seconds()
    days = (seconds / 86_400).round(8).astype(object).where(instants.notna(), None).tolist()
    early = (instants < FIRST_DAY).to_numpy()
    if early.any():
        texts = instants.dt.strftime("%Y-%m-%d").tolist()
        days = [text if hit else day for hit, text, day in zip(early, texts, days, strict=True)]
    return days


def column(letter: str, style: int, values: Sequence[Any], first_row: int, most: int = MOST_LETTERS) -> list[str]:
    """Return the cells of one column from `first_row` down: None is an empty cell, a str a text, else it is a number.

    Texts are shortened to `most` characters.
    """
    start, dressed = f'<c r="{letter}', f'" s="{style}'
    text = f'{dressed}" t="inlineStr"><is><t xml:space="preserve">'
    return [
        f"{start}{row}{text}{_in_xml(value, most)}</t></is></c>"
        if isinstance(value, str)
        else f'{start}{row}{dressed}"/>'
        if value is None
        else f'{start}{row}{dressed}"><v>{value}</v></c>'
        for row, value in enumerate(values, first_row)
    ]


def rows(columns: Sequence[Sequence[str]], lines: Sequence[int], first_row: int) -> bytes:
    """The rows of cells that stand side by side, each high enough for its lines."""
    high = [f' ht="{height(many)}" customHeight="1"' if many > 1 else "" for many in range(MOST_LINES + 1)]
    numbered = enumerate(zip(lines, zip(*columns, strict=True), strict=True), first_row)
    return "".join(
        [f'<row r="{row}"{high[min(many, MOST_LINES)]}>{"".join(cells)}</row>' for row, (many, cells) in numbered]
    ).encode()
