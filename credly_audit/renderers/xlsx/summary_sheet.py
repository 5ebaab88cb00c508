"""The sheet Summary: the verdict, its coverage, the top priorities, the outlook; each number leads to its rows."""

import re
from dataclasses import replace
from datetime import datetime

import numpy as np

from credly_audit.renderers.xlsx.book import Book
from credly_audit.renderers.xlsx.free_sheet import Page
from credly_audit.renderers.xlsx.small_chart import CHART_ROW, captions, chart, day_cell, linked
from credly_audit.renderers.xlsx.styles import (
    SEVERITY_COLOURS,
    SEVERITY_WORDS,
    STYLES,
    VERDICT_BANDS,
    paint,
)
from credly_audit.renderers.xlsx.trend import trend
from credly_audit.renderers.xlsx.workbook_report import (
    ACTIONS,
    EXPIRIES,
    FINDINGS,
    ORGANIZATIONS,
    SUMMARY,
    TOKENS,
    WorkbookReport,
)
from credly_audit.report.briefing import (
    MONTHS,
    MOST_NAMED,
    count_expiries,
    count_permissions,
    describe_undelivered,
    find_soon_days,
    list_incomplete,
    write_headline,
)
from credly_audit.report.counts import count_audit
from credly_audit.report.key_figures import AGES, KeyFigure
from credly_audit.report.labels import COVERAGE, COVERAGE_MEANS
from credly_audit.report.priorities import Priority
from credly_audit.severity import Severity
from credly_audit.text import NOTHING, count, number, one_line, spoken_day

MARKS = re.compile(r"^\s*(?:#{1,6}|[*+>-]|\d+\.)\s+|[*_`]{1,3}")
"""Markdown's marks, which a cell does not show."""

SHEETS = {"tokens": TOKENS, "findings": FINDINGS}
"""The sheets of the lists whose rows the key figures count."""


def add_summary(book: Book, report: WorkbookReport) -> None:
    """The first sheet, without grid lines."""
    sheet = book.sheet(SUMMARY)
    sheet.sheet_view.showGridLines = False
    sheet.sheet_view.tabSelected = True
    page = Page(sheet)
    page.widths(2, 40, 14, 46, 56, 30)
    blocks = (
        _verdict,
        _guidance,
        _standing,
        _unseen,
        _first,
        _findings,
        _ages,
        _permissions,
        _coming,
        trend,
    )
    page.high(32)
    page.line(B=(book.title, "title"))
    for block in blocks:
        block(page, report)
    page.write()


def _verdict(page: Page, report: WorkbookReport) -> None:
    audit = report.audit
    header = audit.snapshot.header
    dates = f"As of {_instant(audit.as_of)}. Collected {_instant(header.collected_at)} from {header.base_url}."
    since = "" if audit.compared is None else f" Changes are since the audit of {spoken_day(audit.compared.since)}."
    page.line(B=(f"{dates}{since}", "subtitle"))
    page.row += 1
    symbol, colour = VERDICT_BANDS[audit.verdict.outcome]
    band = replace(STYLES["band"], fill=paint(colour))
    page.sheet.merged_cells.add(f"B{page.row}:F{page.row}")
    page.put("B", f"{symbol}  {write_headline(audit)}", band)
    for letter in "CDEF":
        page.put(letter, None, band)
    page.high(44)
    page.row += 1


def _guidance(page: Page, report: WorkbookReport) -> None:
    """Write the team's own words, as plain lines."""
    lines = [MARKS.sub("", line).strip() for line in (report.audit.presentation.guidance or "").splitlines()]
    if any(lines):
        page.heading("Guidance")
        for line in filter(None, lines):
            page.line(B=(one_line(line, 500), "line"))


