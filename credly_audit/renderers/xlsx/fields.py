"""How the workbook shows the fields of a subject (credly_audit/report/columns.py): their columns and their cells."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from credly_audit.renderers.xlsx.cell_xml import serial
from credly_audit.renderers.xlsx.sheet_list import Column, Piece
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.workbook_report import described, ticks
from credly_audit.report.columns import Field, FieldKind, SubjectRows, list_values
from credly_audit.report.labels import COVERAGE
from credly_audit.severity import Severity
from credly_audit.text import NOTHING

STYLE = {
    FieldKind.DESCRIPTION: "text",
    FieldKind.OWNER: "text",
    FieldKind.INSTANT: "date",
    FieldKind.FEW: "number",
    FieldKind.COUNT: "linked number",
    FieldKind.FLAG: "tick",
    FieldKind.MARK: "tick",
    FieldKind.SEVERITY: "word",
    FieldKind.COVERAGE: "word",
    FieldKind.TAGS: "text",
}
"""The style of a kind that has not its own name's."""

NARROWEST = {FieldKind.INSTANT: 12, FieldKind.COUNT: 12, FieldKind.SEVERITY: 12, FieldKind.FEW: 18}
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
            field.printed and field.kind != FieldKind.CODE,
        )
        for field in fields
        if field.heading
    )


def make_cells(fields: Iterable[Field], part: SubjectRows) -> Piece:
    """Return the values of the fields that the workbook shows, by their headings."""
    return {field.heading: CELLS.get(field.kind, list_values)(field.take(part)) for field in fields if field.heading}


CELLS: dict[FieldKind, Callable[[Any], Sequence[Any]]] = {
    FieldKind.DESCRIPTION: lambda values: [described(value) for value in list_values(values)],
    FieldKind.OWNER: lambda values: [value or NOTHING for value in list_values(values)],
    FieldKind.INSTANT: serial,
    FieldKind.FLAG: ticks,
    FieldKind.MARK: ticks,
    FieldKind.SEVERITY: lambda values: [WORDS[weight] for weight in list_values(values)],
    FieldKind.COVERAGE: lambda values: [COVERAGE[status] for status in list_values(values)],
}
