"""Native charts, editable in Excel: bars from zero, a number on each, no legend, a title that says the finding."""

from collections.abc import Mapping

from openpyxl.chart import BarChart, Reference
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
    chart = BarChart()
    chart.type = "bar" if lying else "col"
    chart.width, chart.height = size
    quoted = f"'{sheet.title}'!"
    chart.add_data(Reference(range_string=quoted + numbers))
    chart.set_categories(Reference(range_string=quoted + labels))
    chart.title = _title(title)
    chart.title.overlay = False
    chart.legend = None
    chart.gapWidth = 40
    chart.x_axis.delete = False
    chart.y_axis.delete = True
    chart.y_axis.majorGridlines = None
    chart.y_axis.scaling.min = 0
    if lying:
        chart.x_axis.scaling.orientation = "maxMin"
    chart.x_axis.graphicalProperties = GraphicalProperties(ln=LineProperties(solidFill=LINE, w=WIDTH_OF_LINE))
    chart.x_axis.majorTickMark = "none"
    chart.x_axis.txPr = _text(900)
    chart.x_axis.number_format = days
    chart.graphical_properties = GraphicalProperties(ln=LineProperties(noFill=True))
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
