"""The trend on the Summary: open findings from audit to audit, and the median time to remediate."""

import pandas as pd
from openpyxl.utils import get_column_letter

from credly_audit.audit.comparison import Comparison, compute_remediation_times
from credly_audit.renderers.xlsx.changes_sheet import TREND_COLUMNS_OF_SHEET
from credly_audit.renderers.xlsx.free_sheet import Page
from credly_audit.renderers.xlsx.native_charts import stacks
from credly_audit.renderers.xlsx.small_chart import WIDTHS, captions
from credly_audit.renderers.xlsx.styles import SEVERITY_COLOURS, SEVERITY_WORDS
from credly_audit.renderers.xlsx.workbook_report import CHANGES, RESOLVED, TREND, WorkbookReport
from credly_audit.report.briefing import describe_removed
from credly_audit.severity import Severity
from credly_audit.text import count, number, spoken_day

MOST_AUDITS = 36
CHART_ROWS, CHART_HEIGHT = 16, 8
"""Rows beside the chart, and its height in centimetres."""

LINKS = {CHANGES: "All changes", RESOLVED: "What was resolved"}
TREND_TITLES = tuple(column.title for column in TREND_COLUMNS_OF_SHEET)


def trend(page: Page, report: WorkbookReport) -> None:
    """What changed since the audit before, the last audits as a chart, and the time to remediate by severity."""
    compared = report.audit.compared
    if compared is None:
        return
    page.new_sheet_of_paper()
    page.heading("Trend")
    page.line(B=(_since(compared), "line"))
    for sentence in describe_removed(report.audit):
        page.line(B=(sentence, "line"))
    for sheet, many in ((CHANGES, len(compared.changes)), (RESOLVED, len(compared.resolved))):
        if many:
            page.line(B=(LINKS[sheet], "more", report.place(sheet, 0)))
    page.row += 1
    start = page.row
    _remediation_times(page, compared.remediated)
    if len(compared.trend) > 1:
        _audits(page, report, compared.trend, start)


def _since(compared: Comparison) -> str:
    before = f"Since the audit of {spoken_day(compared.since)}"
    resolved = count(len(compared.resolved), "finding was resolved", "findings were resolved")
    if compared.trend.empty:
        return f"{before} {resolved}."
    now = compared.trend.iloc[-1]
    came = f"{number(int(now['new']))} new, {number(int(now['reopened']))} reopened"
    return f"{before} {resolved}; {came}, {number(int(now['persisting']))} unchanged."


def _audits(page: Page, report: WorkbookReport, audits: pd.DataFrame, start: int) -> None:
    """Draw the open findings of the last audits by severity, from the sheet Trend, beside the times to remediate."""
    totals = audits[[severity.value for severity in Severity]].sum(axis=1).tolist()
    apart = int(totals[-1] - totals[-2])
    more = "as many as" if apart == 0 else f"{number(abs(apart))} {'more' if apart > 0 else 'fewer'} than"
    title = f"{count(int(totals[-1]), 'open finding', 'open findings')}, {more} at the audit before"
    last = min(len(audits), report.most_rows) + 1
    rows = max(2, last - MOST_AUDITS + 1), last
    letters = {title: get_column_letter(place) for place, title in enumerate(TREND_TITLES, 1)}
    series = [
        (severity.value, letters[severity.value.capitalize()], SEVERITY_COLOURS[severity][0]) for severity in Severity
    ]
    drawn = stacks(TREND, title, letters["Audit of"], series, rows, size=(WIDTHS["E"], CHART_HEIGHT))
    page.sheet.add_chart(drawn, f"E{start}")
    page.row = max(page.row, start + CHART_ROWS)


def _remediation_times(page: Page, remediated: pd.DataFrame) -> None:
    """Write, over all audits, how many findings of each severity were resolved, and the median of their days."""
    if remediated.empty:
        return
    page.line(**captions("Severity", "Resolved", "Median time to remediate"))
    for severity, time in compute_remediation_times(remediated).items():
        if time is not None:
            page.line(B=(SEVERITY_WORDS[severity], f"as {severity}"), C=(time.findings, "whole"), D=(time.days, "line"))
