"""`history`: list earlier audits, compare two, show the trend, delete some."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pandas as pd

from credly_audit.audit.comparison import compute_remediation_times
from credly_audit.audit.prior import TREND
from credly_audit.cli.logs import start_log
from credly_audit.cli.options import Instant, config_option, together
from credly_audit.cli.screen import print_json, print_lines
from credly_audit.config.load import load
from credly_audit.config.settings import Settings
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import CannotWrite, ExitCode, UsageError
from credly_audit.instants import DAY, MOST_DAYS, iso_day, shift
from credly_audit.operations.prior_audits import find_database
from credly_audit.renderers.json import describe_remediation_times, encode, rows
from credly_audit.severity import Severity
from credly_audit.text import called, count, in_columns, number, one_line

if TYPE_CHECKING:
    from credly_audit.history.store import History

LABELS = {
    "made": "created",
    "gone": "removed",
    "escalated": "with increased permissions",
    "remediated": "resolved",
    "unseen": "not assessed",
}
"""What a person reads for the names that programs read."""

shape_option = click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
name_option = click.option(
    "--name", metavar="NAME", help="Name of the audits, as in `history list`. Default: that of the configuration."
)
reading_options = together(config_option, name_option, shape_option)


@click.group()
def history() -> None:
    """Show earlier audits: their results, what changed between two, the trend."""
    start_log(quiet=False, verbose=False, log_format="text")


@history.command("list")
@reading_options
def list_audits(config: Path | None, name: str | None, shape: str) -> None:
    """List all recorded audits by configuration, oldest first; with --name those of one."""
    kept = opened(config)[0]
    audits = kept.every_audit() if name is None else kept.called(name).audits()
    if shape == "json":
        print_json(encode({"history": kept.name, "audits": list(rows(audits, list(audits)))}).decode())
        return
    print_lines(f"The history {one_line(kept.name)} has {count(len(audits), 'audit', 'audits')}.")
    heads = (
        "No",
        "As of (UTC)",
        "Outcome",
        "Complete",
        "Tokens",
        "Open",
        "New",
        "Resolved",
        "Not assessed",
        "Waived",
        "Name",
    )
    table = [
        (
            f"{each['id']}",
            shown(each["as_of"]),
            each["outcome"],
            f"{each['fully_seen']}/{each['organizations']}",
            f"{each['tokens']}",
            f"{open_ones(each)}",
            *(f"{each[counted]}" for counted in ("new", "resolved", "unseen", "waived")),
            "-" if pd.isna(each["name"]) else one_line(each["name"], 200),
        )
        for _, each in audits.iterrows()
    ]
    print_lines(*in_columns(heads, table))


@history.command()
@reading_options
@click.argument("earlier", required=False, metavar="[A]")
@click.argument("later", required=False, metavar="[B]")
def diff(config: Path | None, name: str | None, shape: str, earlier: str | None, later: str | None) -> None:
    """Compare two audits: tokens created, removed, rotated, permissions increased; findings new, resolved, reopened.

    Name an audit by its number in `history list`, its day (2026-11-23: the last of that day) or its timestamp.
    Without B, the last one is compared; without A, the last two.
    """
    kept = opened_with_audits(config, name)[0]
    audits = kept.audits()
    if earlier is None and len(audits) < 2:  # noqa: PLR2004 - two are compared
        raise UsageError(f"the history has {count(len(audits), 'audit', 'audits')}; a comparison needs two")
    a = audits.iloc[-2] if earlier is None else found(audits, earlier)
    b = audits.iloc[-1] if later is None else found(audits, later)
    a, b = sorted((a, b), key=lambda each: each["id"])
    changed = kept.difference(int(a["id"]), int(b["id"]))
    parts = {
        "tokens": ("made", "gone", "rotated", "escalated"),
        "findings": ("new", "remediated", "reopened"),
    }
    frames = {part: {change: getattr(changed, change) for change in changes} for part, changes in parts.items()}
    if shape == "json":
        listed = {
            part: {change: list(rows(frame, list(frame))) for change, frame in theirs.items()}
            for part, theirs in frames.items()
        }
        print_json(encode({"from": a["as_of"], "to": b["as_of"]} | listed).decode())
        return
    print_lines(f"From {shown(a['as_of'])} to {shown(b['as_of'])} (UTC)")
    for part, theirs in frames.items():
        for change, frame in theirs.items():
            print_lines("", f"{part.capitalize()} {LABELS.get(change, change)}: {number(len(frame))}")
            for line in described(frame):
                print_lines(f"  {line}")


@history.command()
@reading_options
def trend(config: Path | None, name: str | None, shape: str) -> None:
    """Show open findings by severity for each audit, and the median time to remediate."""
    kept = opened_with_audits(config, name)[0]
    audits, remediated = kept.audits(), kept.remediated()
    if shape == "json":
        print_json(
            encode(
                {"trend": list(rows(audits, list(TREND))), "time_to_mend": describe_remediation_times(remediated)}
            ).decode()
        )
        return
    severities = [severity.value for severity in reversed(Severity)]
    names = [*severities, "new", "reopened", "resolved", "unseen", "waived"]
    table = [
        (shown(each["as_of"]), f"{open_ones(each)}", *(f"{each[counted]}" for counted in names))
        for _, each in audits.iterrows()
    ]
    heads = ("As of (UTC)", "Open", *(LABELS.get(counted, counted).capitalize() for counted in names))
    print_lines(*(in_columns(heads, table) if table else ["The history has no audits."]))
    for severity, time in compute_remediation_times(remediated).items():
        if time is not None:
            findings = count(time.findings, "resolved finding", "resolved findings")
            print_lines(f"Median time to remediate {severity.value}: {time.days} ({findings}).")


@history.command()
@config_option
@name_option
@click.option("--before", type=Instant(), metavar="DATE-OR-TIMESTAMP", help="Delete audits before this instant.")
@click.option(
    "--keep-days",
    type=click.IntRange(1, MOST_DAYS),
    help="Delete audits that are older. Default: [history] keep_days.",
)
@click.option("--all", "everything", is_flag=True, help="Delete all audits.")
@shape_option
def purge(
    config: Path | None,
    name: str | None,
    before: datetime | None,
    keep_days: int | None,
    shape: str,
    *,
    everything: bool,
) -> ExitCode:
    """Delete earlier audits of a configuration, and data referenced only by them.

    Exit codes: 0 deleted, and the space is freed; 2 usage error, nothing is deleted; 4 an error: the message says
    whether the audits could not be deleted or only the space could not be freed.
    """
    kept, settings = opened(config, name)
    if sum((before is not None, keep_days is not None, everything)) > 1:
        raise UsageError("--before, --keep-days and --all exclude each other; keep one")
    days = keep_days or settings.history.keep_days
    if before is None and not everything:
        if not days:
            raise UsageError("no audits are selected; give --before, --keep-days or --all, or set [history] keep_days")
        before = shift(datetime.now(UTC), -days * DAY)
    purged = kept.purge(before)
    if shape == "json":
        print_json(encode({"forgotten": purged.audits}).decode())
    else:
        print_lines(f"Deleted {count(purged.audits, 'audit', 'audits')}.")
    if purged.not_freed is not None:
        raise CannotWrite(
            f"the history {kept.name}: the audits are deleted, but their data may remain in the file: its space could "
            f"not be freed ({purged.not_freed}); run the same command again when no other process uses the history"
        )
    return ExitCode.OK


def opened(config: Path | None, name: str | None = None) -> "tuple[History, Settings]":
    """Open the history as the configuration, or the one that is named, sees it; UsageError where there is none."""
    from credly_audit.history.store import History  # noqa: PLC0415 - loads SQLAlchemy

    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    settings = load(path, os.environ, for_collecting=False) if path else Settings()
    kept = History.opened(*find_database(settings, os.environ), name=settings.history.name, create=False)
    if kept is None:
        raise UsageError("there is no history yet; `run` begins one, and `check --record` adds to it")
    return kept if name is None else kept.called(name), settings


def opened_with_audits(config: Path | None, name: str | None) -> "tuple[History, Settings]":
    """Open the same; UsageError, naming the others, where the configuration has no audit but others have."""
    kept, settings = opened(config, name)
    if (others := kept.names()) and kept.audits().empty:
        raise UsageError(
            f"the history has no audit of {kept.configuration.called}, but of {', '.join(others)}; use --name"
        )
    return kept, settings


def found(audits: pd.DataFrame, name: str) -> pd.Series:
    """Return the audit that a person names; UsageError where there is none."""
    if name.isdecimal():
        chosen = audits[audits["id"] == int(name)]
    else:
        wanted = Instant().convert(name, None, None)
        day = len(name) == len("2026-11-23")
        instants = audits["as_of"].dt.floor("D" if day else "us" if wanted.microsecond else "s")
        chosen = audits[instants == wanted]
    if chosen.empty:
        raise UsageError(f"{one_line(name, 40)}: no such audit; `credly-audit history list` lists them")
    return chosen.iloc[-1]


def shown(instant: datetime) -> str:
    """Return an instant as `found` takes it."""
    return f"{iso_day(instant)} {instant:%H:%M:%S}"


def open_ones(audit: pd.Series) -> int:
    """Count the findings of an audit that were neither waived nor unseen."""
    return sum(int(audit[severity.value]) for severity in Severity)


def described(frame: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each token or finding."""
    for row in rows(frame, list(frame)):
        name = row["organization_name"]
        is_token = row["token_id"] is not None
        subject = called(row["description"], name, row.get("fingerprint")) if is_token else one_line(name, 60)
        if "rule_id" in row:
            subject = f"{row['severity']:<8} {row['rule_id']} {subject}"
        yield f"{subject}: gained {row['gained']}" if "gained" in row else subject
