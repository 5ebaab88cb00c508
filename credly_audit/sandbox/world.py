"""What the sandbox serves: organizations and their tokens, as plain objects that a test may change at any time.

Every value is made up and says so. A folder of sample data holds `world.json` (`{"as_of": INSTANT}`) and a file for
each organization in `organizations/`, in the fields of the classes below.
"""

import json
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from credly_audit.errors import UsageError
from credly_audit.instants import read_instant

LIFETIME = timedelta(days=180)
"""How long a token lives after it is made or rotated (Credly's issuer help: 'Auth Tokens for Authorization')."""

INSTANTS = ("created_at", "expires_at", "updated_at")


@dataclass(slots=True)
class Token:
    """An authorization token. `raw` replaces fields of the row that is served, `without` leaves fields out."""

    id: str
    token: str = field(repr=False)
    description: str | None = None
    read_enabled: bool | None = True
    write_enabled: bool | None = False
    delete_enabled: bool | None = False
    created_at: datetime | None = None
    expires_at: datetime | None = None
    owner_id: str | None = None
    """None: the organization itself."""
    owner_name: str | None = None
    owner_type: str = "Organization"
    raw: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    @property
    def read_only(self) -> bool:
        """Known to have neither write nor delete; where an older shape has no flags nothing is known."""
        return self.write_enabled is False and self.delete_enabled is False

    def expired(self, now: datetime) -> bool:
        """Whether it has ceased to open the API."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(slots=True)
class OAuthApplication:
    """An OAuth application of one organization: `uid` and `secret` are its client credentials."""

    id: int
    name: str
    uid: str
    secret: str = field(repr=False)
    description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    created_by_id: str | None = None
    created_by_name: str | None = None
    creator_available: bool = True


@dataclass(slots=True)
class SandboxOrganization:
    """An organization. `raw` adds to the row that is served; `faults` are of this organization alone (see `faults`)."""

    id: str
    name: str
    tokens: list[Token] = field(default_factory=list)
    oauth_applications: list[OAuthApplication] = field(default_factory=list)
    shape: Literal["current", "legacy"] = "current"
    """legacy: rows without flags and expiry, empty metadata, as before tokens expired."""
    masked: bool = False
    """The listing withholds the tokens' values."""
    contact_email: str | None = None
    technical_contact_email: str | None = None
    faults: list[str] = field(default_factory=list)
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def auditor(self) -> Token:
        """The first token that can list all others: one with write or delete."""
        return next(token for token in self.tokens if token.write_enabled or token.delete_enabled)


@dataclass(slots=True)
class World:
    """All that a sandbox serves. `as_of` is the instant that its dates were written for, where there is one."""

    organizations: list[SandboxOrganization] = field(default_factory=list)
    as_of: datetime | None = None
    _by_id: dict[str, SandboxOrganization] = field(default_factory=dict, repr=False)

    def organization(self, organization_id: str) -> SandboxOrganization | None:
        """The organization of that id."""
        found = self._by_id.get(organization_id)
        if found is None or found.id != organization_id or len(self._by_id) != len(self.organizations):
            self._by_id = {organization.id: organization for organization in self.organizations}
            found = self._by_id.get(organization_id)
        return found

    def of_token(self, value: str) -> list[SandboxOrganization]:
        """The organizations that list a token of that value."""
        return [one for one in self.organizations if any(token.token == value for token in one.tokens)]

    @classmethod
    def load(cls, folder: Path) -> "World":
        """Read a folder of sample data; UsageError, with the file's name, where it is not one."""
        try:
            as_of = _read(folder / "world.json").get("as_of")
            files = sorted((folder / "organizations").glob("*.json"))
            return cls([_load_organization(file) for file in files], as_of and instant(as_of))
        except FileNotFoundError as error:
            raise UsageError(f"{error.filename}: file does not exist; name a folder like sample_data") from None


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{file}: not readable as JSON ({error})") from None
    if not isinstance(content, dict):
        raise UsageError(f"{file}: is not a JSON object")
    return content


def _load_organization(file: Path) -> SandboxOrganization:
    row = _read(file)
    try:
        row["tokens"] = [Token(**_convert(token)) for token in row.get("tokens", ())]
        applications = row.get("oauth_applications", ())
        row["oauth_applications"] = [OAuthApplication(**_convert(application)) for application in applications]
        return SandboxOrganization(**row)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{file}: not a valid organization of the sandbox ({error})") from None


def _convert(row: dict[str, Any]) -> dict[str, Any]:
    dates = {name: instant(row[name]) for name in INSTANTS if row.get(name) is not None}
    return row | dates | ({"without": tuple(row["without"])} if "without" in row else {})


def instant(text: str) -> datetime:
    """An ISO 8601 instant in UTC; a date alone is its midnight. ValueError where it is none."""
    read = read_instant(text, assume_utc=True)
    if read is None:
        raise ValueError(f"{text[:40]!r} is not a date and time")
    return read


def make_id(*name: object) -> str:
    """A lower-case UUID, always the same for the same name."""
    return str(uuid.UUID(bytes=_make_bytes(name, 16), version=4))


def made_up_value(*name: object) -> str:
    """36 characters of the alphabet of Credly's values that nobody takes for a real one; the same for the same name."""
    return "MADE-UP-" + urlsafe_b64encode(_make_bytes(name, 21)).decode()


def _make_bytes(name: Iterable[object], size: int) -> bytes:
    return blake2b("/".join(map(str, name)).encode(), digest_size=size).digest()


def made_up_token(*name: object, now: datetime, **fields: Any) -> Token:
    """A read-only token made ten days before `now`; `fields` replace what a test cares about."""
    made = now - timedelta(days=10)
    usual: dict[str, Any] = {
        "id": make_id("token", *name),
        "token": made_up_value("token", *name),
        "description": f"Badge display {'-'.join(map(str, name))}, owner displays@acme.example",
        "created_at": made,
        "expires_at": made + LIFETIME,
    }
    return Token(**usual | fields)


def made_up_organization(*name: object, now: datetime, tokens: int = 3, **fields: Any) -> SandboxOrganization:
    """An organization of that many read-only tokens, all but the first, with which everything can be listed."""
    usual: dict[str, Any] = {
        "id": make_id("organization", *name),
        "name": f"Organization {'-'.join(map(str, name))}",
        "tokens": [
            made_up_token(*name, number, now=now, **({"write_enabled": True} if number == 0 else {}))
            for number in range(tokens)
        ],
    }
    return SandboxOrganization(**usual | fields)
