"""What `rotate` and `create` share: their options, asking for agreement, and printing the report."""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from credly_audit.cli.logs import is_json
from credly_audit.cli.options import FOLDER, break_lock_option, config_option, talk_options, together
from credly_audit.cli.screen import print_json, print_lines
from credly_audit.errors import CannotWrite, ExitCode, Interrupted, UsageError
from credly_audit.files.streams import trouble_of
from credly_audit.files.writing import replace_file
from credly_audit.lifecycle import outcome_report, run_request
from credly_audit.lifecycle.request import Request
from credly_audit.lifecycle.run_request import Agree
from credly_audit.lifecycle.tasks import Task
from credly_audit.secrets import list_built_in_forms

log = logging.getLogger(__name__)


lifecycle_options = together(
    config_option,
    click.option(
        "--credential",
        metavar="REF",
        help=f"Use another token of the organization: {list_built_in_forms()}.",
    ),
    click.option(
        "--read-back",
        metavar="REF|none",
        help="Where to read the stored value back, within 60 s; {id} is replaced by the organization's ID.",
    ),
    click.option(
        "--then",
        metavar="exec:COMMAND",
        help="Command to run when the new value is stored and verified; it never receives the value.",
    ),
    click.option(
        "--emergency-dir",
        type=FOLDER,
        help="Folder for a value that could not be stored. Default: the user's state directory.",
    ),
    break_lock_option,
    click.option("--dry-run", is_flag=True, help="Send only GET requests and write nothing."),
    click.option("--yes", is_flag=True, help="Skip confirmation (required when not interactive)."),
    click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True),
    talk_options,
)


def ask(request: Request, *, yes: bool) -> Agree:
    """Return what asks a person to agree; UsageError where no one is there to ask and `--yes` is missing."""
    if not (yes or request.dry_run or (sys.stdin.isatty() and sys.stderr.isatty())):
        raise UsageError(
            "this changes tokens at Credly: confirm with --yes when not interactive, or preview with --dry-run"
        )

    def agree(ahead: Sequence[Task]) -> bool:
        announced = outcome_report.announce(ahead, datetime.now(UTC))
        if yes:
            for line in announced:
                log.info("%s", line)
            return True
        print_lines(*announced, err=True)
        return click.confirm("Continue?", err=True)

    return agree


def carry_out(request: Request, *, yes: bool, shape: str, quiet: bool) -> ExitCode:
    """Carry the request out and print the report; Interrupted, after that, where it was interrupted."""
    began = datetime.now(UTC)
    done = run_request.carry_out(request, os.environ, ask(request, yes=yes))
    now = datetime.now(UTC)
    if shape == "json":
        text = outcome_report.format_json(done, began, now)
        print_safely(partial(print_json, text), text, done.emergency)
    elif not (quiet and done.exit_code is ExitCode.OK and not done.left_behind):
        lines = outcome_report.format_text(done, now)
        print_safely(partial(print_lines, *lines), "\n".join(lines), done.emergency)
    if done.interrupted:
        raise Interrupted("interrupted: what was begun is finished, the rest was not begun")
    return done.exit_code


def print_safely(write: Callable[..., None], text: str, emergency: Path) -> None:
    """Print the report; where standard output does not take it, on standard error, and else in the emergency folder.

    It may be all that is known of a token.
    """
    write()
    if trouble_of(sys.stdout) is None:
        return
    if is_json():
        for line in text.splitlines():
            log.warning(line)
    else:
        write(err=True)
    if trouble_of(sys.stderr) is not None:
        name = f"outcome-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}.txt"
        with suppress(CannotWrite), replace_file(emergency / name) as file:
            file.write(f"{text}\n".encode())
