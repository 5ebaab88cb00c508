"""`waivers`: what was decided, whether it still holds, and what the security team typed into the Excel report."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import Gate
from credly_audit.audit.redact_texts import make_redactor, redact_own_texts
from credly_audit.cli.options import FILE, Instant, config_option
from credly_audit.cli.screen import print_json, print_lines
from credly_audit.config.decision_models import Decision
from credly_audit.config.decisions import read_decisions
from credly_audit.config.load import load
from credly_audit.config.presentation import PLAIN
from credly_audit.config.settings import Settings
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import ExitCode, UsageError
from credly_audit.files.destinations import file_can_be_written
from credly_audit.files.writing import write_file
from credly_audit.operations.stored_snapshots import read_snapshots
from credly_audit.policy.apply import Decisions
from credly_audit.policy.decision_dates import classify_by_calendar
from credly_audit.policy.decision_workbook import read_typed_rows
from credly_audit.policy.import_decisions import Import, import_rows, write_rejected
from credly_audit.policy.policy import Policy
from credly_audit.policy.toml_file import remove_decisions
from credly_audit.rules import catalogue
from credly_audit.text import count, number, one_line

ASKS = {
    "expired": "expired",
    "unused": "matches no finding",
    "overdue": "overdue",
    "refused": "refused: approved by the owner of the findings",
}
"""The states that need attention, in words."""

ALL = {
    "expiring": "may not hold at the next audit",
    "active": "holds",
    "pending": "not yet in force",
    "open": "open",
    "kept": "kept: its findings are resolved",
    "unjudged": "not assessed: its organization is incomplete",
}

shape_option = click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
as_of_option = click.option(
    "--as-of", type=Instant(), metavar="DATE-OR-TIMESTAMP", help="Evaluate as of this instant. Default: now."
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision and where it stands; `findings` None: they were not looked at."""

    decision: Decision
    kind: str
    state: str
    findings: int | None


@click.group()
def waivers() -> None:
    """List, check and import decisions on findings: waivers (accepted risks) and remediation plans."""


@waivers.command("list")
@config_option
@as_of_option
@click.option("--expired", is_flag=True, help="Only those whose last day is past.")
@click.option("--soon", is_flag=True, help="Only those that end before the next audit.")
@shape_option
def list_waivers(config: Path | None, as_of: datetime | None, shape: str, *, expired: bool, soon: bool) -> None:
    """List the waivers and plans of the configuration, and whether each is valid."""
    settings = configured(config)
    now, next_audit = as_of or datetime.now(UTC), settings.policy.next_audit
    found = list(judged(dated(settings, as_of), looked=False))
    if expired or soon:
        found = [
            each
            for each in found
            if (expired and each.decision.ends_at <= now) or (soon and now < each.decision.ends_at <= now + next_audit)
        ]
    tell(found, shape)


@waivers.command()
@click.argument("snapshots", nargs=-1, required=True, type=FILE, metavar="SNAPSHOT...")
@click.option(
    "--from", "source", type=FILE, metavar="FILE", help="TOML file of the decisions. Default: [policy] waivers_file."
)
@config_option
@as_of_option
@click.option("--dry-run", is_flag=True, help="Show what would be moved; write nothing.")
def prune(
    snapshots: tuple[Path, ...], source: Path | None, config: Path | None, as_of: datetime | None, *, dry_run: bool
) -> None:
    """Move decisions that expired and match no finding of the snapshots into waivers-archive.toml, beside the file.

    Exit codes: 0 done, or nothing to move; 2 usage error or configuration error, nothing is written.
    """
    settings = configured(config)
    target = source or settings.policy.waivers_file
    if target is None:
        raise UsageError("--from: name the file that holds the decisions, or set [policy] waivers_file")
    now = as_of or datetime.now(UTC)
    ended = {
        each.decision.id
        for each in judged(against(settings, snapshots, now), looked=True)
        if each.decision.ends_at <= now and each.findings == 0 and each.state in {"unused", "kept"}
    }
    archive = target.with_name("waivers-archive.toml")
    place, archive_place = file_can_be_written(target, "--from"), file_can_be_written(archive, "--from")
    if not (place.is_file and archive_place.is_file) or not target.exists():
        raise UsageError(f"--from: {target} is no file that decisions are kept in; name a file")
    before = target.read_bytes().decode()
    try:
        after, moved, text = remove_decisions(before, ended)
    except ValueError as error:
        raise UsageError(f"{target}: {error}") from None
    if moved and not dry_run:
        kept = archive.read_bytes().decode() if archive.exists() else ""
        with write_file(archive, edited=True) as file:
            file.write(f"{kept}{text}".encode())
        with write_file(target, edited=True) as file:
            file.write(after.encode())
    verb = "Would move" if dry_run else "Moved"
    print_lines(f"{verb} {count(len(moved), 'decision', 'decisions')} from {target} to {archive}.")
    print_lines(*(f"  {one_line(each, 60)}" for each in moved))


