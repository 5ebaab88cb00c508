"""How much room a text takes: no spreadsheet program is asked to calculate a row's height when it opens the file.

LibreOffice does not do so, and Excel only for rows that nobody has sized.
"""

import unicodedata

LETTERS_A_UNIT = 1.15
"""A column's unit is a digit at 11 points; so many letters of running text at 10 points fit in it (Calibri)."""

LINE = 13.0
"""Points a line of text takes at 10 points."""

MOST_LINES = 12

FIRST_WIDE = "\u1100"


def letters(text: str) -> int:
    """How wide a text is, in letters: those of Chinese, Japanese and Korean count twice."""
    if text.isascii():
        return len(text)
    return len(text) + sum(unicodedata.east_asian_width(letter) in "WF" for letter in text if letter >= FIRST_WIDE)


def lines(text: str, width: float) -> int:
    """On how many lines a text stands in a column of that width."""
    room = int(width * LETTERS_A_UNIT)
    if "\n" not in text:
        return -(-letters(text) // room) or 1
    return sum(-(-letters(line) // room) or 1 for line in text.split("\n"))


def height(many_lines: int) -> float:
    """The points that a row of so many lines needs."""
    return LINE * min(many_lines, MOST_LINES) + 2