def _standing(page: Page, report: WorkbookReport) -> None:
    """The numbers, and beside them how completely the organizations were seen."""
    counts, figures = count_audit(report.audit), list(report.figures)
    page.heading("Key figures")
    page.row -= 1
    page.line(D=("Coverage", "heading"))
    start = page.row
    for each in figures:
        change = f" ({each.described_change})" if each.described_change else ""
        label = f"{each.label[0].upper()}{each.label[1:]}{change}{f': {each.detail}' if each.detail else ''}"
        page.line(B=(label, "strong"), C=linked(each.value, _place(report, each)))
    page.row = start
    statuses = report.audit.organizations["status"]
    for status, means in COVERAGE_MEANS.items():
        hit = (statuses == status).to_numpy()
        target = report.place_organizations(np.flatnonzero(hit))
        said = f"{COVERAGE[status]}: {means}"
        page.line(D=(said, "line"), E=(counts["by_status"][status], "linked seen" if target else "seen", target))
    page.row = start + len(figures)


def _unseen(page: Page, report: WorkbookReport) -> None:
    hidden = list_incomplete(report.audit)
    _unaudited(page, report)
    _undelivered(page, report)
    if not hidden:
        return
    page.row += 1
    page.line(**captions("Incomplete", "Tokens", "Organization", "Reason and remediation", "Owner"))
    for each in hidden[:MOST_NAMED]:
        page.line(
            B=(COVERAGE[each.status], f"as {each.status}"),
            C=(each.tokens, "whole in list", report.place_organizations([each.position])),
            D=(each.name, "text"),
            E=(f"{each.reason}{' This is accepted by a waiver.' if each.accepted else ''}", "text"),
            F=(each.contact or NOTHING, "aside"),
        )
    if len(hidden) > MOST_NAMED:
        more = f"… and {number(len(hidden) - MOST_NAMED)} more, on the sheet {ORGANIZATIONS}"
        page.line(B=(more, "more", report.place(ORGANIZATIONS, 0)))


def _unaudited(page: Page, report: WorkbookReport) -> None:
    """Organizations that the register names and nobody audits."""
    ids = report.audit.unaudited
    if ids:
        named = ", ".join(ids[:MOST_NAMED]) + (" …" if len(ids) > MOST_NAMED else "")
        are = count(len(ids), "organization is", "organizations are")
        page.row += 1
        page.line(B=("Not audited", "strong"), C=(len(ids), "whole"), D=f"{are} in the register alone:", E=named)


def _undelivered(page: Page, report: WorkbookReport) -> None:
    said = describe_undelivered(report.audit.undelivered)
    if said:
        page.row += 1
        page.line(B=(said, "line"))


def _first(page: Page, report: WorkbookReport) -> None:
    page.heading("Top priorities")
    priorities = list(report.priorities.groups())
    if not priorities:
        page.line(B=("No open finding requires work.", "line"))
        return
    page.line(**captions("When", "Severity", "Remediation", "What comes first", "Owner", numbers=""))
    for priority in priorities:
        _priority(page, report, priority)
    if report.priorities.many > len(priorities):
        more = count(report.priorities.many - len(priorities), "more group", "more groups")
        target = report.place_rows(ACTIONS, report.find_actions(len(priorities) + 1))
        page.line(B=(f"… and {more}, on the sheet {ACTIONS}", "more", target))


def _priority(page: Page, report: WorkbookReport, priority: Priority) -> None:
    as_of = report.audit.as_of
    page.line(
        B=(priority.describe_dates(as_of), "link", report.place_rows(ACTIONS, report.find_actions(priority.number))),
        C=(SEVERITY_WORDS[priority.severity], f"as {priority.severity}"),
        D=(priority.title, "text"),
        E=(priority.describe_first(as_of), "text"),
        F=(priority.describe_contacts() or NOTHING, "aside"),
    )


