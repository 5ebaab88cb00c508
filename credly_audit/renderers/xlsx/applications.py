"""The sheet OAuth applications: the other way into the API; only in a workbook that has any to show."""

import numpy as np

from credly_audit.audit.findings import plain
from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.cell_xml import serial
from credly_audit.renderers.xlsx.report import FINDINGS, Report, described, ticks
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.table import Column, Link, Listing, Piece
from credly_audit.severity import Severity
from credly_audit.text import NOTHING, has_words

TITLE = "OAuth applications"

COLUMNS = (
    Column("Application", "text", 34, narrowest=20),
    Column("Description", "text", 44, narrowest=24),
    Column("Organization", "text", 28),
    Column("Creator active", "tick", narrowest=12),
    Column("Updated", "date", narrowest=12),
    Column("Created", "date", narrowest=12),
    Column("Open findings", "linked number", narrowest=12),
    Column("Highest severity", "word", narrowest=12),
    Column("Owner", "text", 30),
    Column("Secrets redacted", "number", narrowest=18, printed=False),
    Column("application_id", "code", 20, printed=False),
    Column("organization_id", "code", 40, printed=False),
)


def applications(report: Report) -> Listing:
    """Every OAuth application that was seen, in the order of the organizations."""
    frame = report.audit.snapshot.applications
    organizations = report.audit.organizations.set_index("organization_id")
    counts, first = _findings(report)

    def targets(start: int, stop: int) -> list[str | None]:
        return [report.place(FINDINGS, position) if position >= 0 else None for position in first[start:stop].tolist()]

    def piece(start: int, stop: int) -> Piece:
        part = frame.iloc[start:stop]
        theirs = organizations.loc[part["organization_id"]]
        severities = report.audit.findings.frame["severity"].cat.codes.to_numpy()
        words = [SEVERITY_WORDS[severity] for severity in Severity]
        return {
            "Application": [name if name and has_words(name) else "(no name)" for name in plain(part["name"])],
            "Description": [described(description) for description in plain(part["description"])],
            "Organization": plain(theirs["name"]),
            "Creator active": ticks(part["creator_available"]),
            "Updated": serial(part["updated_at"]),
            "Created": serial(part["created_at"]),
            "Open findings": counts[start:stop].tolist(),
            "Highest severity": [words[severities[place]] if place >= 0 else None for place in first[start:stop]],
            "Owner": [contact or NOTHING for contact in plain(theirs["contact"])],
            "Secrets redacted": plain(part["secrets_in_description"]),
            "application_id": plain(part["application_id"]),
            "organization_id": plain(part["organization_id"]),
        }

    return Listing(
        title=TITLE,
        table="OAuthApplications",
        columns=COLUMNS,
        many=len(frame),
        piece=piece,
        nothing="No OAuth application was collected.",
        link=Link("Open findings", targets),
        emphasis=tuple(emphasis.severities("Highest severity")),
    )


def _findings(report: Report) -> tuple[np.ndarray, np.ndarray]:
    """Count open findings each application has, and where its gravest stands (-1: it has none)."""
    frame = report.audit.snapshot.applications
    places = {key: row for row, key in enumerate(zip(frame["organization_id"], frame["application_id"], strict=True))}
    ids = report.audit.organizations["organization_id"]
    counts, first = np.zeros(len(frame), dtype=int), np.full(len(frame), -1)
    live = report.standing.open
    for finding in live[live["rule_id"].astype("string").str.startswith("OAU").to_numpy(dtype=bool)].itertuples():
        seen = report.audit.findings.evidence[finding.rule_id]["application_id"].iloc[finding.evidence_row]
        row = places.get((ids.iloc[finding.organization_row], seen))
        if row is None:
            continue  # known from an earlier audit alone
        counts[row] += 1
        if first[row] < 0:
            first[row] = finding.Index
    return counts, first
