"""The sheet Organizations: how completely each was seen, why, and how it stands."""

from credly_audit.audit.findings import plain
from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.cell_xml import serial
from credly_audit.renderers.xlsx.report import FINDINGS, ORGANIZATIONS, Report
from credly_audit.renderers.xlsx.table import Column, Link, Listing, Piece
from credly_audit.report.labels import COVERAGE
from credly_audit.severity import Severity
from credly_audit.text import NOTHING

COLUMNS = (
    Column("Organization", "text", 34, narrowest=20),
    Column("Coverage", "word", narrowest=14),
    Column("Reason and remediation", "text", 50),
    Column("Tokens collected", "number"),
    Column("Tokens reported by Credly", "number", narrowest=10),
    Column("Can write or delete", "number", narrowest=11),
    Column("Open findings", "linked number", narrowest=12),
    *(Column(severity.capitalize(), "number") for severity in reversed(Severity)),
    Column("Next expiration", "date", narrowest=12),
    Column("Owner", "text", 30),
    Column("Tags", "text", 24, printed=False),
    Column("Audit credential", "word", narrowest=11, printed=False),
    Column("Credential expires", "date", narrowest=12, printed=False),
    Column("Pages", "number", printed=False),
    Column("Requests", "number", printed=False),
    Column("Retries", "number", printed=False),
    Column("Seconds", "seconds", printed=False),
    Column("credential_fingerprint", "code", 20, printed=False),
    Column("organization_id", "code", 40, printed=False),
)


def organizations(report: Report) -> Listing:
    """Every organization, in the order of asking."""
    standing, first = report.standing, report.gravest_of_organizations

    def targets(start: int, stop: int) -> list[str | None]:
        return [report.place(FINDINGS, position) if position >= 0 else None for position in first[start:stop].tolist()]

    def piece(start: int, stop: int) -> Piece:
        part = report.audit.organizations.iloc[start:stop]
        severities = standing.of_organizations[start:stop]
        return {
            "Organization": plain(part["name"]),
            "Coverage": [COVERAGE[status] for status in part["status"]],
            "Reason and remediation": plain(part["reason"]),
            "Tokens collected": plain(part["tokens"]),
            "Tokens reported by Credly": plain(part["total_count"]),
            "Can write or delete": standing.privileged[start:stop].tolist(),
            "Open findings": severities.sum(axis=1).tolist(),
            **{severity.capitalize(): severities[:, severity.weight].tolist() for severity in Severity},
            "Next expiration": serial(standing.next_expiry.iloc[start:stop]),
            "Owner": [contact or NOTHING for contact in plain(part["contact"])],
            "Tags": plain(part["tags"]),
            "Audit credential": plain(part["credential_kind"]),
            "Credential expires": serial(part["credential_expires_at"]),
            "Pages": plain(part["pages"]),
            "Requests": plain(part["requests"]),
            "Retries": plain(part["retries"]),
            "Seconds": plain(part["seconds"]),
            "credential_fingerprint": plain(part["credential_fingerprint"]),
            "organization_id": plain(part["organization_id"]),
        }

    return Listing(
        title=ORGANIZATIONS,
        table="Organizations",
        columns=COLUMNS,
        many=len(report.audit.organizations),
        piece=piece,
        nothing="No organization was configured.",
        link=Link("Open findings", targets),
        emphasis=(*emphasis.coverage("Coverage"), emphasis.bars("Open findings")),
    )
