"""How the workbook looks: one type face, white paper, one accent; severity is the only other colour.

Whatever a colour says, a symbol and a word say too, so that a print in grey says the same.
"""

from dataclasses import dataclass, field

from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.worksheet import Worksheet

from credly_audit.renderers.xlsx.cell_xml import words
from credly_audit.severity import Severity

INK, MUTED, ACCENT, WHITE, PAPER, LINE = "1B2430", "5B6673", "1F3A5F", "FFFFFF", "F1F4F8", "D5DAE1"
YELLOW, DEEP_YELLOW, PALE = "FFF6C8", "FFD84D", "A9BEDD"

SEVERITY_WORDS = {
    Severity.CRITICAL: "① critical",
    Severity.HIGH: "② high",
    Severity.MEDIUM: "③ medium",
    Severity.LOW: "④ low",
    Severity.INFO: "⑤ info",
}
"""Sorted as texts they are sorted by weight, in a column, a filter's list and a pivot table alike."""

SEVERITY_COLOURS = {
    Severity.CRITICAL: ("6D0F1E", WHITE),
    Severity.HIGH: ("B8420F", WHITE),
    Severity.MEDIUM: ("F0B04A", INK),
    Severity.LOW: ("FBE3B0", INK),
    Severity.INFO: ("E9EDF2", INK),
}
"""Paper and ink, from dark to light, in grey too."""

COVERAGE_COLOURS = {
    "complete": ("DDEFE3", INK),
    "truncated": ("F0B04A", INK),
    "unverified": ("FBE3B0", INK),
    "mismatch": ("F0B04A", INK),
    "failed": ("6D0F1E", WHITE),
}

VERDICT_BANDS = {"pass": ("✓", "1B6E3C"), "violations": ("✕", "9B1C1C"), "incomplete": ("◐", "7A4A00")}

BELOW = Border(bottom=Side(style="hair", color=LINE))


@dataclass(frozen=True, slots=True)
class Style:
    """What a cell looks like."""

    font: Font = field(default_factory=lambda: Font(name="Calibri", size=10, color=INK))
    fill: PatternFill | None = None
    alignment: Alignment = field(default_factory=lambda: Alignment(vertical="top"))
    border: Border | None = None
    number_format: str = "General"


def _font(size: float = 10, color: str = INK, *, bold: bool = False, link: bool = False) -> Font:
    return Font(name="Calibri", size=size, color=color, bold=bold, underline="single" if link else None)


def paint(color: str) -> PatternFill:
    """A plain fill."""
    return PatternFill("solid", start_color=color, end_color=color)


def _side(horizontal: str = "general", *, wrap: bool = False, vertical: str = "top", indent: int = 0) -> Alignment:
    return Alignment(horizontal=horizontal, vertical=vertical, wrap_text=wrap, indent=indent)


DATE, DAY, MONTH, WHOLE = "yyyy-mm-dd", "d mmmm yyyy", "mmmm yyyy", "#,##0"
ORGANIZATIONS = '[=1]0 "organization";#,##0 "organizations"'

_LINK = _font(color="1A56A6", link=True)

STYLES = {
    # lists
    "header": Style(_font(color=WHITE, bold=True), paint(ACCENT), _side(wrap=True, vertical="center")),
    "typed header": Style(_font(bold=True), paint(DEEP_YELLOW), _side(wrap=True, vertical="center")),
    "text": Style(_font(), None, _side(wrap=True), BELOW),
    "aside": Style(_font(), None, _side("left", wrap=True, indent=1), BELOW),
    "word": Style(_font(), None, _side(), BELOW),
    "code": Style(Font(name="Consolas", size=9, color=MUTED), None, _side(), BELOW),
    "date": Style(_font(), None, _side("center"), BELOW, DATE),
    "month": Style(_font(), None, _side("left"), BELOW, MONTH),
    "month of a chart": Style(_font(), None, _side("left"), None, MONTH),
    "day": Style(_font(), None, _side("left"), None, DAY),
    "number": Style(_font(), None, _side("right", indent=1), BELOW, WHOLE),
    "seconds": Style(_font(), None, _side("right", indent=1), BELOW, "0.0"),
    "tick": Style(_font(), None, _side("center"), BELOW),
    "link": Style(_LINK, None, _side(wrap=True), BELOW),
    "go": Style(_LINK, None, _side("center"), BELOW),
    "linked number": Style(_LINK, None, _side("right", indent=1), BELOW, WHOLE),
    "typed": Style(_font(), paint(YELLOW), _side(wrap=True), BELOW),
    "typed date": Style(_font(), paint(YELLOW), _side("center"), BELOW, DATE),
    # pages
    "title": Style(_font(20, ACCENT, bold=True), None, _side(vertical="center")),
    "subtitle": Style(_font(10, MUTED)),
    "band": Style(_font(14, WHITE, bold=True), None, _side(wrap=True, vertical="center", indent=1)),
    "heading": Style(_font(14, ACCENT, bold=True), None, _side(vertical="bottom")),
    "caption": Style(_font(color=MUTED, bold=True), paint(PAPER), _side(wrap=True, vertical="center"), BELOW),
    "caption of numbers": Style(
        _font(color=MUTED, bold=True), paint(PAPER), _side("right", wrap=True, vertical="center", indent=2), BELOW
    ),
    "sentence": Style(_font(), None, _side(wrap=True)),
    "line": Style(_font(), None, _side()),
    "strong": Style(_font(bold=True), None, _side(wrap=True)),
    "more": Style(_LINK, None, _side()),
    "whole in list": Style(_LINK, None, _side("right", indent=2), BELOW, WHOLE),
    "linked whole": Style(_LINK, None, _side("right", indent=2), None, WHOLE),
    "seen": Style(_font(), None, _side("left"), None, ORGANIZATIONS),
    "linked seen": Style(_LINK, None, _side("left"), None, ORGANIZATIONS),
    "whole": Style(_font(), None, _side("right", indent=2), None, WHOLE),
    **{
        f"as {word}": Style(_font(color=ink), paint(paper), _side(), BELOW)
        for word, (paper, ink) in (SEVERITY_COLOURS | COVERAGE_COLOURS).items()
    },
}


def dressed(sheet: Worksheet, value: str | float | None, style: Style, target: str | None = None) -> Cell:
    """A cell for openpyxl: a text made harmless and kept a text; `target` (`'Findings'!A2`) is where it links to."""
    made = WriteOnlyCell(sheet, words(value) if isinstance(value, str) else value)
    if isinstance(value, str):
        made.data_type = "s"
    made.font, made.alignment, made.number_format = style.font, style.alignment, style.number_format
    if style.fill:
        made.fill = style.fill
    if style.border:
        made.border = style.border
    if target:
        made.hyperlink = Hyperlink(ref="A1", location=target)
    return made


def number_of(sheet: Worksheet, name: str) -> int:
    """The number by which a cell's XML names the style."""
    return int(dressed(sheet, None, STYLES[name]).style_id)
