"""`doctor`: check every credential: access, coverage, expiration, next step."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pandas as pd

from credly_audit.audit.prior import make_empty_past
from credly_audit.cli.logs import start_log
from credly_audit.cli.options import Days, config_option, organization_option
from credly_audit.cli.screen import print_json, print_lines
from credly_audit.collection.credential_check import Diagnosis, Purpose, diagnosed, environment, remembered
from credly_audit.collection.lifetime_check import Lifetime, LifetimeCheck, check_lifetime
from credly_audit.config.credentials import make_fingerprints, resolve_proxy
from credly_audit.config.settings import Organization, Settings
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import AuditError, ExitCode
from credly_audit.operations.collecting import collect_snapshot, load_settings
from credly_audit.process.extras import MissingExtra
from credly_audit.secrets import check_sources, is_reference, mask_reference, runs_code
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.text import NOTHING, count, in_columns, instant, number, one_line, spoken, spoken_day

LABELS = {
    "not known": "unknown",
    "everything": "complete",
    "a list not proved complete": "not proved complete",
    "an inconsistent list": "inconsistent",
    "a part, or nothing": "partial or none",
    "nothing": "none",
}
"""What a person reads for the values that programs read."""

HEADS = ("Organization", "Credential", "Response", "Coverage", "Permissions", "Expires")


@dataclass(frozen=True, slots=True)
class HistorySummary:
    """The history of audits: its place and number of audits; `problem` says why they are unknown."""

    place: str
    audits: int | None
    last_as_of: datetime | None
    problem: str | None


@click.command()
@config_option
@organization_option
@click.option(
    "--within",
    type=Days(),
    metavar="DAYS",
    help="Only verify that every token can be read, is listed, works, and lives longer than this, such as 7d.",
)
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(config: Path | None, organizations: tuple[str, ...], within: timedelta | None, shape: str) -> ExitCode:
    """Check every credential: whether it works, what it can access, when it expires, what to do next.

    Exit codes: 0 every credential has complete access and the history can be read; 3 a credential or the history has
    a problem. With --within: 0 every credential is verified; 1 some expire too soon, and nothing else is wrong; 3 some
    could not be verified.
    """
    start_log(quiet=True, verbose=False, log_format="text")
    settings = load_settings(config or DEFAULT_CONFIG, organizations, None, os.environ)
    must_have_extras(settings, os.environ)
    settings = resolve_proxy(settings, os.environ)
    now = datetime.now(UTC)
    fingerprints = make_fingerprints(settings, os.environ)
    key = fingerprints.key_fingerprint
    checked = list(diagnoses(settings, fingerprints, os.environ, now, within))
    found, lifetimes = [each for each, _ in checked], [lifetime for _, lifetime in checked if lifetime is not None]
    history, tokens = kept(settings, os.environ, now, needed=any(each.answer == "refused" for each in found))
    found = [remembered(each, tokens, key, now) for each in found]
    about: dict[str, Any] = {
        "base_url": settings.api.base_url,
        "environment": environment(settings.api.base_url),
        "fingerprint_key": key,
    }
    credentials = [asdict(each) for each in found]
    if within is not None:
        about["within_days"] = within.days
        for credential, lifetime in zip(credentials, lifetimes, strict=True):
            credential["lifetime"] = asdict(lifetime)
    if shape == "json":
        told = about | {"history": asdict(history), "credentials": credentials}
        print_json(json.dumps(told, default=instant, indent=1, ensure_ascii=False))
    else:
        steps = next_steps(found) if within is None else describe_lifetimes(found, lifetimes, within)
        print_lines(*as_text(about, history), "", *table(found, lifetimes, now), *steps)
    if within is not None:
        return find_lifetime_code(lifetimes)
    well = all(each.status == "complete" for each in found) and history.problem is None
    return ExitCode.OK if well else ExitCode.INCOMPLETE


def must_have_extras(settings: Settings, environ: Mapping[str, str]) -> None:
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


def find_lifetime_code(lifetimes: Sequence[LifetimeCheck]) -> ExitCode:
    """Return the exit code of `--within`: a shorter life counts only where everything else is verified."""
    states = {each.state for each in lifetimes}
    if Lifetime.NOT_VERIFIED in states:
        return ExitCode.INCOMPLETE
    return ExitCode.VIOLATIONS if Lifetime.TOO_SHORT in states else ExitCode.OK


def diagnoses(
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
            found = diagnosed(snapshot, row, _reference(organization), purpose=purpose, now=now, due=due)
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


def _reference(organization: Organization) -> str:
    """Return how the configuration refers to the credential; of a command, only the program."""
    if organization.oauth:
        return f"oauth {mask_reference(organization.oauth.client_id)}"
    return mask_reference(organization.token or "")


def kept(
    settings: Settings, environ: Mapping[str, str], now: datetime, *, needed: bool
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
        if needed:
            with history.past(now) as past:
                tokens = past.tokens
    except AuditError as error:
        return HistorySummary(place, None, None, str(error)), tokens
    last = None if audits.empty else audits["as_of"].max().to_pydatetime()
    return HistorySummary(place, len(audits), last, None), tokens


def as_text(about: Mapping[str, str | None], history: HistorySummary) -> Iterator[str]:
    """Yield a line each for the API, the fingerprints and the history."""
    key = about["fingerprint_key"]
    yield f"API           {about['base_url']} ({about['environment']})"
    yield f"Fingerprints  {f'under the key {key}' if key else 'without a fingerprint_key'}"
    place = one_line(history.place)
    if history.problem is not None:
        yield f"History       {one_line(history.problem, 400)}"
    elif not history.audits:
        yield f"History       none yet; `run` creates it: {place}"
    else:
        last = f"the last as of {spoken_day(history.last_as_of)}" if history.last_as_of else ""
        yield f"History       {count(history.audits, 'audit', 'audits')}, {last}: {place}"


def table(found: Sequence[Diagnosis], lifetimes: Sequence[LifetimeCheck], now: datetime) -> Iterator[str]:
    """Return the table of credentials, a line each; with `--within` the last column says whether each is verified."""
    verified: list[tuple[str, ...]] = [(each.state.value,) for each in lifetimes] or [()] * len(found)
    return in_columns(
        (*HEADS, "Verified") if lifetimes else HEADS,
        [
            (
                one_line(each.organization, 40),
                one_line(each.credential, 40) + ("" if each.purpose == "audit" else f" ({each.purpose})"),
                LABELS.get(each.answer, each.answer),
                LABELS.get(each.sees, each.sees),
                _may(each),
                spoken(each.expires_at, now),
                *last,
            )
            for each, last in zip(found, verified, strict=True)
        ],
    )


def _may(each: Diagnosis) -> str:
    if each.kind == "oauth" and each.answer == "accepted":
        return "scope authorization_tokens"
    return NOTHING if each.may is None else ", ".join(each.may) or "none"


def describe_lifetimes(
    found: Sequence[Diagnosis], lifetimes: Sequence[LifetimeCheck], within: timedelta
) -> Iterator[str]:
    """Yield a paragraph for each credential that is not verified or expires too soon, and a summary line."""
    for each, lifetime in zip(found, lifetimes, strict=True):
        if lifetime.state is not Lifetime.LONG_ENOUGH:
            words = (lifetime.reason, each.likely, each.next_step)
            yield ""
            yield f"{one_line(each.organization, 60)}, {one_line(each.credential, 60)}:"
            yield f"  {one_line(' '.join(filter(None, words)), 1_000)}"
    counts = Counter(each.state for each in lifetimes)
    parts = [
        f"{number(counts[Lifetime.LONG_ENOUGH])} of {count(len(found), 'credential', 'credentials')} verified",
        count(counts[Lifetime.TOO_SHORT], "expires", "expire") + f" within {count(within.days, 'day', 'days')}",
        f"{number(counts[Lifetime.NOT_VERIFIED])} not verified",
    ]
    yield ""
    yield f"{'; '.join(parts)}."


def next_steps(found: Sequence[Diagnosis]) -> Iterator[str]:
    """Yield a paragraph for each credential that needs action, worst first."""
    troubled = [each for each in found if each.status != "complete"]
    for each in troubled + [each for each in found if each.status == "complete" and each.next_step]:
        words = [each.reason if each.status != "complete" else "", each.likely or "", each.next_step or ""]
        yield ""
        yield f"{one_line(each.organization, 60)}, {one_line(each.credential, 60)}:"
        yield f"  {one_line(' '.join(filter(None, words)), 1_000)}"
    if troubled:
        credentials, did = count(len(found), "credential", "credentials"), "does" if len(troubled) == 1 else "do"
        yield ""
        yield f"{number(len(troubled))} of {credentials} {did} not have complete access."
