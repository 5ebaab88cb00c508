"""`create`: a new token beside the old one, its permissions judged at once."""

from datetime import timedelta
from pathlib import Path

import click

from credly_audit.cli.lifecycle import Days, carry_out, lifecycle_options
from credly_audit.cli.logs import start_log
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import ExitCode
from credly_audit.lifecycle.request import Request
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
@click.option(
    "--description",
    metavar="TEXT",
    help="What the token is for and who owns it; required unless --replaces takes the old token's.",
)
@click.option("--replaces", metavar="TOKEN_ID", help="The token that the new one replaces: open a succession.")
@click.option("--replaces-due", type=Days(), metavar="DAYS", help="When its consumers must have switched; default 35d.")
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
    description: str | None,
    replaces: str | None,
    replaces_due: timedelta | None,
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
    request = Request(
        action="create",
        config=config or DEFAULT_CONFIG,
        organizations=(organization,),
        credential=credential,
        store=store,
        read_back=read_back,
        description=description,
        replaces=replaces,
        replaces_due=replaces_due,
        then=then,
        emergency_dir=emergency_dir,
        fail_on=fail_on,
        break_lock=break_lock,
        dry_run=dry_run,
    )
    return carry_out(request, yes=yes, shape=shape, quiet=quiet)
