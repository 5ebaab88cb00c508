"""The settings, as the configuration file names them; the documentation of the file is made from what stands here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
    field_serializer,
    model_validator,
)

from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.config.selection import select_by_id, select_by_id_or_name
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.config.types import (
    CREDLY,
    Address,
    ConsumerName,
    FileMode,
    Format,
    HistoryName,
    HistoryUrl,
    Identifier,
    LocalPath,
    NotWritten,
    Pattern,
    Place,
    Program,
    Proxy,
    ReadBack,
    Reference,
    RuleId,
    RuleOrFamily,
    Selectors,
    Texts,
    TokenId,
    mask_address,
)
from credly_audit.errors import BrokenRule
from credly_audit.quantities import Days, DaysOrNone, Rate, Seconds
from credly_audit.rules import catalogue, unloadable
from credly_audit.rules.declare import Rule
from credly_audit.rules.facts import AUDIT_EVERY_DAYS
from credly_audit.rules.guard import Failure, contain
from credly_audit.secrets.shape import mask_shapes
from credly_audit.severity import Severity


class Model(BaseModel):
    """A table of the file: unknown keys are mistakes, and what was written never shows in one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _expand_severities(days: Any) -> Any:
    return DUE_DAYS | days if isinstance(days, dict) else days


DUE_DAYS = {"critical": 3, "high": 14, "medium": 30, "low": 90}


class _WhatRulesTake(Model):
    """The table of the options of rules; it may name rules that could not be loaded, where there are such."""

    model_config = ConfigDict(extra="ignore" if unloadable() else "forbid")


def _build_options(rule: Rule) -> Any:
    """The type of a rule's options; BrokenRule where its own code fails on what was written."""

    def validate(value: Any, validate_as_declared: ValidatorFunctionWrapHandler) -> Any:
        try:
            with contain(ValidationError):
                options = validate_as_declared(value)
                options.model_dump_json()
        except Failure as failure:
            raise BrokenRule(f"rule {rule.id} ({rule.name}) is broken: its options raise {failure}") from failure
        return options

    return Annotated[rule.options, WrapValidator(validate)]


_options: dict[str, Any] = {rule.id: (_build_options(rule), rule.options()) for rule in catalogue().values()}
RuleOptions = create_model("RuleOptions", __base__=_WhatRulesTake, **_options)
"""`[policy.rules.ID]`: a field for each rule of the catalogue, holding its options."""


class Api(Model):
    """`[api]`: how Credly is asked. Times are seconds."""

    base_url: Address = CREDLY
    """Where Credly's API is; `CREDLY_API_URL` in the environment overrides it. Plain http only to this machine."""

    workers: Annotated[int, Field(ge=1, le=256)] = 16
    """Count requests may be under way at once."""

    timeout: Seconds = 30.0
    """Seconds that an answer may take."""

    max_retries: Annotated[int, Field(ge=0, le=100)] = 5
    """How often a request is repeated that met no answer, or one that may pass."""

    requests_per_second: Rate = 0.0
    """A limit of your own; 0: none. Where Credly throttles, the rate adapts by itself."""

    max_throttled_seconds: Seconds = 600.0
    """After so long without an answer but "too many requests" the collection ends."""

    proxy: Proxy | None = None
    """The proxy to ask through, or where its address is (`env:NAME` …); without it, that of the environment."""

    ca_bundle: LocalPath | None = None
    """The file with the certificates of the authorities to trust."""

    oauth_token_url: Address | None = None
    """Where OAuth applications get their access tokens; without it, Credly's documented place."""

    oauth_client_authentication: Literal["form", "basic"] = "form"
    """How an OAuth application proves itself there: in the form, or by HTTP Basic."""

    include_oauth_applications: bool = False
    """Whether the organizations' OAuth applications are audited too."""

    @field_serializer("proxy")
    def _without_password(self, proxy: SecretStr | None) -> str | None:
        return None if proxy is None else mask_address(proxy.get_secret_value())


class OAuth(Model):
    """`oauth = { … }`: the client credentials of an OAuth application."""

    client_id: Reference
    """A reference to the client id, such as `env:NAME`."""

    client_secret: Reference
    """A reference to the client secret."""


