"""`doctor`: check every credential: access, coverage, expiration, next step."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import Days, config_option, organization_option
from credly_audit.cli.screen import print_json, print_lines
from credly_audit.collection.credential_check import Diagnosis, environment
from credly_audit.collection.lifetime_check import Lifetime, LifetimeCheck
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import ExitCode
from credly_audit.operations.check_credentials import DoctorOptions, HistorySummary, check_credentials
from credly_audit.report.briefing import describe_undelivered
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
    report = check_credentials(DoctorOptions(config or DEFAULT_CONFIG, organizations, within), os.environ)
    about: dict[str, Any] = {
        "base_url": report.base_url,
        "environment": environment(report.base_url),
        "fingerprint_key": report.fingerprint_key,
    }
    found, lifetimes = report.diagnoses, report.lifetimes
    credentials = [asdict(each) for each in found]
    if within is not None:
        about["within_days"] = within.days
        for credential, lifetime in zip(credentials, lifetimes, strict=True):
            credential["lifetime"] = asdict(lifetime)
    if shape == "json":
        told = about | {"history": asdict(report.history), "credentials": credentials}
        print_json(json.dumps(told, default=instant, indent=1, ensure_ascii=False))
    else:
        steps = describe_next_steps(found) if within is None else describe_lifetimes(found, lifetimes, within)
        print_lines(*format_summary(about, report.history), "", *format_table(found, lifetimes, report.as_of), *steps)
    return report.find_exit_code(within)


def format_summary(about: Mapping[str, str | None], history: HistorySummary) -> Iterator[str]:
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
    if history.undelivered:
        yield f"Messages      {describe_undelivered(history.undelivered)}"


def format_table(found: Sequence[Diagnosis], lifetimes: Sequence[LifetimeCheck], now: datetime) -> Iterator[str]:
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
                _describe_permissions(each),
                spoken(each.expires_at, now),
                *last,
            )
            for each, last in zip(found, verified, strict=True)
        ],
    )


def _describe_permissions(each: Diagnosis) -> str:
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


def describe_next_steps(found: Sequence[Diagnosis]) -> Iterator[str]:
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
