"""`create`: a new token beside the old one, its permissions judged at once."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from credly_audit.audit.gate import checked_gate
from credly_audit.cli.lifecycle import Order, lifecycle_options
from credly_audit.cli.logs import start_log
from credly_audit.cli.options import DEFAULT_CONFIG
from credly_audit.config.load import load
from credly_audit.errors import AuditError, ExitCode, UsageError
from credly_audit.lifecycle.check_created import violations
from credly_audit.lifecycle.outcome import Outcome
from credly_audit.lifecycle.request import Wanted
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.secrets import list_built_in_forms


@click.command()
@lifecycle_options
@click.option("--organization", required=True, metavar="ID", help="Whose token it is to be.")
@click.option(
    "--store",
    required=True,
    metavar="REF",
    help=f"Where the value goes: {list_built_in_forms('store')}; a command gets it on its standard input.",
)
@click.option("--description", required=True, metavar="TEXT", help="What it is for and whose it is.")
@click.option(
    "--fail-on",
    multiple=True,
    metavar="SEVERITY|RULE|FAMILY|never",
    help="What makes the command fail (exit 1) if the new token has it; repeatable. Default: the configuration's.",
)
def create(
    *,
    config: Path | None,
    organization: str,
    credential: str | None,
    store: str,
    read_back: str | None,
    description: str,
    fail_on: tuple[str, ...],
    then: str | None,
    emergency_dir: Path | None,
    break_lock: bool,
    dry_run: bool,
    yes: bool,
    shape: str,
    quiet: bool,
    verbose: bool,
    no_color: bool,  # noqa: ARG001 - nothing here is coloured
    log_format: str,
) -> ExitCode:
    """Make a token with the organization's credential (or --credential), which has to have write permission.

    No other token changes: switch over to the new one, then delete the old one in Credly's web page. Credly decides
    what a new token may do, so its permissions are judged and said at once.

    Exit codes: 0 created; 1 not created, or the new token has what --fail-on names; 2 usage, configuration or store,
    nothing was done; 3 a person must act; 4 unexpected error; 130 interrupted.
    """
    start_log(quiet=quiet, verbose=verbose, log_format=log_format)
    if not description.strip():
        raise UsageError("--description is empty: say what the token is for and whose it is")
    wanted = Wanted("create", credential, store, read_back, description)
    order = Order(then, emergency_dir, break_lock, dry_run, yes, shape, quiet)
    settings = load(config or DEFAULT_CONFIG, os.environ, for_collecting=credential is None).only([organization])
    policy = Policy.of(settings)
    gate = checked_gate(fail_on, list(catalogue()), policy.settings.disable)

    def judged(outcome: Outcome) -> Outcome:
        if outcome.row is None:
            return outcome
        try:
            found = violations(
                outcome.row,
                settings.organizations[0],
                policy,
                gate or settings.policy.fail_on,
                api=settings.api,
                now=datetime.now(UTC),
            )
        except Exception as error:  # noqa: BLE001 - the person must be told of the token all the same
            why = str(error) if isinstance(error, AuditError) else f"{type(error).__name__}; please report it"
            said = f"{outcome.message}; its permissions could not be judged: {why}"
            return replace(outcome, message=said, defect=True)
        return replace(outcome, violations=found)

    return order.carry_out(settings, wanted, judged=judged)
