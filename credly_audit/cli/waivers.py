"""`waivers`: what was decided, whether it still holds, and what the security team typed into the Excel report."""

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from credly_audit.cli.options import FILE, Instant, config_option
from credly_audit.cli.screen import print_json, print_lines, print_warning
from credly_audit.errors import ExitCode
from credly_audit.operations.check_decisions import (
    NEED_ATTENTION,
    CheckedDecision,
    check_decisions,
    load_decision_settings,
)
from credly_audit.operations.edit_decisions import ImportOptions, PruneOptions, import_decisions, prune_decisions
from credly_audit.policy.import_decisions import Import
from credly_audit.text import count, number, one_line

STATES = {
    "expired": "expired",
    "unused": "matches no finding",
    "overdue": "overdue",
    "refused": "refused: approved by the owner of the findings",
    "expiring": "expires before the next audit",
    "active": "in force",
    "pending": "not yet in force",
    "open": "open",
    "kept": "kept: its findings are resolved",
    "unjudged": "not assessed: its organization is incomplete",
}
"""The states in words, those first that need attention."""

shape_option = click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
as_of_option = click.option(
    "--as-of", type=Instant(), metavar="DATE-OR-TIMESTAMP", help="Evaluate as of this instant. Default: now."
)


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
    checked = check_decisions(load_decision_settings(config, os.environ), (), as_of, os.environ, print_warning)
    print_decisions(checked.select(expired=expired, soon=soon), shape)


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
    pruned = prune_decisions(PruneOptions(snapshots, source, config, as_of, dry_run), os.environ, print_warning)
    verb = "Would move" if dry_run else "Moved"
    print_lines(f"{verb} {count(len(pruned.moved), 'decision', 'decisions')} from {pruned.target} to {pruned.archive}.")
    print_lines(*(f"  {one_line(each, 60)}" for each in pruned.moved))


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
    settings = load_decision_settings(config, os.environ)
    checked = check_decisions(settings, snapshots, as_of, os.environ, print_warning)
    asking = [each for each in checked.decisions if each.state in {*NEED_ATTENTION, "expiring", "pending"}]
    many = len(settings.waivers) + len(settings.plans)
    print_decisions(asking, shape, nothing=f"{count(many, 'decision', 'decisions')}; none needs attention.")
    return ExitCode.VIOLATIONS if any(each.state in NEED_ATTENTION for each in asking) else ExitCode.OK


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
    options = ImportOptions(workbooks, into, config, rejected, dry_run)
    imported = import_decisions(options, os.environ, print_warning)
    done = imported.done
    print_lines(describe_import(done, imported.target, dry_run=dry_run))
    print_lines(*(f"  added {one_line(each, 60)}" for each in done.added))
    print_lines(*(f"  changed {one_line(each, 60)}" for each in done.changed))
    if imported.unread:
        print_lines(f"No audit reads {imported.target} yet: set [policy] waivers_file to it.")
    return ExitCode.VIOLATIONS if done.refused else ExitCode.OK


def print_decisions(found: Sequence[CheckedDecision], shape: str, nothing: str = "No waiver and no plan.") -> None:
    """Print them, a line each or as one JSON object."""
    if shape == "json":
        print_json(json.dumps({"decisions": [format_json(each) for each in found]}, indent=1, ensure_ascii=False))
        return
    for each in found:
        print_lines(*format_text(each))
    if not found:
        print_lines(nothing)


def format_text(each: CheckedDecision) -> tuple[str, ...]:
    """Return `expired: waiver W-7 (PRM001 of Acme …)`, then its reason."""
    decision = each.decision
    state = STATES[each.state]
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


def format_json(each: CheckedDecision) -> dict[str, Any]:
    """Return what is known of a decision; dates as ISO 8601."""
    said = {"kind": each.kind, "state": each.state, "findings": each.findings}
    return said | each.decision.model_dump(mode="json")


def describe_import(done: Import, target: Path, *, dry_run: bool) -> str:
    """Return what an import did, in a line."""
    verb = "Would write" if dry_run else "Wrote"
    rows = count(len(done.refused), "row", "rows")
    refused = f"; {rows} refused, named above" if done.refused else ""
    stood = f"; {number(done.unchanged)} already there" if done.unchanged else ""
    if not (done.added or done.changed):
        return f"Nothing new for {target}{stood}{refused}."
    return f"{verb} {target}: {number(len(done.added))} added, {number(len(done.changed))} changed{stood}{refused}."
