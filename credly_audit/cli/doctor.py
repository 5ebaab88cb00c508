"""`doctor`: check every credential: access, coverage, expiration, next step."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pandas as pd

from credly_audit.audit.prior import no_past
from credly_audit.cli.logs import start_log
from credly_audit.cli.options import config_option, organization_option
from credly_audit.cli.screen import print_json, print_lines
from credly_audit.collection.credential_check import Diagnosis, Purpose, diagnosed, environment, remembered
from credly_audit.config.credentials import make_fingerprints, resolve_proxy
from credly_audit.config.settings import Organization, Settings
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import AuditError, ExitCode
from credly_audit.extras import MissingExtra
from credly_audit.operations.collecting import collect_snapshot, load_settings
from credly_audit.secrets import check_sources, mask_reference
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
@click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
def doctor(config: Path | None, organizations: tuple[str, ...], shape: str) -> ExitCode:
    """Check every credential: whether it works, what it can access, when it expires, what to do next.

    Exit codes: 0 every credential has complete access and the history can be read; 3 a credential or the history has
    a problem.
    """
    start_log(quiet=True, verbose=False, log_format="text")
    settings = load_settings(config or DEFAULT_CONFIG, organizations, None, os.environ)
    must_have_extras(settings, os.environ)
    settings = resolve_proxy(settings, os.environ)
    now = datetime.now(UTC)
    fingerprints = make_fingerprints(settings, os.environ)
    key = fingerprints.key_fingerprint
    found = list(diagnoses(settings, fingerprints, os.environ, now))
    history, tokens = kept(settings, os.environ, now, needed=any(each.answer == "refused" for each in found))
    found = [remembered(each, tokens, key, now) for each in found]
    about: dict[str, Any] = {
        "base_url": settings.api.base_url,
        "environment": environment(settings.api.base_url),
        "fingerprint_key": key,
    }
    if shape == "json":
        told = about | {"history": asdict(history), "credentials": [asdict(each) for each in found]}
        print_json(json.dumps(told, default=instant, indent=1, ensure_ascii=False))
    else:
        print_lines(*as_text(about, history), "", *table(found, now), *next_steps(found))
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


def diagnoses(
    settings: Settings, fingerprints: Fingerprints, environ: Mapping[str, str], now: datetime
) -> Iterator[Diagnosis]:
    """Yield the diagnosis of every organization's credential, then of every fallback_token."""
    due = settings.policy.next_audit
    rounds: dict[Purpose, Settings] = {"audit": settings, "fallback": _with_fallbacks(settings)}
    for purpose, part in rounds.items():
        if not part.organizations:
            continue
        snapshot = collect_snapshot(part, fingerprints, environ, quiet=True, no_color=True, all_needed=False)
        for row, organization in enumerate(part.organizations):
            yield diagnosed(snapshot, row, _reference(organization), purpose=purpose, now=now, due=due)


def _with_fallbacks(settings: Settings) -> Settings:
    """Return the settings of the organizations that have a second credential, with only that one."""
    second = tuple(
        each.model_copy(update={"token": each.fallback_token, "oauth": None, "from_defaults": False})
        for each in settings.organizations
        if each.fallback_token
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
    place, tokens = "[history] url", no_past().tokens
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


def table(found: Sequence[Diagnosis], now: datetime) -> Iterator[str]:
    """Return the table of credentials, a line each."""
    return in_columns(
        HEADS,
        [
            (
                one_line(each.organization, 40),
                one_line(each.credential, 40) + (" (fallback)" if each.purpose == "fallback" else ""),
                LABELS.get(each.answer, each.answer),
                LABELS.get(each.sees, each.sees),
                _may(each),
                spoken(each.expires_at, now),
            )
            for each in found
        ],
    )


def _may(each: Diagnosis) -> str:
    if each.kind == "oauth" and each.answer == "accepted":
        return "scope authorization_tokens"
    return NOTHING if each.may is None else ", ".join(each.may) or "none"


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
