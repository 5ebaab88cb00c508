"""Conditional formats: what a colour says, the cell's symbol and word have said already."""

from collections.abc import Callable

from openpyxl.formatting.rule import DataBar, FormatObject, Rule
from openpyxl.styles import Font
from openpyxl.styles.differential import DifferentialStyle

from credly_audit.renderers.xlsx.sheet_list import Emphasis, SheetList
from credly_audit.renderers.xlsx.styles import (
    COVERAGE_COLOURS,
    MUTED,
    PALE,
    SEVERITY_COLOURS,
    SEVERITY_WORDS,
    paint,
)
from credly_audit.report.labels import COVERAGE


def severities(title: str) -> list[Emphasis]:
    """Each severity in its colour."""
    return [
        Emphasis(_word(SEVERITY_WORDS[severity], colours), title, title)
        for severity, colours in SEVERITY_COLOURS.items()
    ]


def coverage(title: str) -> list[Emphasis]:
    """Each state of coverage in its colour."""
    return [Emphasis(_word(COVERAGE[status], colours), title, title) for status, colours in COVERAGE_COLOURS.items()]


def struck_out(first: str, last: str, *, of: str, word: str) -> Emphasis:
    """Rows struck through and grey where the column `of` holds the word."""
    font = Font(color=MUTED, strike=True)
    return Emphasis(lambda listing: _where(f'${listing.letter(of)}2="{word}"', font), first, last)


def faint(first: str, last: str, *, of: str, word: str) -> Emphasis:
    """Rows in grey italics where the column `of` holds the word."""
    font = Font(color=MUTED, italic=True)
    return Emphasis(lambda listing: _where(f'${listing.letter(of)}2="{word}"', font), first, last)


def bold(first: str, last: str, *, of: str, starts: str) -> Emphasis:
    """Rows in bold where the column `of` begins so."""
    many, font = len(starts), Font(bold=True)
    return Emphasis(lambda listing: _where(f'LEFT(${listing.letter(of)}2,{many})="{starts}"', font), first, last)


def bars(title: str) -> Emphasis:
    """A small bar in each cell, from zero."""
    ends = [FormatObject(type="num", val=0), FormatObject(type="max")]
    return Emphasis(lambda _: Rule(type="dataBar", dataBar=DataBar(cfvo=ends, color=f"FF{PALE}")), title, title)


def _where(formula: str, font: Font) -> Rule:
    return Rule(type="expression", formula=[formula], dxf=DifferentialStyle(font=font))


def _word(word: str, colours: tuple[str, str]) -> Callable[[SheetList], Rule]:
    paper, ink = colours
    style = DifferentialStyle(font=Font(color=ink), fill=paint(paper))
    return lambda _: Rule(type="cellIs", operator="equal", formula=[f'"{word}"'], dxf=style)
