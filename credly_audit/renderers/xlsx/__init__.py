"""The Excel workbook: for the security team that decides, the auditor who files it, and people who pivot."""

import errno
import os
from typing import BinaryIO

from lxml import etree

from credly_audit.audit.model import Audit
from credly_audit.renderers.base import Renderer
from credly_audit.renderers.xlsx.about_sheet import add_about
from credly_audit.renderers.xlsx.actions_sheet import actions
from credly_audit.renderers.xlsx.applications_sheet import applications
from credly_audit.renderers.xlsx.book import Book
from credly_audit.renderers.xlsx.changes_sheet import list_audits, list_changed_organizations, list_changes
from credly_audit.renderers.xlsx.decide_by_group_sheet import groups
from credly_audit.renderers.xlsx.decisions_sheet import decisions
from credly_audit.renderers.xlsx.findings_sheet import findings
from credly_audit.renderers.xlsx.organizations_sheet import organizations
from credly_audit.renderers.xlsx.resolved_sheet import resolved
from credly_audit.renderers.xlsx.rules_sheet import controls, rules
from credly_audit.renderers.xlsx.summary_sheet import add_summary
from credly_audit.renderers.xlsx.table_sheet import MOST_ROWS, add_list
from credly_audit.renderers.xlsx.tokens_sheet import expiries, tokens
from credly_audit.renderers.xlsx.workbook_report import WorkbookReport
from credly_audit.report.briefing import write_headline
from credly_audit.text import spoken_day

CHANGED = (list_changes, list_changed_organizations, resolved, list_audits)

LISTS = (actions, findings, groups, tokens, organizations, expiries, decisions, *CHANGED, rules, controls)
"""The lists in the order of their sheets; a new one is one function."""


def render(audit: Audit, out: BinaryIO, most_rows: int = MOST_ROWS) -> None:
    """The workbook; a list longer than `most_rows` goes on in a next sheet. OSError also for its temporary files."""
    report = WorkbookReport(audit, most_rows)
    title = audit.presentation.title or f"Credly authorization tokens: audit of {spoken_day(audit.as_of)}"
    try:
        book = Book(title, write_headline(audit), audit.generated_at)
        add_summary(book, report)
        for listing in (*LISTS, applications) if len(audit.snapshot.applications) else LISTS:
            add_list(book, listing(report), most_rows)
        add_about(book, report)
        book.save(out)
    except etree.SerialisationError as error:  # by lxml's name of the system's error: IO_ENOSPC
        number = getattr(errno, str(error).removeprefix("IO_"), errno.EIO)
        raise OSError(
            number, f"{os.strerror(number)} in the folder for temporary files; set TMPDIR to another"
        ) from None


RENDERER = Renderer(".xlsx", render)
