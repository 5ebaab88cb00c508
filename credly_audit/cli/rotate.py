"""`rotate`: new values for tokens, one after another, each into its store before anything else is tried with it."""

from datetime import timedelta
from pathlib import Path

import click

from credly_audit.cli.lifecycle import carry_out, lifecycle_options
from credly_audit.cli.logs import start_log
from credly_audit.cli.options import Days
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import ExitCode
from credly_audit.lifecycle.request import Request
from credly_audit.secrets import list_built_in_forms


@click.command()
@lifecycle_options
@click.option(
    "--organization",
    "organizations",
    multiple=True,
    metavar="ID",
    help="Rotate the token of this organization, due or not; repeatable.",
)
@click.option("--due", type=Days(), help="Rotate only tokens that expire within this many days, such as 35d.")
@click.option(
    "--store",
    metavar="REF",
    help=f"Where to store the new value: {list_built_in_forms('store')}; a command reads it on standard input.",
)
@click.option("--description", metavar="TEXT", help="New description. Default: unchanged.")
def rotate(
    *,
    config: Path | None,
    organizations: tuple[str, ...],
    credential: str | None,
    due: timedelta | None,
    store: str | None,
    read_back: str | None,
    description: str | None,
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
    """Rotate tokens: Credly issues a new value, and the old one stops working at once.

    Without --organization, rotates the tokens that are due of the organizations with `rotate = true`. Integrations
    that use a token are interrupted until they have the new value; `create --replaces` replaces a token without an
    interruption.

    Exit codes: 0 all rotated, or none due; 1 some unchanged; 2 usage, configuration or store error, nothing was
    changed; 3 a person must act; 4 unexpected error; 130 interrupted.
    """
    start_log(quiet=quiet, verbose=verbose, log_format=log_format)
    request = Request(
        action="rotate",
        config=config or DEFAULT_CONFIG,
        organizations=organizations,
        credential=credential,
        store=store,
        read_back=read_back,
        description=description,
        due=due,
        then=then,
        emergency_dir=emergency_dir,
        break_lock=break_lock,
        dry_run=dry_run,
    )
    return carry_out(request, yes=yes, shape=shape, quiet=quiet)
