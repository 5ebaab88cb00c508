"""The OAuth applications, where they were asked for."""

from typing import Any

from credly_audit.audit.findings import plain
from credly_audit.audit.model import Audit
from credly_audit.renderers.html.labels import described
from credly_audit.text import spoken, yes_no


def applications(audit: Audit) -> list[dict[str, Any]]:
    """A row an application, in the order of the organizations."""
    frame = audit.snapshot.applications
    organizations = audit.organizations
    names = dict(zip(organizations["organization_id"], organizations["name"], strict=True))
    rows = zip(*(plain(frame[name]) for name in frame), strict=True)
    facts = [dict(zip(frame.columns, row, strict=True)) for row in rows]
    return [
        {
            "name": fact["name"] or fact["application_id"],
            "description": described(fact["description"]),
            "organization": names.get(fact["organization_id"], fact["organization_id"]),
            "place": f"#organization-{fact['organization_id']}",
            "created": spoken(fact["created_at"], audit.as_of),
            "updated": spoken(fact["updated_at"], audit.as_of),
            "creator": yes_no(fact["creator_available"]),
            "id": fact["application_id"],
        }
        for fact in facts
    ]
