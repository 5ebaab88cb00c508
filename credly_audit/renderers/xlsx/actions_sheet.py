"""The sheet Actions: what to do, for each token or organization once in each group of work, the most urgent first."""

import pandas as pd

from credly_audit.instants.instant_columns import INSTANT
from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.cell_xml import serial
from credly_audit.renderers.xlsx.sheet_list import Column, Link, Piece, SheetList
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.workbook_report import ACTIONS, FINDINGS, WorkbookReport, described
from credly_audit.report.labels import ITSELF
from credly_audit.text import NOTHING

COLUMNS = (
    Column("Priority", "number", narrowest=10),
    Column("Due", "date", narrowest=12),
    Column("Overdue (days)", "number", narrowest=11),
    Column("Severity", "word", narrowest=12),
    Column("Token", "text", 44, narrowest=24),
    Column("Organization", "text", 28),
    Column("Remediation", "text", 50),
    Column("Finding", "text", 50),
    Column("Related findings", "text", 30),
    Column("Consumers that stop", "text", 40),
    Column("Owner", "text", 30),
    Column("Findings", "linked number", narrowest=11),
    Column("fingerprint", "code", 20, printed=False),
    Column("organization_id", "code", 40, printed=False),
    Column("token_id", "code", 40, printed=False),
)


def actions(report: WorkbookReport) -> SheetList:
    """Return all actions, in the order of the top priorities."""

    def piece(start: int, stop: int) -> Piece:
        part = report.actions[start:stop]
        return {
            "Priority": [action.priority for action in part],
            "Overdue (days)": [action.overdue_days for action in part],
            "Due": serial(pd.Series([action.due_at for action in part], dtype=INSTANT)),
            "Severity": [SEVERITY_WORDS[action.severity] for action in part],
            "Token": [described(action.description) if action.token_id else ITSELF for action in part],
            "Organization": [action.organization_name for action in part],
            "Remediation": [action.what for action in part],
            "Finding": [action.why for action in part],
            "Related findings": [", ".join(action.also) for action in part],
            "Consumers that stop": [action.stops for action in part],
            "Owner": [action.contact or NOTHING for action in part],
            "Findings": [action.findings for action in part],
            "fingerprint": [action.fingerprint for action in part],
            "organization_id": [action.organization_id for action in part],
            "token_id": [action.token_id for action in part],
        }

    return SheetList(
        title=ACTIONS,
        table="Actions",
        columns=COLUMNS,
        many=len(report.actions),
        piece=piece,
        nothing="No open finding requires work.",
        frozen=5,
        link=Link(
            "Findings",
            lambda start, stop: [report.place(FINDINGS, action.position) for action in report.actions[start:stop]],
        ),
        emphasis=tuple(emphasis.severities("Severity")),
    )