class Organization(Model):
    """`[[organizations]]`, or a row of organizations_file."""

    id: Identifier
    """The organization's id, a UUID; Credly shows it under Organization Management > Developers."""

    name: str | None = None
    """What the reports call it; without it, the name that Credly gives."""

    contact: str | None = None
    """Whom to ask about its tokens: a mail address, or what your team uses."""

    tags: tuple[str, ...] = ()
    """What overrides and split reports go by."""

    token: Reference | None = None
    """A reference to its authorization token, such as `env:NAME` or `file:PATH`."""

    oauth: OAuth | None = None
    """The client credentials of an OAuth application, in place of a token."""

    rotate: bool = False
    """Whether `rotate` may rotate its token without being told its name."""

    store: Place | None = None
    """Where `rotate` puts the new value; without it, where `token` reads it from."""

    read_back: ReadBack | None = None
    """Where the stored value is read again to be sure of it; `none` where it cannot be."""

    fallback_token: Reference | None = None
    """A second credential, with which `rotate` looks for a value that the answer lacked."""

    from_defaults: NotWritten[bool] = False
    file: NotWritten[Path | None] = None
    line: NotWritten[int | None] = None
    place: NotWritten[str] = ""
    """Where it is written, for messages."""

    @property
    def called(self) -> str:
        """Its name, else its id, as messages show it."""
        return mask_shapes(self.name) if self.name else self.id


class Consumer(Model):
    """`[[consumers]]`: a program or team that uses a token, and how it is switched to a new one."""

    name: ConsumerName
    """What it is called in reports and by `succession confirm --consumer`."""

    organizations: tuple[Identifier, ...] = ()
    """The organizations whose tokens it uses, by id."""

    token: TokenId | None = None
    """The one token that it uses, by id, where it does not use all of its organizations."""

    contact: str | None = None
    """Who is responsible for it."""

    deploy: Program | None = None
    """The program that brings a new value to it, which it reads on standard input: `exec:COMMAND`."""

    verify: Program | None = None
    """The program that shows whether it works with the new token; it gets ids in its environment, never the value."""

    @model_validator(mode="after")
    def _uses_some_token(self) -> Self:
        if bool(self.organizations) == (self.token is not None):
            raise ValueError("needs `organizations` (ids) or `token` (an id): one of them, not both")
        return self

    def uses(self, organization_id: str, token_id: str | None) -> bool:
        """Return whether it uses this token of this organization."""
        return organization_id in self.organizations if self.token is None else self.token == (token_id or "").lower()


class Defaults(Model):
    """`[defaults]`: what an organization does not say itself; `{id}` is filled in."""

    token: Reference | None = None
    """As an organization's `token`."""

    store: Place | None = None
    """As an organization's `store`."""

    read_back: ReadBack | None = None
    """As an organization's `read_back`."""


class Purpose(Model):
    """`[[policy.purposes]]`: what a token whose description matches may do."""

    pattern: Pattern
    """A regular expression, as Python's `re` reads it, that is found in the description; not in an empty one."""

    allow: tuple[Literal["read", "write", "delete"], ...]
    """What such a token needs; one with no more than that is approved."""


class Override(Model):
    """`[[policy.overrides]]`: another policy for the organizations that fit each of `ids`, `tags` and `contact`.

    Of several that fit one organization the later wins; what they disable adds up. `purposes` replace the policy's.
    """

    ids: tuple[Identifier, ...] = ()
    """The organizations' ids."""

    tags: Texts = ()
    """Tags, of which the organization has one; `*` stands for any letters. One without a tag fits none."""

    contact: Texts = ()
    """Contacts, of which the organization has one; `*@acme.example` is all of a domain. One without fits none."""

    disable: tuple[RuleOrFamily, ...] = ()
    """Rules and families that are off there, beside those that are off anyway."""

    severity: dict[RuleId, Severity] = {}
    """What rules weigh there."""

    rules: RuleOptions = RuleOptions()  # type: ignore[valid-type]  # made from the catalogue
    """The options of rules there, by their ids; what is not said stays."""

    purposes: tuple[Purpose, ...] | None = None
    """The purposes there, in place of the policy's."""

    @model_validator(mode="after")
    def _is_for_some(self) -> Self:
        if not (self.ids or self.tags or self.contact):
            raise ValueError("applies to no organization; name some by `ids`, `tags` or `contact`")
        return self


