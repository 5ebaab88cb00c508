"""The sheet OAuth applications, where they were asked for: the other way into Credly's API, and who answers for it."""

from credly_audit.findings import plain
from credly_audit.renderers.text import NOTHING
from credly_audit.renderers.xlsx.cells import serial
from credly_audit.renderers.xlsx.listing import Column, Listing, Piece
from credly_audit.renderers.xlsx.report import APPLICATIONS, Report, described, ticks

COLUMNS = (
    Column("Application", "text", 40, narrowest=24),
    Column("Organization", "text", 28),
    Column("Description", "text", 50),
    Column("Its creator is there", "tick", narrowest=12),
    Column("Last updated", "date", narrowest=12),
    Column("Created", "date", narrowest=12),
    Column("Contact", "text", 30),
    Column("application_id", "code", 40, printed=False),
    Column("organization_id", "code", 40, printed=False),
)


def applications(report: Report) -> Listing:
    """Every OAuth application that was seen, in the order of the organizations."""
    frame = report.audit.snapshot.applications
    organizations = report.audit.organizations.set_index("organization_id")

    def piece(start: int, stop: int) -> Piece:
        part = frame.iloc[start:stop]
        theirs = organizations.reindex(part["organization_id"].astype("string"))
        return {
            "Application": [name or "(no name)" for name in plain(part["name"])],
            "Organization": plain(theirs["name"]),
            "Description": [described(description) for description in plain(part["description"])],
            "Its creator is there": ticks(part["creator_available"]),
            "Last updated": serial(part["updated_at"]),
            "Created": serial(part["created_at"]),
            "Contact": [contact or NOTHING for contact in plain(theirs["contact"])],
            "application_id": plain(part["application_id"]),
            "organization_id": plain(part["organization_id"]),
        }

    return Listing(
        title=APPLICATIONS,
        table="OAuthApplications",
        columns=COLUMNS,
        many=len(frame),
        piece=piece,
        nothing="No OAuth application was seen in any organization.",
    )
