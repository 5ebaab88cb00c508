"""What `rotate` and `create` share: their options, agreement, `--then`, and the report."""

import logging
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click

from credly_audit.cli.logs import is_json
from credly_audit.cli.options import FOLDER, break_lock_option, config_option, talk_options, together
from credly_audit.cli.screen import print_json, print_lines
from credly_audit.config.credentials import make_fingerprints, resolve_proxy, warn_of_password
from credly_audit.config.settings import Settings
from credly_audit.credly.host import Host
from credly_audit.errors import CannotWrite, ExitCode, Interrupted, UsageError
from credly_audit.files.paths import working_folder
from credly_audit.files.streams import trouble_of
from credly_audit.files.writing import written_whole
from credly_audit.lifecycle import report
from credly_audit.lifecycle.journal import emergency_folder, must_hold_copies
from credly_audit.lifecycle.outcome import Outcome, exit_code_of
from credly_audit.lifecycle.prepare import Plan
from credly_audit.lifecycle.request import TaskMaker, Wanted
from credly_audit.lifecycle.run import Campaign
from credly_audit.lifecycle.tasks import Patience, Then
from credly_audit.secrets import is_reference, list_built_in_forms
from credly_audit.secrets.redaction import looks_like_a_value
from credly_audit.secrets.sources.program import ProgramSource, run_to_end
from credly_audit.text import count

log = logging.getLogger(__name__)


class Span(click.ParamType[timedelta]):
    """So many days: `35d`."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """A number of days."""
        if isinstance(value, timedelta):
            return value
        days = re.fullmatch(r"(\d{1,5})d?", value, re.ASCII)
        if days is None:
            self.fail(f"{value!r} is no number of days; write 35d", param, ctx)
        return timedelta(days=int(days[1]))


lifecycle_options = together(
    config_option,
    click.option(
        "--credential",
        metavar="REF",
        help=f"Another token of the organization: {list_built_in_forms()}.",
    ),
    click.option(
        "--read-back",
        metavar="REF|none",
        help="Where the stored value must be readable in the end, for up to 60 s; {id} is filled in.",
    ),
    click.option(
        "--then",
        metavar="exec:COMMAND",
        help="Run when the new value is stored and proved; it never gets the value.",
    ),
    click.option(
        "--emergency-dir",
        type=FOLDER,
        help="Where a value goes that the store did not take; by default the user's state directory.",
    ),
    break_lock_option,
    click.option("--dry-run", is_flag=True, help="Ask nothing but GETs, write nothing."),
    click.option("--yes", is_flag=True, help="Do not ask; needed off a terminal."),
    click.option("--format", "shape", type=click.Choice(["text", "json"]), default="text", show_default=True),
    talk_options,
)

PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Order:
    """How it is to be done, as the options say it."""

    then: str | None
    emergency_dir: Path | None
    break_lock: bool
    dry_run: bool
    yes: bool
    shape: str
    quiet: bool

    def __post_init__(self) -> None:
        """UsageError for what cannot be meant."""
        if self.then is not None and not (self.then.startswith("exec:") and is_reference(self.then)):
            raise UsageError("--then: write exec:COMMAND")
        if not (self.yes or self.dry_run or (sys.stdin.isatty() and sys.stderr.isatty())):
            raise UsageError(
                "this changes tokens at Credly: say --yes off a terminal, or --dry-run to see what it would do"
            )

    def carry_out(
        self,
        settings: Settings,
        wanted: Wanted,
        *,
        due: timedelta | None = None,
        judged: Callable[[Outcome], Outcome] = lambda outcome: outcome,
    ) -> ExitCode:
        """Do it in the documented order, and tell of it; Interrupted, after that, where somebody wanted to stop."""
        began = datetime.now(UTC)
        settings, written = resolve_proxy(settings, os.environ), settings
        many = count(len(settings.organizations), "organization", "organizations")
        log.info("Asking %s for %s", Host.of(settings.api).way, many)
        warn_of_password(written)
        fingerprints = make_fingerprints(settings, os.environ)
        if wanted.description and looks_like_a_value(wanted.description):
            raise UsageError("--description holds what looks like a token's value: everybody who may list reads it")
        maker = TaskMaker(settings, wanted, fingerprints, os.environ)
        tasks = maker.tasks()
        then = self._then()
        emergency = emergency_folder(self.emergency_dir, os.environ, dry_run=self.dry_run)
        if not self.dry_run:
            must_hold_copies(emergency)
        campaign = Campaign(
            tasks,
            settings.api,
            fingerprints,
            emergency,
            self._agreed,
            due,
            then,
            dry_run=self.dry_run,
            break_lock=self.break_lock,
            patience=PATIENCE,
            again=maker.again,
        )
        result = campaign.run()
        result = replace(result, outcomes=tuple(judged(outcome) for outcome in result.outcomes))
        code = exit_code_of(result.outcomes)
        now = datetime.now(UTC)
        if self.shape == "json":
            text = report.as_json(result, code, began, now)
            _tell(partial(print_json, text), text, emergency)
        elif not (self.quiet and code is ExitCode.OK and not result.left_behind):
            lines = report.as_text(result, now)
            _tell(partial(print_lines, *lines), "\n".join(lines), emergency)
        if result.interrupted:
            raise Interrupted("interrupted: what was begun is finished, the rest was not begun")
        return code

    def _agreed(self, plan: Plan) -> bool:
        announced = report.announced(plan, datetime.now(UTC))
        if self.yes:
            for line in announced:
                log.info("%s", line)
            return True
        print_lines(*announced, err=True)
        return click.confirm("Go on?", err=True)

    def _then(self) -> Then | None:
        if self.then is None:
            return None
        command = ProgramSource().store(self.then.partition(":")[2], working_folder(), os.environ)
        command.check()

        def then(outcome: Outcome) -> None:
            told = {
                "CREDLY_AUDIT_ORGANIZATION": outcome.organization_id,
                "CREDLY_AUDIT_TOKEN_ID": outcome.token_id or "",
                "CREDLY_AUDIT_STATE": str(outcome.state),
            }
            run_to_end(command.words, command.folder, {**os.environ, **told})

        return then


def _tell(write: Callable[..., None], text: str, emergency: Path) -> None:
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
        with suppress(CannotWrite), written_whole(emergency / name) as file:
            file.write(f"{text}\n".encode())
