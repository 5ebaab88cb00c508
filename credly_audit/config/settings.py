"""The settings, as the configuration file names them; each default is that of the file's documentation.

Validated once, here; every message of a validator is the end of a sentence that begins with the key.
"""

import difflib
import re
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    create_model,
    model_validator,
)

from credly_audit.decisions.declared import Plan, Waiver
from credly_audit.errors import UsageError
from credly_audit.formats import formats
from credly_audit.rules import catalogue
from credly_audit.secrets import is_place, is_reference
from credly_audit.severity import Severity

CREDLY = "https://api.credly.com/v1"


class Model(BaseModel):
    """A table of the file: unknown keys are mistakes, and what was written never shows in one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"must be an address such as {CREDLY}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no credential, query or fragment; name the credential in `token`")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError(f"would send credentials unencrypted to {parts.hostname}; write https://")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _identifier(text: str) -> str:
    try:
        if len(text) == len("88cf96b7-e4ca-4a17-b938-a72bf2b9c273"):
            return str(UUID(text))
    except ValueError:
        pass
    raise ValueError(
        "must be the organization's id, a UUID; Credly shows it under Organization Management > Developers"
    )


def _reference(text: str) -> str:
    if not is_reference(text):
        raise ValueError(
            "must say where the secret is, not be the secret: write env:NAME, file:PATH, exec:COMMAND or "
            "keyring:SERVICE/USER "
            "(and replace the token if this one is real: it has stood in a file)"
        )
    return text


def _place(text: str) -> str:
    if not is_place(text):
        raise ValueError(
            "must say where a new value goes: write file:PATH, exec:COMMAND (the value on its standard input) or "
            "keyring:SERVICE/USER"
        )
    return text


def _read_back(text: str) -> str:
    if text != "none" and not is_place(text):
        raise ValueError(
            "must say where a stored value can be read: write file:PATH, exec:COMMAND, keyring:SERVICE/USER or none"
        )
    return text


def _beside(path: Path, info: ValidationInfo) -> Path:
    return Path((info.context or {}).get("folder", ".")) / path.expanduser()


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return text


def _one_of(known: Sequence[str], what: str) -> AfterValidator:
    def check(name: str) -> str:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.5)
            raise ValueError(f"names no {what}: {name!r}{f'; did you mean {near[0]}?' if near else ''}")
        return name

    return AfterValidator(check)


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _all_severities(days: Any) -> Any:
    return DUE_DAYS | days if isinstance(days, dict) else days


DUE_DAYS = {"critical": 3, "high": 14, "medium": 30, "low": 90}

RULES = list(catalogue())
FAMILIES = list(dict.fromkeys(rule_id[:3] for rule_id in RULES))

Identifier = Annotated[str, AfterValidator(_identifier)]
Reference = Annotated[str, AfterValidator(_reference)]
Place = Annotated[str, AfterValidator(_place)]
ReadBack = Annotated[str, AfterValidator(_read_back)]
LocalPath = Annotated[Path, AfterValidator(_beside)]
Pattern = Annotated[str, AfterValidator(_pattern)]
RuleId = Annotated[str, _one_of(RULES, "rule")]
RuleOrFamily = Annotated[str, _one_of([*RULES, *FAMILIES], "rule or family")]
Selector = Annotated[
    str, _one_of([*Severity, *RULES, *FAMILIES, "never"], "severity, rule or family, and is not `never`")
]

_options: dict[str, Any] = {rule.id: (rule.options, rule.options()) for rule in catalogue().values()}
RuleOptions = create_model("RuleOptions", __base__=Model, **_options)
"""`[policy.rules.ID]`: a field for each rule of the catalogue, holding its options."""


class Api(Model):
    """`[api]`: how Credly is asked. Times are seconds."""

    base_url: Annotated[str, AfterValidator(_base_url)] = CREDLY
    workers: Annotated[int, Field(ge=1, le=256)] = 16
    timeout: PositiveFloat = 30.0
    max_retries: NonNegativeInt = 5
    requests_per_second: NonNegativeFloat = 0.0
    max_throttled_seconds: PositiveFloat = 600.0
    proxy: str | None = None
    ca_bundle: LocalPath | None = None
    oauth_token_url: Annotated[str, AfterValidator(_base_url)] | None = None
    oauth_client_authentication: Literal["form", "basic"] = "form"
    include_oauth_applications: bool = False


class OAuth(Model):
    """`oauth = { … }`: the client credentials of an OAuth application."""

    client_id: Reference
    client_secret: Reference


class Organization(Model):
    """`[[organizations]]`, or a row of organizations_file."""

    id: Identifier
    name: str | None = None
    contact: str | None = None
    tags: tuple[str, ...] = ()
    token: Reference | None = None
    oauth: OAuth | None = None
    rotate: bool = False
    store: Place | None = None
    read_back: ReadBack | None = None
    fallback_token: Reference | None = None
    from_defaults: Annotated[bool, Field(exclude=True, init=False)] = False
    file: Annotated[Path | None, Field(exclude=True, init=False)] = None
    line: Annotated[int | None, Field(exclude=True, init=False)] = None

    @property
    def called(self) -> str:
        """Its name, else its id."""
        return self.name or self.id


class Defaults(Model):
    """`[defaults]`: what an organization does not say itself; `{id}` is filled in."""

    token: Reference | None = None
    store: Place | None = None
    read_back: ReadBack | None = None


class Purpose(Model):
    """`[[policy.purposes]]`: what a token whose description matches may do."""

    pattern: Pattern
    allow: tuple[Literal["read", "write", "delete"], ...]


class Override(Model):
    """`[[policy.overrides]]`: another policy for the organizations that fit each of `ids`, `tags` and `contact`.

    Of several that fit one organization the later wins; what they disable adds up. `purposes` replace the policy's.
    """

    ids: tuple[Identifier, ...] = ()
    tags: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    contact: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    disable: tuple[RuleOrFamily, ...] = ()
    severity: dict[RuleId, Severity] = {}
    rules: RuleOptions = RuleOptions()  # type: ignore[valid-type]  # made from the catalogue
    purposes: tuple[Purpose, ...] | None = None

    @model_validator(mode="after")
    def _is_for_some(self) -> Self:
        if not (self.ids or self.tags or self.contact):
            raise ValueError("is for no organization; say which by `ids`, `tags` or `contact`")
        return self


class PolicySettings(Model):
    """`[policy]`."""

    model_config = ConfigDict(serialize_by_alias=True)

    audit_every_days: PositiveInt = 31
    fail_on: Annotated[tuple[Selector, ...], BeforeValidator(_several)] = (Severity.HIGH,)
    disable: tuple[RuleOrFamily, ...] = ()
    severity: dict[RuleId, Severity] = {}
    due_days: Annotated[dict[Severity, PositiveInt], BeforeValidator(_all_severities)] = Field(
        default=DUE_DAYS, validate_default=True
    )
    rules: RuleOptions = RuleOptions()  # type: ignore[valid-type]  # made from the catalogue
    purposes: tuple[Purpose, ...] = ()
    overrides: tuple[Override, ...] = ()
    waivers_file: LocalPath | None = None
    approvers: tuple[str, ...] = ()
    max_waiver_days: PositiveInt = 365
    register_file: LocalPath | None = Field(default=None, alias="register")


class Privacy(Model):
    """`[privacy]`."""

    fingerprint_key: Reference | None = None


class NotifySettings(Model):
    """`[notify]`: who is told of an audit. Addresses are secrets; `contacts` is a mail server for the contacts."""

    urls: tuple[Reference, ...] = ()
    on: tuple[Literal["violations", "incomplete", "pass"], ...] = ("violations", "incomplete")
    attach: tuple[Annotated[str, _one_of(formats(), "format")], ...] = ()
    contacts: Reference | None = None
    heartbeat: Reference | None = None


class ReportSettings(Model):
    """`[report]`: a team's own title, logo, words for the first screen and templates."""

    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    logo: LocalPath | None = None
    guidance: LocalPath | None = None
    templates: LocalPath | None = None


