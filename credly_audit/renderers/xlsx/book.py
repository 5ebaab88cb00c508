"""A workbook in the making: sheets, their print set-up, and how it is saved."""

from datetime import datetime
from typing import BinaryIO

from openpyxl import Workbook
from openpyxl.packaging.core import DocumentProperties
from openpyxl.workbook.properties import CalcProperties
from openpyxl.worksheet.header_footer import HeaderFooterItem, _HeaderFooterPart
from openpyxl.worksheet.page import PageMargins
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet
from openpyxl.writer.excel import ExcelWriter

from credly_audit import __version__
from credly_audit.renderers.xlsx.archive import Archive, SheetBody
from credly_audit.text import one_line

A4 = 9


class Book:
    """An openpyxl workbook in write-only mode, and the rows that are streamed past it."""

    def __init__(self, title: str, subject: str, generated_at: datetime) -> None:
        self.title = one_line(title)
        self._generated_at = generated_at
        self._bodies: dict[str, SheetBody] = {}
        self._workbook = Workbook(write_only=True)
        self._workbook.calculation = CalcProperties(fullCalcOnLoad=False)
        instant = generated_at.replace(tzinfo=None, microsecond=0)
        self._workbook.properties = DocumentProperties(
            title=self.title,
            subject=one_line(subject),
            creator=f"credly-audit {__version__}",
            keywords="Credly; authorization tokens; audit",
            created=instant,
            modified=instant,
        )

    def sheet(self, title: str, *, printed_rows: str | None = None, printed: str | None = None) -> Worksheet:
        """A new sheet after the others, set up for print; `printed_rows` (`1:1`) are repeated on every page."""
        sheet: Worksheet = self._workbook.create_sheet(title)
        sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.paperSize = A4
        sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
        sheet.page_margins = PageMargins(left=0.4, right=0.4, top=0.5, bottom=0.6, header=0.3, footer=0.3)
        sheet.HeaderFooter.oddFooter = HeaderFooterItem(
            left=_HeaderFooterPart("&F"), center=_HeaderFooterPart("&A"), right=_HeaderFooterPart("Page &P of &N")
        )
        sheet.sheet_view.zoomScale = 100
        if printed_rows:
            sheet.print_title_rows = printed_rows
        if printed:
            sheet.print_area = printed
        return sheet

    def stream(self, body: SheetBody) -> None:
        """Put these rows under those of the newest sheet."""
        self._bodies[f"xl/worksheets/sheet{len(self._workbook.worksheets)}.xml"] = body

    def save(self, out: BinaryIO) -> None:
        """Write the file; the first sheet is the one it opens on."""
        self._workbook.active = 0
        ExcelWriter(self._workbook, Archive(out, self._generated_at, self._bodies)).save()
