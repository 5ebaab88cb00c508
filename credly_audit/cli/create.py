"""`create`: create a token and evaluate its permissions at once."""

from datetime import timedelta
from pathlib import Path

import click

from credly_audit.cli.lifecycle import carry_out, lifecycle_options
from credly_audit.cli.logs import start_log
from credly_audit.cli.options import Days
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import ExitCode
from credly_audit.lifecycle.request import LIMIT, Request
from credly_audit.secrets import list_built_in_forms


@click.command()
@lifecycle_options
@click.option(
    "--organization",
    "organizations",
    multiple=True,
    metavar="ID",
    help="Organization of the new token; repeatable with --for-expired (default: all).",
)
@click.option(
    "--store",
    metavar="REF",
    help=f"Where to store the value: {list_built_in_forms('store')}; a command reads it on standard input. Required "
    "unless --for-expired uses the store of the expired token.",
)
@click.option(
    "--description",
    metavar="TEXT",
    help="Purpose and owner of the token; required unless --replaces or --for-expired takes the old token's.",
)
@click.option("--replaces", metavar="TOKEN_ID", help="The token that the new one replaces; starts a succession.")
@click.option(
    "--replaces-due", type=Days(), metavar="DAYS", help="Days within which its consumers must switch. Default: 35d."
)
@click.option(
    "--for-expired",
    is_flag=True,
    help="Replace each token that has expired in its store, with another credential.",
)
@click.option(
    "--tag",
    "tags",
    multiple=True,
    metavar="TAG",
    help="With --for-expired: only organizations with this tag; `*` matches any characters; repeatable.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"With --for-expired: create at most this many tokens. Default: {LIMIT}.",
)
@click.option(
    "--fail-on",
    multiple=True,
    metavar="SEVERITY|RULE|FAMILY|never",
    help="Findings of the new token that make the command fail (exit 1); repeatable. Default: the configuration's.",
)
def create(
    *,
    config: Path | None,
    organizations: tuple[str, ...],
    credential: str | None,
    store: str,
    read_back: str | None,
    description: str | None,
    replaces: str | None,
    replaces_due: timedelta | None,
    for_expired: bool,
    tags: tuple[str, ...],
    limit: int | None,
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
    """Create a token with the organization's credential (or --credential), which needs write permission.

    No other token changes: switch to the new one, then delete the old one in Credly's web page. Credly decides the
    permissions of a new token, so they are evaluated and reported at once.

    With --for-expired, finds the organizations whose token has expired in its store and creates for each, with its
    fallback_token or OAuth application, a token with the same description in the same store.

    Exit codes: 0 created; 1 not created, or the new token violates --fail-on; 2 usage, configuration or store error,
    nothing was changed; 3 a person must act; 4 unexpected error; 130 interrupted.
    """
    start_log(quiet=quiet, verbose=verbose, log_format=log_format)
    request = Request(
        action="create",
        config=config or DEFAULT_CONFIG,
        organizations=organizations,
        credential=credential,
        store=store,
        read_back=read_back,
        description=description,
        replaces=replaces,
        replaces_due=replaces_due,
        for_expired=for_expired,
        tags=tags,
        limit=limit,
        then=then,
        emergency_dir=emergency_dir,
        fail_on=fail_on,
        break_lock=break_lock,
        dry_run=dry_run,
    )
    return carry_out(request, yes=yes, shape=shape, quiet=quiet)