class PolicySettings(Model):
    """`[policy]`: what is asked of the tokens."""

    model_config = ConfigDict(serialize_by_alias=True)

    audit_every_days: Days = AUDIT_EVERY_DAYS
    """How often the audit runs: what expires before the next one is urgent."""

    fail_on: Selectors = (Severity.HIGH,)
    """What makes the audit fail (exit code 1): a severity and all above it, rules, families, or `never`."""

    disable: tuple[RuleOrFamily, ...] = ()
    """Rules and families that are off."""

    severity: dict[RuleId, Severity] = {}
    """What a rule weighs, in place of its own severity and all its tiers."""

    due_days: Annotated[dict[Severity, Days], BeforeValidator(_expand_severities)] = Field(
        default=DUE_DAYS, validate_default=True
    )
    """Count days after it was first seen a finding of a severity is due."""

    rules: RuleOptions = RuleOptions()  # type: ignore[valid-type]  # made from the catalogue
    """The options of rules, by their ids; `credly-audit rules show ID` names them."""

    purposes: tuple[Purpose, ...] = ()
    """What tokens are for, told by their descriptions, and what that needs."""

    overrides: tuple[Override, ...] = ()
    """Another policy for some organizations."""

    waivers_file: LocalPath | None = None
    """A TOML file with `[[waivers]]` and `[[plans]]`, beside those written here; `waivers import` writes it."""

    four_eyes: bool = False
    """Whether a waiver is refused whose approver is the owner of the finding; names are compared, nothing is proved."""

    approvers: tuple[str, ...] = ()
    """Who may approve waivers; without it, anybody."""

    max_waiver_days: Days = 365
    """For how many days after its approval a waiver may hold."""

    register_file: LocalPath | None = Field(default=None, alias="register")
    """The CSV or XLSX file in which the team documents its tokens."""

    @property
    def next_audit(self) -> timedelta:
        """How long until the next audit has certainly run: `audit_every_days` and four days of slack."""
        return timedelta(days=self.audit_every_days + 4)

    @model_validator(mode="after")
    def _fails_on_enabled_rules(self) -> Self:
        for selector in self.fail_on:
            if is_disabled(selector, self.disable):
                raise ValueError(
                    f"fail_on names {selector}, which `disable` turns off, so it could never fail the audit; remove it "
                    "from one of them"
                )
        return self


def is_disabled(selector: str, disabled: Sequence[str]) -> bool:
    """Whether a rule or family is turned off everywhere; a severity never is."""
    named = [rule for rule in catalogue().values() if selector in {rule.id, rule.family}]
    return bool(named) and all(rule.id in disabled or rule.family in disabled for rule in named)


class Privacy(Model):
    """`[privacy]`: what a report gives away."""

    fingerprint_key: Reference | None = None
    """Where a key is; with it, fingerprints are keyed, and nobody without it can test a guess of a token's value."""


MAIL_ADDRESS = r"^[0-9A-Za-z!#$%&'*+/=?^_`{|}~.-]+@[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?$"
"""One mail address in ASCII, without a name."""


class NotifySettings(Model):
    """`[notify]`: who is told of an audit. Addresses are secrets; `contacts` is a mail server for the contacts."""

    urls: tuple[Reference, ...] = ()
    """Where the addresses are to send a message to, as Apprise writes them."""

    on: tuple[Literal["violations", "incomplete", "pass"], ...] = ("violations", "incomplete")
    """The verdicts that are told."""

    attach: tuple[Format, ...] = ()
    """The reports that go with the message."""

    contacts: Reference | None = None
    """Where the address of a mail server is; each contact gets its own part through it."""

    reply_to: Annotated[str, Field(pattern=MAIL_ADDRESS)] | None = None
    """The mail address that answers to mails go to, unless the address of the mail server sets `reply`."""

    heartbeat: Reference | None = None
    """A reference to an address that receives a request after every audit, so that a missing run is noticed."""

    heartbeat_protocol: Literal["get", "healthchecks"] = "get"
    """`get`: a GET at the end of a run with a verdict; `healthchecks`: also `/start`, a body, and `/<exit code>`."""

    heartbeat_fails_on: tuple[Literal[1, 3], ...] = ()
    """For `healthchecks`: the exit codes with a verdict, 1 (violations) and 3 (incomplete), that count as a failure."""

    @model_validator(mode="after")
    def _needs_healthchecks(self) -> Self:
        if self.heartbeat_fails_on and self.heartbeat_protocol != "healthchecks":
            raise ValueError('heartbeat_fails_on needs heartbeat_protocol = "healthchecks"')
        return self


