"""`succession`: tokens that are being replaced, and the consumers that still have to switch."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from credly_audit.audit.succession_model import Succession, SuccessionState
from credly_audit.cli.logs import start_log
from credly_audit.cli.options import FOLDER, config_option, together
from credly_audit.cli.screen import print_json, print_lines
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import ExitCode
from credly_audit.files.locks import hold_locks
from credly_audit.lifecycle.outcome_report import describe_succession
from credly_audit.lifecycle.succession_records import succession_lock
from credly_audit.operations.succession_book import SuccessionBook
from credly_audit.text import count, distance, in_columns, one_line, spoken_day

shape_option = click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True)
common_options = together(
    config_option,
    click.option(
        "--emergency-dir",
        type=FOLDER,
        help="Folder of successions that are not in the history yet. Default: the user's state directory.",
    ),
)
OUTCOMES = {
    SuccessionState.CONFIRMED: "every consumer is confirmed: delete the old token in Credly's web page",
    SuccessionState.CLOSED: "the old token is removed",
    SuccessionState.ABANDONED: "abandoned",
}


@click.group()
def succession() -> None:
    """Track tokens that are being replaced (`create --replaces`) and the switch of their consumers."""
    start_log(quiet=False, verbose=False, log_format="text")


@succession.command("list")
@common_options
@click.option("--all", "with_finished", is_flag=True, help="Include closed and abandoned ones.")
@shape_option
def list_successions(config: Path | None, emergency_dir: Path | None, *, with_finished: bool, shape: str) -> None:
    """List the unfinished successions, oldest first."""
    found = [
        each
        for each in SuccessionBook.open(config or DEFAULT_CONFIG, emergency_dir).records.load()
        if with_finished or each.is_unfinished
    ]
    if shape == "json":
        print_json(json.dumps({"successions": [describe_succession(each) for each in found]}, indent=2))
        return
    now = datetime.now(UTC)
    heads = ("Succession", "Organization", "Old token", "New token", "State", "Due", "Waiting for")
    table = [
        (
            each.id,
            one_line(each.organization_name, 40),
            each.old_token_id,
            each.new_token_id,
            each.state.value,
            f"{spoken_day(each.due_at)} ({distance(each.due_at, now)})" if each.is_unfinished else "-",
            one_line(", ".join(switch.consumer for switch in each.waiting), 60) or "-",
        )
        for each in found
    ]
    print_lines(*in_columns(heads, table)) if table else print_lines("No succession is unfinished.")


@succession.command()
@common_options
@click.argument("succession_id", metavar="SUCCESSION")
@shape_option
def show(config: Path | None, emergency_dir: Path | None, succession_id: str, shape: str) -> None:
    """Show one succession: its tokens, its consumers, and what is left to do."""
    found = SuccessionBook.open(config or DEFAULT_CONFIG, emergency_dir).find(succession_id)
    if shape == "json":
        print_json(json.dumps(describe_succession(found), indent=2))
        return
    print_lines(*describe(found, datetime.now(UTC)))


@succession.command()
@common_options
@click.argument("succession_id", metavar="[SUCCESSION]", required=False)
@click.option("--consumer", required=True, metavar="NAME", help="The consumer that works with the new token, or `all`.")
def confirm(config: Path | None, emergency_dir: Path | None, succession_id: str | None, consumer: str) -> ExitCode:
    """Confirm that a consumer works with the new token; a configured `verify` program must agree.

    SUCCESSION can be omitted if only one unfinished succession has that consumer. Exit code 1: `verify` failed, and
    nothing was confirmed.
    """
    book = SuccessionBook.open(config or DEFAULT_CONFIG, emergency_dir)
    found = book.find_with_consumer(succession_id, consumer)
    with hold_locks([succession_lock(found.organization_id, found.old_token_id)]):
        found, troubles = book.confirm(book.find(found.id), consumer)
    for name, trouble in troubles.items():
        print_lines(f"{one_line(name, 100)}: not confirmed: verify: {one_line(trouble, 300)}")
    print_lines(*describe(found, datetime.now(UTC)))
    return ExitCode.VIOLATIONS if troubles else ExitCode.OK


@succession.command()
@common_options
@click.argument("succession_id", metavar="SUCCESSION")
def abandon(config: Path | None, emergency_dir: Path | None, succession_id: str) -> None:
    """Abandon a succession: both tokens stay as they are and are no longer tracked."""
    book = SuccessionBook.open(config or DEFAULT_CONFIG, emergency_dir)
    found = book.find(succession_id)
    with hold_locks([succession_lock(found.organization_id, found.old_token_id)]):
        found = book.find(found.id)
        book.require_unfinished(found)
        book.records.save(found.end(SuccessionState.ABANDONED, datetime.now(UTC)))
    print_lines(
        f"Succession {found.id} was abandoned. Both tokens stay valid: delete {found.new_token_id} or "
        f"{found.old_token_id}, whichever no consumer uses, in Credly's web page."
    )


def describe(found: Succession, now: datetime) -> list[str]:
    """Return a succession in lines: its tokens, its consumers, and what is left to do."""
    due = f"{spoken_day(found.due_at)} ({distance(found.due_at, now)})"
    next_step = OUTCOMES.get(found.state, f"{count(len(found.waiting), 'consumer is', 'consumers are')} not confirmed")
    switches = [
        (
            f"  {one_line(each.consumer, 60)}",
            each.state.value,
            "-" if each.at is None else spoken_day(each.at),
            one_line(each.contact or "-", 60),
            one_line(each.reason or "-", 200),
        )
        for each in found.switches
    ]
    return [
        f"Succession {found.id} of {one_line(found.organization_name, 60)}: {found.state.value}, {next_step}.",
        f"  old token {found.old_token_id}, new token {found.new_token_id} in {one_line(found.store, 200)}",
        f"  opened {spoken_day(found.opened_at)}" + (f", due {due}" if found.is_unfinished else ""),
        *in_columns(("  Consumer", "State", "Since", "Contact", "Reason"), switches),
    ]
