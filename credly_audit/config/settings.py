"""The settings of the configuration file; docs/configuration.md and the JSON Schema are generated from them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
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
from credly_audit.errors import BrokenRule, UsageError
from credly_audit.rules import catalogue, unloadable
from credly_audit.rules.declare import Rule
from credly_audit.rules.facts import AUDIT_EVERY_DAYS
from credly_audit.rules.guard import Failure, contain
from credly_audit.rules.quantities import Days, DaysOrNone, Rate, Seconds
from credly_audit.secrets.shape import mask_shapes
from credly_audit.severity import Severity
from credly_audit.text import fold, one_line


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
    """`[api]`: how requests are sent to Credly. Times are in seconds."""

    base_url: Address = CREDLY
    """The address of Credly's API; the environment variable `CREDLY_API_URL` overrides it. Plain HTTP is accepted
    only for this machine."""

    workers: Annotated[int, Field(ge=1, le=256)] = 16
    """How many requests may be in progress at once."""

    timeout: Seconds = 30.0
    """Seconds to wait for a response."""

    max_retries: Annotated[int, Field(ge=0, le=100)] = 5
    """How often a request is retried after no response or a temporary error."""

    requests_per_second: Rate = 0.0
    """The most requests in a second; 0: no limit. When Credly throttles requests, the rate adapts automatically."""

    max_throttled_seconds: Seconds = 600.0
    """Seconds for which Credly may answer only "too many requests" before the collection ends."""

    proxy: Proxy | None = None
    """The proxy's address, or a reference to it (`env:NAME` …); without it, the proxy of the environment."""

    ca_bundle: LocalPath | None = None
    """The file with the certificates of trusted authorities."""

    oauth_token_url: Address | None = None
    """The address that issues access tokens to OAuth applications; without it, the one that Credly documents."""

    oauth_client_authentication: Literal["form", "basic"] = "form"
    """How an OAuth application authenticates there: in the form, or by HTTP Basic."""

    include_oauth_applications: bool = False
    """Whether the OAuth applications of the organizations are audited too."""

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
    """`[[organizations]]`, or a row of `organizations_file`."""

    id: Identifier
    """The organization's id, a UUID; Credly shows it under Organization Management > Developers."""

    name: str | None = None
    """Its name in reports; without it, the name in Credly."""

    contact: str | None = None
    """Who is responsible for its tokens: a mail address, or any other text."""

    tags: tuple[str, ...] = ()
    """Tags, which overrides and split reports select by."""

    token: Reference | None = None
    """A reference to its authorization token, such as `env:NAME` or `file:PATH`."""

    oauth: OAuth | None = None
    """The client credentials of an OAuth application, instead of a token."""

    rotate: bool = False
    """Whether `rotate` rotates its token without `--organization`."""

    store: Place | None = None
    """Where `rotate` and `create --for-expired` store the new value; without it, the place that `token` refers to. With
    `oauth`, where the token is that `create --for-expired` renews."""

    read_back: ReadBack | None = None
    """Where the stored value is read back to verify it; `none` if that is not possible."""

    fallback_token: Reference | None = None
    """A second credential, with which `rotate` looks up a new value that the response did not contain, and
    `create --for-expired` creates a token."""

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
    """Its name in reports and for `succession confirm --consumer`."""

    organizations: tuple[Identifier, ...] = ()
    """The ids of the organizations whose tokens it uses."""

    token: TokenId | None = None
    """The id of the token that it uses, instead of `organizations`."""

    contact: str | None = None
    """Who is responsible for it."""

    deploy: Program | None = None
    """The program that deploys a new value, which it reads on standard input: `exec:COMMAND`."""

    verify: Program | None = None
    """The program that verifies that the consumer works with the new token; it gets ids in its environment, never the
    value."""

    @model_validator(mode="after")
    def _uses_some_token(self) -> Self:
        if bool(self.organizations) == (self.token is not None):
            raise ValueError("needs `organizations` (ids) or `token` (an id): one of them, not both")
        return self

    def uses(self, organization_id: str, token_id: str | None) -> bool:
        """Return whether it uses this token of this organization."""
        return organization_id in self.organizations if self.token is None else self.token == (token_id or "").lower()


class Defaults(Model):
    """`[defaults]`: values for organizations that do not set their own; `{id}` is replaced by the organization's id."""

    token: Reference | None = None
    """The default of `token`."""

    store: Place | None = None
    """The default of `store`."""

    read_back: ReadBack | None = None
    """The default of `read_back`."""


class Purpose(Model):
    """`[[policy.purposes]]`: the permissions approved for tokens whose description matches."""

    pattern: Pattern
    """A regular expression in the syntax of Python's `re`, searched in the description; an empty description never
    matches."""

    allow: tuple[Literal["read", "write", "delete"], ...]
    """The permissions that such a token needs; a token with no others is approved."""


class Override(Model):
    """`[[policy.overrides]]`: a different policy for the organizations that match all of `ids`, `tags` and `contact`.

    If several match an organization, the last one wins; disabled rules accumulate. `purposes` replace those of the
    policy.
    """

    ids: tuple[Identifier, ...] = ()
    """The ids of the organizations."""

    tags: Texts = ()
    """The organization must have one of these tags; `*` matches any characters. An organization without tags does not
    match."""

    contact: Texts = ()
    """The organization must have one of these contacts; `*@acme.example` matches a domain. An organization without a
    contact does not match."""

    disable: tuple[RuleOrFamily, ...] = ()
    """Rules and families to disable for them, in addition to those of the policy."""

    severity: dict[RuleId, Severity] = {}
    """The severities of rules for them."""

    rules: RuleOptions = RuleOptions()  # type: ignore[valid-type]  # made from the catalogue
    """The options of rules for them, by rule ID; other options keep their values."""

    purposes: tuple[Purpose, ...] | None = None
    """The purposes for them, instead of those of the policy."""

    @model_validator(mode="after")
    def _is_for_some(self) -> Self:
        if not (self.ids or self.tags or self.contact):
            raise ValueError("applies to no organization; select some by `ids`, `tags` or `contact`")
        return self