class Settings(Model):
    """The whole file."""

    api: Api = Api()
    organizations: tuple[Organization, ...] = ()
    organizations_file: LocalPath | None = None
    defaults: Defaults = Defaults()
    policy: PolicySettings = PolicySettings()
    waivers: tuple[Waiver, ...] = ()
    plans: tuple[Plan, ...] = ()
    privacy: Privacy = Privacy()
    notify: NotifySettings = NotifySettings()
    report: ReportSettings = ReportSettings()
    configured: Annotated[frozenset[str], Field(exclude=True, init=False)] = frozenset()
    """The ids of all organizations that the file names, those that `only` leaves out included."""

    file: Annotated[Path, Field(exclude=True, init=False)] = Path("credly-audit.toml")
    """Where it was read; relative paths begin at its folder."""

    @property
    def folder(self) -> Path:
        """Where the paths of the file begin."""
        return self.file.parent

    def only(self, wanted: Sequence[str]) -> Self:
        """With these organizations alone; UsageError, naming the nearest, for one that is not configured."""
        known = {organization.id: organization for organization in self.organizations}
        ids = [each.lower() for each in wanted]
        for each in ids:
            if each not in known:
                near = difflib.get_close_matches(each, known, 1)
                hint = f"; did you mean {near[0]} ({known[near[0]].called})?" if near else ""
                raise UsageError(f"--organization {each}: not configured{hint}")
        chosen = tuple(organization for organization in self.organizations if organization.id in ids)
        return self.model_copy(update={"organizations": chosen})

    def with_workers(self, workers: int) -> Self:
        """With another number of requests under way at once."""
        return self.model_copy(update={"api": self.api.model_copy(update={"workers": workers})})
