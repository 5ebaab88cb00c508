"""The sheets Tokens and Expiry calendar: every token, by organization; and those that will expire, the next first."""

import pandas as pd

from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.cell_xml import serial
from credly_audit.renderers.xlsx.fields import make_cells, make_columns
from credly_audit.renderers.xlsx.sheet_list import Column, Link, Piece, SheetList
from credly_audit.renderers.xlsx.workbook_report import EXPIRIES, TOKENS, WorkbookReport
from credly_audit.report.briefing import find_soon_days
from credly_audit.report.columns import TOKEN, Field, FieldKind, TokenRows, pick
from credly_audit.text import count

MOST_TITLE = 100
"""Excel repairs a table with a title of more than 255 characters, of which some count twice."""

IN_CALENDAR = (
    pick(TOKEN, "expires", "days_left"),
    pick(TOKEN, "subject"),
    pick(
        TOKEN,
        "organization",
        "read",
        "write",
        "delete",
        "consumers",
        "contact",
        "fingerprint",
        "organization_id",
        "token_id",
    ),
)
"""The columns of the calendar, between which stand its own."""

CALENDAR = (
    Column("Month", "month", narrowest=18),
    *make_columns(IN_CALENDAR[0]),
    Column("When", "word", narrowest=24),
    *make_columns(IN_CALENDAR[1]),
    Column("Open token", "go", narrowest=6),
    *make_columns(IN_CALENDAR[2]),
)


def tokens(report: WorkbookReport) -> SheetList:
    """Every token that was collected, in the order of the organizations."""
    documented = report.audit.documented
    fields = (*TOKEN, *(_document(documented[name], name, number) for number, name in enumerate(documented, 1)))
    return SheetList(
        title=TOKENS,
        table="Tokens",
        columns=make_columns(fields),
        many=len(report.audit.tokens),
        piece=lambda start, stop: make_cells(fields, TokenRows(report.standing, slice(start, stop))),
        nothing="No token was collected.",
        link=report.link_findings(report.highest_of_tokens),
        emphasis=tuple(emphasis.severities("Highest severity")),
    )


def _document(column: pd.Series, name: str, number: int) -> Field:
    """Return a column of the register, its title cut so that it is still unlike the others."""
    title = f"Register: {name}"
    if len(title) > MOST_TITLE:
        title = f"{title[:MOST_TITLE]}… ({number})"
    return Field(name, FieldKind.TEXT, lambda part: column.iloc[part.rows], title, 28, printed=False)


def expiries(report: WorkbookReport) -> SheetList:
    """The unexpired tokens that have an expiry, the next first."""
    soon, next_audit = find_soon_days(report.audit), report.audit.policy.next_audit.days

    def when(days: float) -> str:
        if days <= next_audit:
            return "before the next audit"
        return f"within {count(soon, 'day', 'days')}" if days <= soon else "later"

    def piece(start: int, stop: int) -> Piece:
        part = TokenRows(report.standing, report.expiring[start:stop])
        expires = part.frame["expires_at"]
        apart = (expires - pd.Timestamp(report.audit.as_of)).dt.total_seconds() / 86_400
        months = expires.dt.tz_localize(None).to_numpy().astype("datetime64[M]").astype("datetime64[us]")
        return {
            **make_cells((field for fields in IN_CALENDAR for field in fields), part),
            "Open token": ["→"] * len(expires),
            "Month": serial(pd.Series(months).dt.tz_localize("UTC")),
            "When": [when(days) for days in apart.tolist()],
        }

    return SheetList(
        title=EXPIRIES,
        table="Expiries",
        columns=CALENDAR,
        many=len(report.expiring),
        piece=piece,
        nothing="No collected token has an expiration date ahead.",
        link=Link(
            "Open token",
            lambda start, stop: [report.place(TOKENS, row) for row in report.expiring[start:stop].tolist()],
        ),
        emphasis=(emphasis.bold("Month", "Owner", of="When", starts="before"),),
    )
