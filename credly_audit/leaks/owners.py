"""Whose the values are that a snapshot knows: of tokens, of audit credentials, or of neither."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from credly_audit.renderers.json import rows
from credly_audit.snapshot import Snapshot
from credly_audit.text import called, one_line, spoken_day

TOKEN = ("organization_id", "organization_name", "token_id", "description", "expires_at")


@dataclass(frozen=True, slots=True)
class Owner:
    """What a value belongs to: a token, or the credential of an organization's audit; without both, another secret."""

    organization_id: str | None = None
    organization_name: str | None = None
    token_id: str | None = None
    description: str | None = None
    expires_at: datetime | None = None

    def describe(self, fingerprint: str) -> str:
        """Return how a person knows it."""
        organization = self.organization_name or self.organization_id or ""
        if self.token_id is not None:
            until = f", expires {spoken_day(self.expires_at)}" if self.expires_at else ""
            return f"{called(self.description, organization, fingerprint)}{until}"
        if self.organization_id is not None:
            return f"audit credential of {one_line(organization, 60)} ({fingerprint[:8]})"
        return f"secret of no listed token, such as an OAuth client secret ({fingerprint[:8]})"


def list_owners(snapshot: Snapshot) -> dict[str, list[Owner]]:
    """Return the owners of each value of a snapshot by its fingerprint; one value can belong to several tokens."""
    owners: dict[str, list[Owner]] = defaultdict(list)
    for each in rows(snapshot.tokens[snapshot.tokens["fingerprint"].notna()], ["fingerprint", *TOKEN]):
        owners[each["fingerprint"]].append(Owner(**{name: each[name] for name in TOKEN}))
    asked = snapshot.organizations[snapshot.organizations["credential_fingerprint"].notna()]
    for each in rows(asked, ["credential_fingerprint", "organization_id", "name"]):
        owners.setdefault(each["credential_fingerprint"], [Owner(each["organization_id"], each["name"])])
    for fingerprint in snapshot.header.other_fingerprints:
        owners.setdefault(fingerprint, [Owner()])
    return dict(owners)
