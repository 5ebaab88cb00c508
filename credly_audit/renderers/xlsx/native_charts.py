"""Native charts, editable in Excel: bars from zero, a number on each, no legend, a title that says the finding."""

from collections.abc import Mapping, Sequence

from openpyxl.chart import BarChart, Reference, Series
from openpyxl.chart.axis import ChartLines
from openpyxl.chart.label import DataLabelList
from openpyxl.chart.layout import Layout, ManualLayout
from openpyxl.chart.marker import DataPoint
from openpyxl.chart.shapes import GraphicalProperties
from openpyxl.chart.text import RichText, Text
from openpyxl.chart.title import Title
from openpyxl.drawing.line import LineProperties
from openpyxl.drawing.text import (
    CharacterProperties,
    Font,
    Paragraph,
    ParagraphProperties,
    RegularTextRun,
)
from openpyxl.worksheet.worksheet import Worksheet

from credly_audit.renderers.xlsx.styles import ACCENT, INK, LINE

WIDTH_OF_LINE = 9_525
"""A pixel, in the units of drawings."""


def bars(
    sheet: Worksheet,
    title: str,
    labels: str,
    numbers: str,
    *,
    size: tuple[int, int],
    lying: bool = False,
    colours: Mapping[int, str] | None = None,
    days: str = "mmm yy",
) -> BarChart:
    """Bars over the cells `numbers` (`$C$5:$C$9`), named by those of `labels`, dates among them as `days` has it.

    `size` is in centimetres.
    """
    chart = _frame(BarChart(), "bar" if lying else "col", title, size, days)
    quoted = f"'{sheet.title}'!"
    chart.add_data(Reference(range_string=quoted + numbers))
    chart.set_categories(Reference(range_string=quoted + labels))
    chart.legend = None
    chart.y_axis.delete = True
    chart.y_axis.majorGridlines = None
    if lying:
        chart.x_axis.scaling.orientation = "maxMin"
    (series,) = chart.series
    series.graphicalProperties = GraphicalProperties(solidFill=ACCENT)
    series.graphicalProperties.line.noFill = True
    series.invertIfNegative = False
    series.dLbls = DataLabelList(
        showVal=True,
        showSerName=False,
        showCatName=False,
        showLegendKey=False,
        showPercent=False,
        dLblPos="outEnd",
        txPr=_text(900, bold=True),
    )
    for index, colour in (colours or {}).items():
        point = DataPoint(idx=index, invertIfNegative=False)
        point.graphicalProperties = GraphicalProperties(
            solidFill=colour, ln=LineProperties(solidFill=INK, w=WIDTH_OF_LINE)
        )
        series.dPt.append(point)
    return chart


def stacks(
    sheet: str,
    title: str,
    labels: str,
    series: Sequence[tuple[str, str, str]],
    rows: tuple[int, int],
    *,
    size: tuple[int, int],
) -> BarChart:
    """Stack series (name, column, colour) over the rows of another sheet, whose dates are in the column `labels`."""
    chart = _frame(BarChart(grouping="stacked", overlap=100), "col", title, size, "d mmm yy")
    first, last = rows
    for name, letter, colour in series:
        cells = Reference(range_string=f"'{sheet}'!${letter}${first}:${letter}${last}")
        one = Series(cells, title=name)
        one.graphicalProperties = GraphicalProperties(solidFill=colour, ln=LineProperties(solidFill=LINE))
        one.invertIfNegative = False
        chart.series.append(one)
    chart.set_categories(Reference(range_string=f"'{sheet}'!${labels}${first}:${labels}${last}"))
    chart.legend.position = "b"
    chart.y_axis.delete = False
    chart.y_axis.majorGridlines = ChartLines(GraphicalProperties(ln=LineProperties(solidFill=LINE, w=WIDTH_OF_LINE)))
    chart.y_axis.txPr = _text(900)
    chart.y_axis.number_format = "#,##0"
    return chart


def _frame(chart: BarChart, kind: str, title: str, size: tuple[int, int], days: str) -> BarChart:
    """Return a chart without bars as one of bars from zero."""
    chart.type = kind
    chart.width, chart.height = size
    chart.title = _title(title)
    chart.title.overlay = False
    chart.gapWidth = 40
    chart.x_axis.delete = False
    chart.y_axis.scaling.min = 0
    chart.x_axis.graphicalProperties = GraphicalProperties(ln=LineProperties(solidFill=LINE, w=WIDTH_OF_LINE))
    chart.x_axis.majorTickMark = "none"
    chart.x_axis.txPr = _text(900)
    chart.x_axis.number_format = days
    chart.graphical_properties = GraphicalProperties(ln=LineProperties(noFill=True))
    return chart


def _properties(size: int, *, bold: bool = False) -> CharacterProperties:
    return CharacterProperties(sz=size, b=bold, solidFill=INK, latin=Font(typeface="Calibri"))


def _text(size: int, *, bold: bool = False) -> RichText:
    properties = _properties(size, bold=bold)
    return RichText(p=[Paragraph(pPr=ParagraphProperties(defRPr=properties), endParaRPr=properties)])


def _title(text: str) -> Title:
    run = RegularTextRun(rPr=_properties(1100, bold=True), t=text)
    title = Title(layout=Layout(manualLayout=ManualLayout(xMode="edge", yMode="edge", x=0.01, y=0.02)))
    title.tx = Text(rich=RichText(p=[Paragraph(pPr=ParagraphProperties(algn="l"), r=[run])]))
    return title
