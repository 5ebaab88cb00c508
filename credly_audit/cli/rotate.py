"""`rotate`: new values for tokens, one after another, each into its store before anything else is tried with it."""

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
@click.option("--organization", "organizations", multiple=True, metavar="ID", help="Rotate its token; repeatable.")
@click.option("--due", type=Days(), help="Only tokens that expire within so many days: 35d.")
@click.option(
    "--store",
    metavar="REF",
    help=f"Where the new value goes: {list_built_in_forms('store')}; a command gets it on its standard input.",
)
@click.option("--description", metavar="TEXT", help="A new description; else the token keeps its own.")
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
    """Rotate tokens: Credly gives a new value, and the old one is dead at once.

    Those of the organizations named, or the token of one of them that --credential refers to, or else those of the
    organizations marked `rotate = true` that are due. Whoever uses a token stands still until they have the new value;
    for a change without that gap use `create`.

    Exit codes: 0 all rotated, or nothing due; 1 some unchanged; 2 usage, configuration or store, nothing was done;
    3 a person must act; 4 unexpected error; 130 interrupted.
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
