"""Is it getting better: open findings from audit to audit, and how long it takes to mend one."""

import pandas as pd

from credly_audit.audit.comparison import Comparison, remediation_times
from credly_audit.renderers.xlsx.free_sheet import Page
from credly_audit.renderers.xlsx.report import RESOLVED, Report
from credly_audit.renderers.xlsx.small_chart import CHART_ROW, captions, chart, day_cell
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS, STYLES
from credly_audit.report.briefing import removed_from_scope
from credly_audit.severity import Severity
from credly_audit.text import count, number, spoken_day

MOST_AUDITS = 12


def trend(page: Page, report: Report) -> None:
    """What changed since the audit before, the last audits as a chart, and the time to mend by severity."""
    compared = report.audit.compared
    if compared is None:
        return
    page.new_sheet_of_paper()
    page.heading("Trend")
    page.line(B=(_since(compared), "line"))
    for sentence in removed_from_scope(report.audit):
        page.line(B=(sentence, "line"))
    if len(compared.resolved):
        page.line(B=("What was resolved", "more", report.place(RESOLVED, 0)))
    if len(compared.trend) > 1:
        _audits(page, compared.trend.tail(MOST_AUDITS))
    _times_to_mend(page, compared.mended)


def _since(compared: Comparison) -> str:
    before = f"Since the audit of {spoken_day(compared.since)}"
    resolved = count(len(compared.resolved), "finding was resolved", "findings were resolved")
    if compared.trend.empty:
        return f"{before} {resolved}."
    now = compared.trend.iloc[-1]
    came = f"{number(int(now['new']))} new, {number(int(now['reopened']))} came back"
    return f"{before} {resolved}; {came}, {number(int(now['persisting']))} stayed."


def _audits(page: Page, audits: pd.DataFrame) -> None:
    """A row an audit, oldest first."""
    page.row += 1
    start = page.row + 1
    page.line(**captions("Audit of", "Open findings", "of them"))
    totals = audits[[severity.value for severity in Severity]].sum(axis=1).tolist()
    for total, (_, audit) in zip(totals, audits.iterrows(), strict=True):
        page.high(CHART_ROW)
        page.put("B", day_cell(audit["as_of"]), STYLES["day"])
        grave = int(audit["critical"]) + int(audit["high"])
        unseen = int(audit["organizations"]) - int(audit["fully_seen"])
        gap = f"; {count(unseen, 'organization', 'organizations')} incomplete" if unseen else ""
        page.line(C=(int(total), "whole"), D=(f"{number(grave)} critical or high{gap}", "line"))
    apart = int(totals[-1] - totals[-2])
    more = "as many as" if apart == 0 else f"{number(abs(apart))} {'more' if apart > 0 else 'fewer'} than"
    title = f"{count(int(totals[-1]), 'open finding', 'open findings')}, {more} at the audit before"
    chart(page, title, start, max(len(audits), 10), beside="E", days="d mmm yy")


def _times_to_mend(page: Page, mended: pd.DataFrame) -> None:
    """Write, over all audits, how many findings of each severity were resolved, and the median of their days."""
    if mended.empty:
        return
    page.row += 1
    page.line(**captions("Severity", "Resolved", "Median time"))
    for severity, time in remediation_times(mended).items():
        if time is not None:
            page.line(B=(SEVERITY_WORDS[severity], f"as {severity}"), C=(time.findings, "whole"), D=(time.days, "line"))
