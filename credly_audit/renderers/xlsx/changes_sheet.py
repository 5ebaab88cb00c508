"""The sheets Changes, Changes by organization and Trend: what changed since the last audit, and over all audits."""

from credly_audit.audit.changes import CHANGES, DELTAS
from credly_audit.audit.findings import convert_to_plain
from credly_audit.audit.prior import TREND as TREND_COLUMNS
from credly_audit.audit.prior import make_empty_frame
from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.cell_xml import serial
from credly_audit.renderers.xlsx.sheet_list import Column, Piece, SheetList
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.workbook_report import CHANGED_ORGANIZATIONS, TREND, WorkbookReport, described
from credly_audit.renderers.xlsx.workbook_report import CHANGES as CHANGES_SHEET
from credly_audit.report.change_labels import LABELS
from credly_audit.report.labels import ITSELF
from credly_audit.severity import Severity
from credly_audit.text import spoken_day

COLUMNS = (
    Column("Change", "word", narrowest=22),
    Column("Severity", "word", narrowest=12),
    Column("Token", "text", 44, narrowest=24),
    Column("Organization", "text", 28),
    Column("Reason or permissions", "text", 28, narrowest=20),
    Column("Finding", "text", 46, narrowest=24),
    Column("fingerprint", "code", 20, printed=False),
    Column("finding_id", "code", 20, printed=False),
    Column("rule_id", "code", 12, printed=False),
    Column("organization_id", "code", 40, printed=False),
    Column("token_id", "code", 40, printed=False),
)

DELTA_HEADINGS = {
    "created": "Tokens created",
    "removed": "Tokens removed",
    "rotated": "Tokens rotated",
    "permissions increased": "Permissions increased",
    "permissions reduced": "Permissions reduced",
    "new": "New findings",
    "reopened": "Reopened findings",
    "resolved": "Resolved findings",
    "accepted": "Risks accepted",
    "no longer accepted": "Acceptances ended",
    "open_now": "Open findings",
}

DELTA_COLUMNS = (
    Column("Organization", "text", 34, narrowest=24),
    *(Column(title, "number", 16, narrowest=14) for title in DELTA_HEADINGS.values()),
    Column("Change of open findings", "number", 20, narrowest=18),
    Column("organization_id", "code", 40, printed=False),
)

TREND_NUMBERS = {
    "organizations": "Organizations",
    "fully_seen": "Complete",
    "tokens": "Tokens",
    **{severity.value: severity.value.capitalize() for severity in reversed(Severity)},
    "new": "New findings",
    "reopened": "Reopened findings",
    "resolved": "Resolved findings",
    "waived": "Risks accepted",
    "unseen": "Not assessed",
}

TREND_COLUMNS_OF_SHEET = (
    Column("Audit of", "date", narrowest=13),
    Column("Result", "word", narrowest=12),
    *(Column(title, "number", 14, narrowest=11) for title in TREND_NUMBERS.values()),
)


def list_changes(report: WorkbookReport) -> SheetList:
    """Return every change of a token or a finding since the last audit."""
    compared, rules = report.audit.compared, report.audit.rules
    frame = make_empty_frame(CHANGES) if compared is None else compared.changes

    def piece(start: int, stop: int) -> Piece:
        part = frame.iloc[start:stop]
        token_ids, rule_ids = convert_to_plain(part["token_id"]), convert_to_plain(part["rule_id"])
        return {
            "Change": part["change"].map(LABELS).tolist(),
            "Severity": [
                SEVERITY_WORDS[Severity(each)] if each else None for each in convert_to_plain(part["severity"])
            ],
            "Token": [
                described(description) if token_id else ITSELF
                for token_id, description in zip(token_ids, convert_to_plain(part["description"]), strict=True)
            ],
            "Organization": convert_to_plain(part["organization_name"]),
            "Reason or permissions": convert_to_plain(part["detail"]),
            "Finding": [rules[each].summary if each in rules else each for each in rule_ids],
            **{name: convert_to_plain(part[name]) for name in ("fingerprint", "finding_id", "organization_id")},
            "rule_id": rule_ids,
            "token_id": token_ids,
        }

    return SheetList(
        title=CHANGES_SHEET,
        table="Changes",
        columns=COLUMNS,
        many=len(frame),
        piece=piece,
        nothing=_describe_nothing(report),
        frozen=3,
        emphasis=tuple(emphasis.severities("Severity")),
    )


def list_changed_organizations(report: WorkbookReport) -> SheetList:
    """Return the changes of each organization that has any, counted by kind."""
    compared = report.audit.compared
    frame = make_empty_frame(DELTAS) if compared is None else compared.deltas

    def piece(start: int, stop: int) -> Piece:
        part = frame.iloc[start:stop]
        return {
            "Organization": convert_to_plain(part["organization_name"]),
            **{title: convert_to_plain(part[name]) for name, title in DELTA_HEADINGS.items()},
            "Change of open findings": convert_to_plain(part["open_now"] - part["open_before"]),
            "organization_id": convert_to_plain(part["organization_id"]),
        }

    return SheetList(
        title=CHANGED_ORGANIZATIONS,
        table="Changed",
        columns=DELTA_COLUMNS,
        many=len(frame),
        piece=piece,
        nothing=_describe_nothing(report),
    )


def list_audits(report: WorkbookReport) -> SheetList:
    """Return every audit, oldest first, as its reports counted."""
    compared = report.audit.compared
    frame = make_empty_frame(TREND_COLUMNS) if compared is None else compared.trend

    def piece(start: int, stop: int) -> Piece:
        part = frame.iloc[start:stop]
        return {
            "Audit of": serial(part["as_of"]),
            "Result": convert_to_plain(part["outcome"]),
            **{title: convert_to_plain(part[name]) for name, title in TREND_NUMBERS.items()},
        }

    return SheetList(
        title=TREND,
        table="Trend",
        columns=TREND_COLUMNS_OF_SHEET,
        many=len(frame),
        piece=piece,
        nothing="There is no earlier audit to compare with." if compared is None else "No trend is known of this part.",
    )


def _describe_nothing(report: WorkbookReport) -> str:
    compared = report.audit.compared
    if compared is None:
        return "There is no earlier audit to compare with."
    return f"Nothing changed since the audit of {spoken_day(compared.since)}."