class ReportSettings(Model):
    """`[report]`: a team's own title, logo, words for the first screen and templates."""

    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """What stands at the top of the reports for people."""

    logo: LocalPath | None = None
    """A PNG, JPEG or SVG file, put into the page."""

    guidance: LocalPath | None = None
    """A Markdown file, shown on the page's first screen."""

    templates: LocalPath | None = None
    """A folder of templates that take the place of the page's own."""


class OutputSettings(Model):
    """`[output]`: how reports are written."""

    mode: FileMode = "0600"
    """The permissions of the Prometheus file, which holds counts only; every other report stays `0600`."""


class HistorySettings(Model):
    """`[history]`: where earlier audits are kept, and for how long."""

    url: HistoryUrl | None = None
    """An SQLAlchemy URL, or where one is; without it an SQLite file in the user's state directory."""

    name: HistoryName | None = None
    """The name of this configuration's audits in the history, where several configurations share it or the file moves;
    without it, the path of the configuration file."""

    keep_days: DaysOrNone = 0
    """For how many days an audit is kept; 0: indefinitely."""


def _require_different_names(consumers: tuple[Consumer, ...]) -> tuple[Consumer, ...]:
    """ValueError where two consumers cannot be told apart by their names."""
    many = Counter(each.name.casefold() for each in consumers)
    for each in consumers:
        if many[each.name.casefold()] > 1:
            raise ValueError(f"two are called {each.name!r}; give each a different name")
    return consumers


class Settings(Model):
    """The whole file."""

    api: Api = Api()
    organizations: tuple[Organization, ...] = ()
    """The organizations to audit, each with its credential."""

    organizations_file: LocalPath | None = None
    """A CSV or XLSX file with more of them: columns id, name, contact, tags, token."""

    defaults: Defaults = Defaults()
    consumers: Annotated[tuple[Consumer, ...], AfterValidator(_require_different_names)] = ()
    """What uses the tokens: in reports, and switched in this order by `create --replaces`."""

    policy: PolicySettings = PolicySettings()
    waivers: tuple[Waiver, ...] = ()
    plans: tuple[Plan, ...] = ()
    privacy: Privacy = Privacy()
    history: HistorySettings = HistorySettings()
    notify: NotifySettings = NotifySettings()
    report: ReportSettings = ReportSettings()
    output: OutputSettings = OutputSettings()
    configured: NotWritten[frozenset[str]] = frozenset()
    """The ids of all organizations that the file names, those that `only` leaves out included."""

    digest: NotWritten[str | None] = None
    """SHA-256 over what decides what a collection reads (config.digest)."""

    decision_places: NotWritten[Mapping[str, str]] = {}
    """Where each waiver and plan stands, by its id."""

    file: NotWritten[Path] = DEFAULT_CONFIG
    """Where it was read; relative paths begin at its folder."""

    @property
    def folder(self) -> Path:
        """Where the paths of the file begin."""
        return self.file.parent

    def only(self, wanted: Sequence[str], *, by_name: bool = False) -> Self:
        """Return the settings of these organizations only, by id and, where `by_name`, by a name that is unique.

        UsageError, naming the nearest, for one that is not configured.
        """
        select = select_by_id_or_name if by_name else select_by_id
        ids = select(wanted, [(each.id, each.name) for each in self.organizations], lacking="not configured")
        chosen = tuple(organization for organization in self.organizations if organization.id in ids)
        return self.model_copy(update={"organizations": chosen})

    def with_workers(self, workers: int) -> Self:
        """With another number of requests under way at once."""
        return self.model_copy(update={"api": self.api.model_copy(update={"workers": workers})})
