"""The shapes of Credly's answers: rows, pages, the error envelope (after its documentation and recorded answers)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import Any

from credly_audit.instants import iso_day
from credly_audit.sandbox.faults import Faults
from credly_audit.sandbox.world import OAuthApplication, SandboxOrganization, Token

PER_PAGE = 50

HALF_A_CHARACTER = "\ud83d"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and body; `content` is JSON unless it is bytes."""

    status: int
    content: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> bytes:
        """UTF-8; texts that UTF-8 cannot hold are escaped, as JSON allows."""
        if isinstance(self.content, bytes):
            return self.content
        try:
            return json.dumps(self.content, ensure_ascii=False, separators=(",", ":")).encode()
        except UnicodeEncodeError:
            return json.dumps(self.content).encode()


def refusal(status: int, message: str, **headers: str) -> Reply:
    """The one recorded error of Credly's (a 422) has this envelope: `data.message`, and `metadata` null."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"data": {"message": message}, "metadata": None}, named)


def format_instant(moment: datetime | None) -> str | None:
    """`2020-05-28T16:44:41.034Z`."""
    if moment is None:
        return None
    moment = moment.astimezone(UTC)
    return f"{iso_day(moment)}T{moment:%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def token_row(token: Token, organization: SandboxOrganization, site: str, *, value: bool = True) -> dict[str, Any]:
    """A token as the listing has it; create and rotate answer the same, perhaps without the `value`."""
    row = {
        "id": token.id,
        "token": token.token,
        "owner_id": token.owner_id or organization.id,
        "description": token.description,
        "write_enabled": token.write_enabled,
        "read_enabled": token.read_enabled,
        "delete_enabled": token.delete_enabled,
        "created_at": format_instant(token.created_at),
        "expires_at": format_instant(token.expires_at),
        "owner": {
            "type": token.owner_type,
            "id": token.owner_id or organization.id,
            "name": token.owner_name or organization.name,
            "url": f"{site}/api/v1/organizations/{token.owner_id or organization.id}",
        },
    }
    if token.raw:
        row.update(token.raw)
    for name in token.without:
        row.pop(name, None)
    if not value:
        row.pop("token", None)
    return row


def make_older_row(row: dict[str, Any]) -> dict[str, Any]:
    """The row as it was before tokens had permissions and an expiry."""
    later = ("write_enabled", "read_enabled", "delete_enabled", "expires_at")
    return {name: value for name, value in row.items() if name not in later}


def spoil_row(row: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """The row with the faults that a row can have."""
    if "masked" in faults:
        row["token"] = None if faults["masked"] == "null" else "*" * 32 + str(row.get("token"))[-4:]
    if "lone-surrogates" in faults:
        row["description"] = f"{HALF_A_CHARACTER}{row.get('description') or ''}\0"
    return make_older_row(row) if "legacy" in faults else row


def split_pages(total: int, query: Mapping[str, str]) -> tuple[int, int]:
    """The page asked for, and how many there are; what is no number is page 1. `per` is no documented parameter."""
    asked = query.get("page", "1")
    return max(1, int(asked)) if asked.isdecimal() else 1, max(1, ceil(total / PER_PAGE))


def page(rows: Sequence[Any], total: int, number: int, pages: int, url: str) -> dict[str, Any]:
    """A page of a list with all the metadata that Credly's documentation shows."""
    return {
        "data": rows,
        "metadata": {
            "count": len(rows),
            "current_page": number,
            "total_count": total,
            "total_pages": pages,
            "per": PER_PAGE,
            "previous_page_url": f"{url}?page={number - 1}" if number > 1 else None,
            "next_page_url": f"{url}?page={number + 1}" if number < pages else None,
        },
    }


def spoil_page(answer: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """The page with the faults that a page can have."""
    rows, metadata = answer["data"], answer["metadata"]
    if "short-page" in faults and metadata["current_page"] < metadata["total_pages"]:
        answer["data"] = rows[:-1]
        metadata["count"] -= 1
    _spoil_metadata(metadata, faults)
    if "metadata-null" in faults:
        answer["metadata"] = None
    if "metadata-empty" in faults or "legacy" in faults:
        answer["metadata"] = {}
    if "data-object" in faults:
        answer["data"] = dict(rows[0]) if rows else {}
    if "data-missing" in faults:
        del answer["data"]
    return answer


def _spoil_metadata(metadata: dict[str, Any], faults: Faults) -> None:
    """Falsify what the page says of itself and of the list."""
    for fault, key in (("total-pages", "total_pages"), ("total-count", "total_count")):
        if fault in faults:
            metadata[key] = int(faults[fault])
    if "foreign-next-page-url" in faults:
        for key in ("previous_page_url", "next_page_url"):
            metadata[key] = metadata[key] and "https://elsewhere.example/v1/tokens?page=2"
    if "claim" in faults:
        key, _, claim = faults["claim"].partition(":")
        metadata[key] = json.loads(claim)
    if "metadata-only" in faults:
        kept = set(faults["metadata-only"].split(","))
        for key in metadata.keys() - kept:
            del metadata[key]


def organization_row(organization: SandboxOrganization, site: str) -> dict[str, Any]:
    """An organization as `GET /organizations` has it."""
    slug = "-".join("".join(letter if letter.isalnum() else " " for letter in organization.name.lower()).split())
    contact = organization.contact_email or f"hello@{slug}.example"
    return {
        "id": organization.id,
        "name": organization.name,
        "website_url": f"https://{slug}.example/",
        "webhook_url": None,
        "contact_email": contact,
        "legal_contact_email": contact,
        "technical_contact_email": organization.technical_contact_email or contact,
        "zip_or_postal_code": "55437",
        "organization_type": "Education",
        "bio": None,
        "twitter_url": None,
        "vanity_slug": slug,
        "facebook_url": None,
        "linked_in_url": None,
        "linked_in_name": None,
        "linked_in_org_id": None,
        "city": "Bloomington",
        "address": "1313 Mockingbird Lane",
        "primary_hex_color": None,
        "support_email": contact,
        "support_url": f"https://{slug}.example/help",
        "allow_saml_debug": False,
        "allowed_webhooks": [],
        "enable_blockchain": False,
        "default_page": "badges",
        "industry_id": None,
        "workforce_enabled": False,
        "country": "United States",
        "state_or_province": "Minnesota",
        "created_at": "2014-04-01T14:41:00.000Z",
        "updated_at": "2014-04-01T14:41:00.000Z",
        "vanity_url": f"{site}/org/{slug}",
        "verified_at": "2018-04-08T17:57:34.595Z",
        "verified": True,
        "photo": None,
        "photo_url": None,
        "has_employees": False,
        "missing_required_info": False,
        "featured_badge_templates": [],
        **organization.raw,
    }


def make_application_row(application: OAuthApplication) -> dict[str, Any]:
    """An OAuth application as the listing has it: without its secret."""
    return {
        "id": application.id,
        "name": application.name,
        "description": application.description,
        "created_at": format_instant(application.created_at),
        "updated_at": format_instant(application.updated_at),
        "uid": application.uid,
        "created_by_id": application.created_by_id,
        "created_by_type": "User",
        "created_by_name": application.created_by_name,
        "creator_available": application.creator_available,
        "secret": None,
    }