def _findings(page: Page, report: WorkbookReport) -> None:
    counts = count_audit(report.audit)
    page.new_sheet_of_paper()
    page.heading("Findings by severity")
    if not counts["findings"]:
        page.line(B=("No open finding.", "line"))
        return
    start = page.row + 1
    page.line(**captions("Severity", "Count"))
    for severity in reversed(Severity):
        page.high(CHART_ROW)
        target = report.place_rows(FINDINGS, report.standing.find_open(severity))
        page.line(B=(SEVERITY_WORDS[severity], f"as {severity}"), C=linked(counts["by_severity"][severity], target))
    grave = sum(counts["by_severity"][severity] for severity in (Severity.CRITICAL, Severity.HIGH))
    title = f"{number(grave)} of {count(counts['findings'], 'open finding is', 'open findings are')} critical or high"
    colours = {index: SEVERITY_COLOURS[severity][0] for index, severity in enumerate(reversed(Severity))}
    chart(page, title, start, 10, lying=True, colours=colours)


def _ages(page: Page, report: WorkbookReport) -> None:
    """The open findings by severity and age."""
    ages = {severity: counts for severity, counts in report.figures.ages.items() if any(counts)}
    if not ages:
        return
    page.heading("Age of open findings")
    page.line(**captions("Severity", *(label for label, _ in AGES)))
    for severity, counts in ages.items():
        cells = dict(zip("CDE", ((many, "whole") for many in counts), strict=True))
        page.line(B=(SEVERITY_WORDS[severity], f"as {severity}"), **cells)


def _permissions(page: Page, report: WorkbookReport) -> None:
    may = count_permissions(report.audit)
    page.heading("Token permissions")
    total = sum(may.values())
    if not total:
        page.line(B=("No unexpired token was collected.", "line"))
        return
    start = page.row + 1
    page.line(**captions("Unexpired tokens", "Count"))
    for name, many in may.items():
        page.high(CHART_ROW)
        page.line(B=(name, "line"), C=linked(many, report.place(TOKENS, 0) if many else None))
    can = may["read, write and delete"] + may["delete"] + may["write"]
    title = f"{number(can)} of {count(total, 'unexpired token', 'unexpired tokens')} can write or delete"
    chart(page, title, start, 10, lying=True)


def _coming(page: Page, report: WorkbookReport) -> None:
    months, soon = count_expiries(report.audit), find_soon_days(report.audit)
    page.heading("Upcoming expirations")
    busiest = max(months, key=lambda month: month.tokens)
    if not busiest.tokens:
        page.line(B=(f"No collected token expires in the next {MONTHS} months.", "line"))
        return
    start = page.row + 1
    page.line(**captions("Month", "Tokens", "of which"))
    position = 0
    for month in months:
        page.high(CHART_ROW)
        target = report.place(EXPIRIES, position) if month.tokens else None
        page.put("B", day_cell(month.first), STYLES["month of a chart"])
        page.line(
            C=linked(month.tokens, target),
            D=(f"{number(month.soon)} within {count(soon, 'day', 'days')}" if month.soon else None, "line"),
        )
        position += month.tokens
    many = count(busiest.tokens, "token expires", "tokens expire")
    colours = {index: SEVERITY_COLOURS[Severity.MEDIUM][0] for index, month in enumerate(months) if month.soon}
    within = f" (light: within {count(soon, 'day', 'days')})" if colours else ""
    title = f"{many} in {busiest.first:%B %Y}{within}"
    chart(page, title, start, len(months), colours=colours, beside="E")


def _place(report: WorkbookReport, figure: KeyFigure) -> str | None:
    """Return where the rows of a figure are: those of the calendar are the next to expire, in their order."""
    if figure.name.startswith("expiring"):
        return report.place_rows(EXPIRIES, np.arange(figure.value))
    rows = np.flatnonzero(figure.rows)
    if figure.subject == "organizations":
        return report.place_organizations(rows)
    return report.place_rows(SHEETS[figure.subject], rows)


def _instant(instant: datetime) -> str:
    return f"{spoken_day(instant)}, {instant:%H:%M} UTC"