@waivers.command()
@click.argument("snapshots", nargs=-1, type=FILE, metavar="[SNAPSHOT]...")
@config_option
@as_of_option
@shape_option
def check(snapshots: tuple[Path, ...], config: Path | None, as_of: datetime | None, shape: str) -> ExitCode:
    """Report decisions that are expired, unused, overdue or about to end.

    With snapshots, their tokens are evaluated: a waiver that matches no finding is unused, a plan whose findings are
    resolved is kept, and both are no longer expired or overdue. Without snapshots, decisions are checked only by
    date and by the organizations of the configuration.

    Exit codes: 0 every decision is valid, possibly about to end; 1 a decision is expired, unused or overdue;
    2 usage or configuration error.
    """
    settings = configured(config)
    decisions = against(settings, snapshots, as_of or datetime.now(UTC)) if snapshots else dated(settings, as_of)
    told = {*ASKS, "expiring", "pending"}
    asking = [each for each in judged(decisions, looked=bool(snapshots)) if each.state in told]
    many = len(settings.waivers) + len(settings.plans)
    tell(asking, shape, nothing=f"{count(many, 'decision', 'decisions')}; none needs attention.")
    return ExitCode.VIOLATIONS if any(each.state in ASKS for each in asking) else ExitCode.OK


@waivers.command("import")
@click.argument("workbooks", nargs=-1, required=True, type=FILE, metavar="WORKBOOK...")
@click.option(
    "--into",
    type=FILE,
    metavar="FILE",
    help="TOML file of the decisions; created if it does not exist. Default: [policy] waivers_file.",
)
@config_option
@click.option(
    "--rejected",
    type=FILE,
    metavar="FILE.xlsx",
    help="Write the rejected rows here, with the mistake beside each; correct them there and import that file.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done; write nothing.")
def import_waivers(
    workbooks: tuple[Path, ...], into: Path | None, config: Path | None, rejected: Path | None, *, dry_run: bool
) -> ExitCode:
    """Import the Decision columns of Excel reports into a file, as waivers and plans.

    The file keeps its order, comments and IDs; a decision that changed in the workbook is changed in place. A row that
    is incomplete, or that [policy] approvers and max_waiver_days do not allow, is rejected, and the others are
    written. To withdraw a decision, remove it from the file, not from the workbook.

    Exit codes: 0 all rows were imported; 1 a row was rejected; 2 usage, configuration or workbook error: nothing was
    written.
    """
    settings = configured(config, waivers_file_needed=False)
    target = into or settings.policy.waivers_file
    if target is None:
        raise UsageError("--into: name the file to write into, or set [policy] waivers_file")
    place = file_can_be_written(target, "--into")
    if not place.is_file:
        raise UsageError(f"--into: {target} is not a regular file; name a file for the decisions")
    rows = [row for workbook in dict.fromkeys(workbooks) for row in read_typed_rows(workbook, today())]
    before, elsewhere = standing(target, settings)
    try:
        after, done = import_rows(before, rows, settings.policy, today(), elsewhere)
    except ValueError as error:
        raise UsageError(f"{target}: {error}") from None
    if after != before and not dry_run:
        with write_file(target, edited=True) as file:
            file.write(after.encode())
    for refusal in done.refused:
        print_lines(f"credly-audit: {refusal}", err=True)
    if rejected is not None and done.rejected:
        write_rejected(rejected, rows, done.rejected)
    print_lines(said(done, target, dry_run=dry_run))
    print_lines(*(f"  added {one_line(each, 60)}" for each in done.added))
    print_lines(*(f"  changed {one_line(each, 60)}" for each in done.changed))
    if after != before and not is_read(target, settings):
        print_lines(f"No audit reads {target} yet: set [policy] waivers_file to it.")
    return ExitCode.VIOLATIONS if done.refused else ExitCode.OK


def configured(config: Path | None, *, waivers_file_needed: bool = True) -> Settings:
    """Return the settings of the file; the defaults where there is no file and none was named."""
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    if path is None:
        return Settings()
    return load(path, os.environ, for_collecting=False, waivers_file_needed=waivers_file_needed)