class PolicySettings(Model):
    """`[policy]`: the requirements that tokens are evaluated against."""

    model_config = ConfigDict(serialize_by_alias=True)

    audit_every_days: Days = AUDIT_EVERY_DAYS
    """Days between audits: a token that expires before the next audit is urgent."""

    fail_on: Selectors = (Severity.HIGH,)
    """What makes the audit fail (exit code 1): findings of a severity or above, of rules or of families; or `never`."""

    disable: tuple[RuleOrFamily, ...] = ()
    """Rules and families to disable."""

    severity: dict[RuleId, Severity] = {}
    """The severity of all findings of a rule, instead of the rule's own."""

    due_days: Annotated[dict[Severity, Days], BeforeValidator(_expand_severities)] = Field(
        default=DUE_DAYS, validate_default=True
    )
    """Days until a finding of each severity is due, from the audit that first found it."""

    rules: RuleOptions = RuleOptions()  # type: ignore[valid-type]  # made from the catalogue
    """The options of rules, by rule ID; `credly-audit rules show ID` lists them."""

    purposes: tuple[Purpose, ...] = ()
    """The purposes of tokens, recognized by description, and their approved permissions."""

    overrides: tuple[Override, ...] = ()
    """Different policies for some organizations."""

    waivers_file: LocalPath | None = None
    """A TOML file with more `[[waivers]]` and `[[plans]]`; `waivers import` writes it."""

    four_eyes: bool = False
    """Whether a waiver is refused if its approver is the owner of the finding; only the names are compared."""

    approvers: tuple[str, ...] = ()
    """Who may approve waivers; without it, anyone."""

    max_waiver_days: Days = 365
    """The most days after its approval for which a waiver is valid."""

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
    """`[privacy]`: what reports disclose."""

    fingerprint_key: Reference | None = None
    """A reference to a key for fingerprints. Without the key, no one can test a guess of a token's value against a
    fingerprint."""


MAIL_ADDRESS = r"^[0-9A-Za-z!#$%&'*+/=?^_`{|}~.-]+@[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?$"
"""One mail address in ASCII, without a name."""


class NotifySettings(Model):
    """`[notify]`: who is notified of an audit. Addresses are secrets."""

    urls: tuple[Reference, ...] = ()
    """References to the addresses to notify, in the form of Apprise."""

    on: tuple[Literal["violations", "incomplete", "pass"], ...] = ("violations", "incomplete")
    """The verdicts to notify about."""

    attach: tuple[Format, ...] = ()
    """The reports to attach to messages."""

    contacts: Reference | None = None
    """A reference to the address of a mail server, through which each contact gets the part of the report for its
    organizations."""

    reply_to: Annotated[str, Field(pattern=MAIL_ADDRESS)] | None = None
    """The mail address for replies, unless the address of the mail server sets `reply`."""

    thresholds: tuple[Days, ...] = (60, 35, 14, 7, 1)
    """Days before an expiration on which a recipient is told of it again; needs a history."""

    remind_every_days: Days = 30
    """Days after which a recipient is reminded of overdue work and incomplete organizations; needs a history."""

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
    """`[report]`: customize the title, logo, guidance and templates of reports."""

    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The title of the page, workbook and mails."""

    logo: LocalPath | None = None
    """A PNG, JPEG or SVG file to embed in the page."""

    guidance: LocalPath | None = None
    """A Markdown file to show in the summary of the page and workbook."""

    templates: LocalPath | None = None
    """A folder of templates that replace those of the page."""


class OutputSettings(Model):
    """`[output]`: how reports are written."""

    mode: FileMode = "0600"
    """The permissions of the Prometheus file, which holds counts only; every other report stays `0600`."""


class HistorySettings(Model):
    """`[history]`: where audits are recorded, and for how long."""

    url: HistoryUrl | None = None
    """An SQLAlchemy URL, or a reference to one; without it, an SQLite file in the user's state directory."""

    name: HistoryName | None = None
    """The name of this configuration's audits in the history, where several configurations share it or the file moves;
    without it, the path of the configuration file."""

    keep_days: DaysOrNone = 0
    """Days to keep an audit; 0: indefinitely."""


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
    """A CSV or XLSX file with more organizations: columns id, name, contact, tags, token."""

    defaults: Defaults = Defaults()
    consumers: Annotated[tuple[Consumer, ...], AfterValidator(_require_different_names)] = ()
    """The programs and teams that use the tokens; `create --replaces` switches them in this order."""

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
    """The place in the file of each waiver and plan, by its id."""

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

    def only_tagged(self, globs: Sequence[str]) -> Self:
        """Return the settings of the organizations with one of these tags, without regard to case.

        UsageError where none has one.
        """
        patterns = [fold(glob.strip()) for glob in globs]
        chosen = tuple(
            each
            for each in self.organizations
            if any(fnmatchcase(fold(tag.strip()), pattern) for tag in each.tags for pattern in patterns)
        )
        if not chosen:
            there = ", ".join(sorted({tag for each in self.organizations for tag in each.tags}))
            hint = f"there are {one_line(there, 200)}" if there else "none has any"
            raise UsageError(f"--tag {one_line(', '.join(globs), 60)}: no organization has it; {hint}")
        return self.model_copy(update={"organizations": chosen})

    def with_workers(self, workers: int) -> Self:
        """Return the settings with another number of parallel requests."""
        return self.model_copy(update={"api": self.api.model_copy(update={"workers": workers})})
