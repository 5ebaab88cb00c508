"""How the workbook shows the fields of a subject (credly_audit/report/columns.py): their columns and their cells."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from credly_audit.renderers.xlsx.cell_xml import serial
from credly_audit.renderers.xlsx.report import described, ticks
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.table import Column, Piece
from credly_audit.report.columns import Field, Kind, Part, list_values
from credly_audit.report.labels import COVERAGE
from credly_audit.severity import Severity
from credly_audit.text import NOTHING

STYLE = {
    Kind.DESCRIPTION: "text",
    Kind.OWNER: "text",
    Kind.INSTANT: "date",
    Kind.FEW: "number",
    Kind.COUNT: "linked number",
    Kind.FLAG: "tick",
    Kind.MARK: "tick",
    Kind.SEVERITY: "word",
    Kind.COVERAGE: "word",
    Kind.TAGS: "text",
}
"""The style of a kind that has not its own name's."""

NARROWEST = {Kind.INSTANT: 12, Kind.COUNT: 12, Kind.SEVERITY: 12, Kind.FEW: 18}
NARROW = 9

WORDS = [*(SEVERITY_WORDS[severity] for severity in Severity), None]
"""By weight; -1 is none."""


def make_columns(fields: Iterable[Field]) -> tuple[Column, ...]:
    """Return the columns of the fields that the workbook shows."""
    return tuple(
        Column(
            field.heading,
            STYLE.get(field.kind, field.kind.value),
            field.widest,
            field.narrowest or NARROWEST.get(field.kind, NARROW),
            field.printed and field.kind != Kind.CODE,
        )
        for field in fields
        if field.heading
    )


def make_cells(fields: Iterable[Field], part: Part) -> Piece:
    """Return the values of the fields that the workbook shows, by their headings."""
    return {field.heading: CELLS.get(field.kind, list_values)(field.take(part)) for field in fields if field.heading}


CELLS: dict[Kind, Callable[[Any], Sequence[Any]]] = {
    Kind.DESCRIPTION: lambda values: [described(value) for value in list_values(values)],
    Kind.OWNER: lambda values: [value or NOTHING for value in list_values(values)],
    Kind.INSTANT: serial,
    Kind.FLAG: ticks,
    Kind.MARK: ticks,
    Kind.SEVERITY: lambda values: [WORDS[weight] for weight in list_values(values)],
    Kind.COVERAGE: lambda values: [COVERAGE[status] for status in list_values(values)],
}
