"""Check every credential of a configuration: access, coverage, expiration, and the history beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from credly_audit.audit.memory import Undelivered
from credly_audit.audit.prior import make_empty_past
from credly_audit.collection.credential_check import Diagnosis, Purpose, diagnosed, remembered
from credly_audit.collection.lifetime_check import Lifetime, LifetimeCheck, check_lifetime
from credly_audit.config.credentials import make_fingerprints, resolve_proxy
from credly_audit.config.settings import Organization, Settings
from credly_audit.errors import AuditError, ExitCode
from credly_audit.notify.correspondence import name_recipients
from credly_audit.operations.collecting import collect_snapshot, load_settings
from credly_audit.process.extras import MissingExtra
from credly_audit.secrets import check_sources, is_reference, mask_reference, runs_code
from credly_audit.secrets.fingerprint import Fingerprints


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """The options of `doctor`; `within` None: every credential is diagnosed, and no lifetime is verified."""

    config: Path
    organizations: tuple[str, ...]
    within: timedelta | None


@dataclass(frozen=True, slots=True)
class HistorySummary:
    """The history of audits: its place and number of audits; `problem` says why they are unknown."""

    place: str
    audits: int | None
    last_as_of: datetime | None
    problem: str | None
    undelivered: tuple[Undelivered, ...] = ()
    """Messages on earlier audits that were not delivered."""


@dataclass(frozen=True, slots=True)
class CredentialReport:
    """The diagnosis of every credential as of an instant; `lifetimes` has one for each where they are verified."""

    base_url: str
    fingerprint_key: str | None
    as_of: datetime
    diagnoses: Sequence[Diagnosis]
    lifetimes: Sequence[LifetimeCheck]
    history: HistorySummary

    def find_exit_code(self, within: timedelta | None) -> ExitCode:
        """Return the exit code; with `within`, a shorter life counts only where everything else is verified."""
        if within is None:
            well = all(each.status == "complete" for each in self.diagnoses) and self.history.problem is None
            return ExitCode.OK if well else ExitCode.INCOMPLETE
        states = {each.state for each in self.lifetimes}
        if Lifetime.NOT_VERIFIED in states:
            return ExitCode.INCOMPLETE
        return ExitCode.VIOLATIONS if Lifetime.TOO_SHORT in states else ExitCode.OK


def check_credentials(options: DoctorOptions, environ: Mapping[str, str]) -> CredentialReport:
    """Check every credential of a configuration; ConfigurationError or UsageError before the first request."""
    settings = load_settings(options.config, options.organizations, None, environ)
    _require_extras(settings, environ)
    settings = resolve_proxy(settings, environ)
    now = datetime.now(UTC)
    fingerprints = make_fingerprints(settings, environ)
    key = fingerprints.key_fingerprint
    checked = list(_diagnose(settings, fingerprints, environ, now, options.within))
    refused = any(each.answer == "refused" for each, _ in checked)
    history, tokens = _read_history(settings, environ, fingerprints, now, needed=refused)
    return CredentialReport(
        settings.api.base_url,
        key,
        now,
        [remembered(each, tokens, key, now) for each, _ in checked],
        [lifetime for _, lifetime in checked if lifetime is not None],
        history,
    )


def _require_extras(settings: Settings, environ: Mapping[str, str]) -> None:
    """Raise MissingExtra, before the first request, for what is read later; its other problems are reported then."""
    from credly_audit.history.place import DatabasePlace  # noqa: PLC0415 - loads SQLAlchemy

    for each in settings.organizations:
        if each.fallback_token is not None:
            check_sources([each.fallback_token], settings.folder)
    try:
        DatabasePlace.of(settings.history.url, settings.folder, environ)
    except MissingExtra:
        raise
    except AuditError:
        return


def _diagnose(
    settings: Settings,
    fingerprints: Fingerprints,
    environ: Mapping[str, str],
    now: datetime,
    within: timedelta | None,
) -> Iterator[tuple[Diagnosis, LifetimeCheck | None]]:
    """Yield the diagnosis of every organization's credential, then of every fallback_token.

    With `within`, each is verified, and so are the tokens in stores that are not read from there.
    """
    due = settings.policy.next_audit if within is None else within
    second = {each.id: each.fallback_token for each in settings.organizations}
    rounds: dict[Purpose, Settings] = {"audit": settings, "fallback": _with_tokens(settings, second)}
    if within is not None:
        rounds["store"] = _with_tokens(settings, {each.id: _find_stored(each) for each in settings.organizations})
    for purpose, part in rounds.items():
        if not part.organizations:
            continue
        snapshot = collect_snapshot(part, fingerprints, environ, quiet=True, no_color=True, all_needed=False)
        for row, organization in enumerate(part.organizations):
            found = diagnosed(snapshot, row, _describe_reference(organization), purpose=purpose, now=now, due=due)
            yield found, None if within is None else check_lifetime(snapshot, found, within=within, now=now)


def _find_stored(organization: Organization) -> str | None:
    """Return the place in which an organization's token is stored, where that can be read and is not `token`."""
    for place in (organization.read_back, organization.store):
        if place is not None and is_reference(place) and not (place == organization.store and runs_code(place)):
            return None if place == organization.token else place
    return None


def _with_tokens(settings: Settings, references: Mapping[str, str | None]) -> Settings:
    """Return the settings of the organizations that have another token, by id, with only that one."""
    second = tuple(
        each.model_copy(update={"token": references[each.id], "oauth": None, "from_defaults": False})
        for each in settings.organizations
        if references[each.id]
    )
    api = settings.api.model_copy(update={"include_oauth_applications": False})
    return settings.model_copy(update={"organizations": second, "api": api})


def _describe_reference(organization: Organization) -> str:
    """Return how the configuration refers to the credential; of a command, only the program."""
    if organization.oauth:
        return f"oauth {mask_reference(organization.oauth.client_id)}"
    return mask_reference(organization.token or "")


def _read_history(
    settings: Settings, environ: Mapping[str, str], fingerprints: Fingerprints, now: datetime, *, needed: bool
) -> tuple[HistorySummary, pd.DataFrame]:
    """Return the state of the history, its problems included, and, where `needed`, the tokens that it knows."""
    from credly_audit.history.place import DatabasePlace  # noqa: PLC0415 - loads SQLAlchemy
    from credly_audit.history.store import History  # noqa: PLC0415

    where = (settings.history.url, settings.file, environ)
    place, tokens = "[history] url", make_empty_past().tokens
    try:
        place = DatabasePlace.of(settings.history.url, settings.folder, environ).name
        history = History.opened(*where, name=settings.history.name, create=False)
        if history is None:
            return HistorySummary(place, 0, None, None), tokens
        audits = history.audits()
        contacts = [each.contact for each in settings.organizations if each.contact]
        undelivered = name_recipients(history.undelivered(), contacts, fingerprints)
        if needed:
            with history.past(now) as past:
                tokens = past.tokens
    except AuditError as error:
        return HistorySummary(place, None, None, str(error)), tokens
    last = None if audits.empty else audits["as_of"].max().to_pydatetime()
    return HistorySummary(place, len(audits), last, None, undelivered), tokens
