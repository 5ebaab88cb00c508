"""The sheets Tokens and Expiry calendar: every token, by organization; and those that will expire, the next first."""

from typing import Any

import numpy as np
import pandas as pd

from credly_audit.audit.findings import plain
from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.cell_xml import serial
from credly_audit.renderers.xlsx.report import EXPIRIES, FINDINGS, TOKENS, Report, described, ticks
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.table import Column, Link, Listing, Piece
from credly_audit.report.briefing import soon_days
from credly_audit.severity import Severity
from credly_audit.text import NOTHING, count

DESCRIBED = (Column("Token", "text", 44, narrowest=24), Column("Organization", "text", 28))
PERMISSIONS = tuple(Column(title, "tick") for title in ("Read", "Write", "Delete"))
IDS = (
    Column("fingerprint", "code", 20, printed=False),
    Column("organization_id", "code", 40, printed=False),
    Column("token_id", "code", 40, printed=False),
)

COLUMNS = (
    *DESCRIBED,
    *PERMISSIONS,
    Column("Expires", "date", narrowest=12),
    Column("Days left", "number"),
    Column("Open findings", "linked number", narrowest=12),
    Column("Highest severity", "word", narrowest=12),
    Column("Created", "date", narrowest=12),
    Column("Last rotated", "date", narrowest=12),
    Column("Rotation evidence", "word", narrowest=13),
    Column("Owner", "text", 30),
    Column("Audit credential", "tick", narrowest=12),
    Column("Date anomalies", "text", 30, printed=False),
    Column("Secrets redacted", "number", narrowest=18, printed=False),
    Column("Owning organization", "text", 28, printed=False),
    *IDS,
    Column("owner_id", "code", 40, printed=False),
)

MOST_TITLE = 100
"""Excel repairs a table with a title of more than 255 characters, of which some count twice."""

CALENDAR = (
    Column("Month", "month", narrowest=18),
    Column("Expires", "date", narrowest=12),
    Column("Days left", "number"),
    Column("When", "word", narrowest=24),
    Column("Token", "text", 44, narrowest=24),
    Column("Open token", "go", narrowest=6),
    Column("Organization", "text", 28),
    *PERMISSIONS,
    Column("Owner", "text", 30),
    *IDS,
)


def tokens(report: Report) -> Listing:
    """Every token that was seen, in the order of the organizations."""
    counts, first = report.standing.of_tokens, report.gravest_of_tokens
    documented = report.audit.documented
    titles = {name: _register_title(name, number) for number, name in enumerate(documented, 1)}

    def targets(start: int, stop: int) -> list[str | None]:
        return [report.place(FINDINGS, position) if position >= 0 else None for position in first[start:stop].tolist()]

    def piece(start: int, stop: int) -> Piece:
        part = report.audit.tokens.iloc[start:stop]
        severities = report.audit.findings.frame["severity"].cat.codes.to_numpy()
        gravest = [severities[position] if position >= 0 else None for position in first[start:stop]]
        words = [SEVERITY_WORDS[severity] for severity in Severity]
        return _facts(report, part) | {
            "Open findings": counts[start:stop].tolist(),
            "Highest severity": [None if weight is None else words[weight] for weight in gravest],
            "Created": serial(part["created_at"]),
            "Last rotated": serial(part["last_rotated_at"]),
            "Rotation evidence": plain(part["rotation_evidence"]),
            "Audit credential": ticks(part["is_audit_credential"]),
            "Date anomalies": plain(part["date_faults"]),
            "Secrets redacted": plain(part["secrets_in_description"]),
            "Owning organization": plain(part["owner_name"]),
            "owner_id": plain(part["owner_id"]),
            **{title: plain(documented[name].iloc[start:stop]) for name, title in titles.items()},
        }

    return Listing(
        title=TOKENS,
        table="Tokens",
        columns=(*COLUMNS, *(Column(title, "text", 28, printed=False) for title in titles.values())),
        many=len(report.audit.tokens),
        piece=piece,
        nothing="No token was collected.",
        link=Link("Open findings", targets),
        emphasis=tuple(emphasis.severities("Highest severity")),
    )


def _register_title(name: str, number: int) -> str:
    """Return the title of a column of the register, cut so that it is still unlike the others."""
    title = f"Register: {name}"
    return title if len(title) <= MOST_TITLE else f"{title[:MOST_TITLE]}… ({number})"


def expiries(report: Report) -> Listing:
    """The unexpired tokens that have an expiry, the next first."""
    soon, next_audit = soon_days(report.audit), report.audit.policy.next_audit.days

    def when(days: float) -> str:
        if days <= next_audit:
            return "before the next audit"
        return f"within {count(soon, 'day', 'days')}" if days <= soon else "later"

    def piece(start: int, stop: int) -> Piece:
        part = report.audit.tokens.iloc[report.expiring[start:stop]]
        apart = (part["expires_at"] - pd.Timestamp(report.audit.as_of)).dt.total_seconds() / 86_400
        months = part["expires_at"].dt.tz_localize(None).to_numpy().astype("datetime64[M]").astype("datetime64[us]")
        return _facts(report, part) | {
            "Open token": ["→"] * len(part),
            "Month": serial(pd.Series(months).dt.tz_localize("UTC")),
            "When": [when(days) for days in apart.tolist()],
        }

    return Listing(
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


def _facts(report: Report, part: pd.DataFrame) -> dict[str, Any]:
    """What both sheets say of some tokens."""
    organizations = report.audit.organizations.take(part["organization_id"].cat.codes)
    apart = (part["expires_at"] - pd.Timestamp(report.audit.as_of)).dt.total_seconds() / 86_400
    return {
        "Token": [described(description) for description in plain(part["description"])],
        "Organization": plain(organizations["name"]),
        "Read": ticks(part["read_enabled"]),
        "Write": ticks(part["write_enabled"]),
        "Delete": ticks(part["delete_enabled"]),
        "Expires": serial(part["expires_at"]),
        "Days left": [None if np.isnan(days) else int(days) for days in apart.tolist()],
        "Owner": [contact or NOTHING for contact in plain(organizations["contact"])],
        "fingerprint": plain(part["fingerprint"]),
        "organization_id": plain(organizations["organization_id"]),
        "token_id": plain(part["token_id"]),
    }
