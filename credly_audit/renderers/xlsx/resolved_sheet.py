"""The sheet Resolved: what was there at the audit before and is remediated now, and how long it was open."""

from credly_audit.audit.findings import convert_to_plain
from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.cell_xml import serial
from credly_audit.renderers.xlsx.sheet_list import Column, Piece, SheetList
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.workbook_report import RESOLVED, WorkbookReport, described
from credly_audit.report.labels import ITSELF
from credly_audit.severity import Severity
from credly_audit.text import spoken_day

COLUMNS = (
    Column("Severity", "word", narrowest=12),
    Column("Token", "text", 44, narrowest=24),
    Column("Organization", "text", 28),
    Column("Finding", "text", 46),
    Column("First seen", "date", narrowest=12),
    Column("Resolved", "date", narrowest=12),
    Column("Days open", "number", narrowest=11),
    Column("fingerprint", "code", 20, printed=False),
    Column("finding_id", "code", 20, printed=False),
    Column("rule_id", "code", 12, printed=False),
    Column("organization_id", "code", 40, printed=False),
    Column("token_id", "code", 40, printed=False),
)


def resolved(report: WorkbookReport) -> SheetList:
    """The findings that are gone since the audit compared with, worst first."""
    compared = report.audit.compared
    rules = report.audit.rules

    def piece(start: int, stop: int) -> Piece:
        if compared is None:
            return {}
        part = compared.resolved.iloc[start:stop]
        token_ids = convert_to_plain(part["token_id"])
        rule_ids = convert_to_plain(part["rule_id"])
        return {
            "Severity": [SEVERITY_WORDS[Severity(severity)] for severity in part["severity"]],
            "Token": [
                described(description) if token_id else ITSELF
                for token_id, description in zip(token_ids, convert_to_plain(part["description"]), strict=True)
            ],
            "Organization": convert_to_plain(part["organization_name"]),
            "Finding": [rules[each].summary if each in rules else each for each in rule_ids],
            "First seen": serial(part["first_seen_at"]),
            "Resolved": serial(part["resolved_at"]),
            "Days open": convert_to_plain(part["days_open"]),
            "fingerprint": convert_to_plain(part["fingerprint"]),
            "finding_id": convert_to_plain(part["finding_id"]),
            "rule_id": rule_ids,
            "organization_id": convert_to_plain(part["organization_id"]),
            "token_id": token_ids,
        }

    return SheetList(
        title=RESOLVED,
        table="Resolved",
        columns=COLUMNS,
        many=0 if compared is None else len(compared.resolved),
        piece=piece,
        nothing="There is no earlier audit to compare with."
        if compared is None
        else f"Nothing was resolved since the audit of {spoken_day(compared.since)}.",
        frozen=2,
        emphasis=tuple(emphasis.severities("Severity")),
    )