def today() -> date:
    """Return the day of an import, in UTC."""
    return datetime.now(UTC).date()


def dated(settings: Settings, as_of: datetime | None) -> Decisions:
    """Return the decisions as their dates say."""
    known = {each.id.lower() for each in settings.organizations}
    next_audit = Policy(settings.policy).next_audit
    return classify_by_calendar(
        settings.waivers, settings.plans, known, as_of=as_of or datetime.now(UTC), next_audit=next_audit
    )


def against(settings: Settings, snapshots: Sequence[Path], as_of: datetime) -> Decisions:
    """Return the decisions as an audit of the snapshots finds them, without the token values in their texts."""
    snapshot, fingerprints = read_snapshots(snapshots, settings, os.environ)
    own = redact_own_texts(Policy.of(settings), PLAIN, settings, make_redactor(snapshot, fingerprints))
    print_lines(*(f"credly-audit: {sentence}" for sentence in own.found), err=True)
    return evaluate(snapshot, own.policy, Gate(), catalogue(), as_of=as_of).decisions


def judged(decisions: Decisions, *, looked: bool) -> Iterator[Judged]:
    """Risk acceptances and remediation plans in one list, as they were written."""
    for waiver in decisions.waivers:
        yield Judged(waiver.waiver, "waiver", waiver.state, waiver.findings if looked else None)
    for plan in decisions.plans:
        yield Judged(plan.plan, "plan", plan.state, plan.findings if looked else None)


def tell(found: list[Judged], shape: str, nothing: str = "No waiver and no plan.") -> None:
    """Print them, a line each or as one JSON object."""
    if shape == "json":
        print_json(json.dumps({"decisions": [as_json(each) for each in found]}, indent=1, ensure_ascii=False))
        return
    for each in found:
        print_lines(*as_text(each))
    if not found:
        print_lines(nothing)


def as_text(each: Judged) -> tuple[str, ...]:
    """`expired: waiver W-7 (PRM001 of Acme …)`, then its reason."""
    decision = each.decision
    state = (ASKS | ALL)[each.state]
    about = f"{decision.rule}, organization {decision.organization}"
    about += f", token {decision.token}" if decision.token else ""
    covers = "" if each.findings is None else f", {count(each.findings, 'finding', 'findings')}"
    begins = f"from {decision.approved_on} " if each.state == "pending" else ""
    ends = f"holds {begins}until" if each.kind == "waiver" else f"promised {begins}by"
    return (
        f"{each.kind} {one_line(decision.id, 60)}: {state}; {ends} {decision.last_day}{covers}",
        f"  {about}",
        f"  {one_line(decision.by, 60)}, {decision.approved_on}: {one_line(decision.reason)}",
    )


def as_json(each: Judged) -> dict[str, Any]:
    """What is known of a decision; dates as ISO 8601."""
    said = {"kind": each.kind, "state": each.state, "findings": each.findings}
    return said | each.decision.model_dump(mode="json")


def standing(target: Path, settings: Settings) -> tuple[str, list[Decision]]:
    """The target's text, empty where there is no such file, and what the configuration decides elsewhere."""
    every: list[Decision] = [*settings.waivers, *settings.plans]
    if not target.exists():
        return "", every
    if same_file(target, settings.file):
        own = settings.policy.waivers_file
        theirs = read_decisions(own, settings.policy) if own is not None and own.exists() else ((), ())
        return target.read_bytes().decode(), [decision for decisions in theirs for decision in decisions]
    here = {decision.id for decisions in read_decisions(target, settings.policy) for decision in decisions}
    return target.read_bytes().decode(), [each for each in every if each.id not in here]


def is_read(target: Path, settings: Settings) -> bool:
    """Whether an audit by this configuration reads the decisions of a file."""
    own = settings.policy.waivers_file
    return same_file(target, settings.file) or (own is not None and same_file(target, own))


def same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, there or not."""
    return one.resolve() == other.resolve()


def said(done: Import, target: Path, *, dry_run: bool) -> str:
    """What an import did, in a line."""
    verb = "Would write" if dry_run else "Wrote"
    rows = count(len(done.refused), "row", "rows")
    refused = f"; {rows} refused, named above" if done.refused else ""
    stood = f"; {number(done.unchanged)} already there" if done.unchanged else ""
    if not (done.added or done.changed):
        return f"Nothing new for {target}{stood}{refused}."
    return f"{verb} {target}: {number(len(done.added))} added, {number(len(done.changed))} changed{stood}{refused}."
