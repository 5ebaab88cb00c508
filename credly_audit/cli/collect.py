"""`collect`: collect the tokens of every organization into a snapshot, to evaluate later."""

import os
import sys
from pathlib import Path

import click

from credly_audit.cli.logs import print_summary, start_log
from credly_audit.cli.options import (
    FILE,
    config_option,
    organization_option,
    talk_options,
    workers_option,
)
from credly_audit.cli.summary import describe_incomplete
from credly_audit.config.credentials import make_fingerprints, resolve_proxy
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import ExitCode
from credly_audit.files.destinations import file_can_be_written
from credly_audit.operations.collecting import collect_snapshot, load_settings
from credly_audit.text import count, harmless, number


@click.command()
@config_option
@click.option(
    "-o",
    "--output",
    required=True,
    type=FILE,
    metavar="SNAPSHOT",
    help="File to write; an existing one is replaced.",
)
@organization_option
@workers_option
@talk_options
def collect(
    *,
    config: Path | None,
    output: Path,
    organizations: tuple[str, ...],
    workers: int | None,
    quiet: bool,
    verbose: bool,
    no_color: bool,
    log_format: str,
) -> ExitCode:
    """Collect every organization's tokens into a snapshot, which contains no token values.

    Exit codes: 0 every organization is complete; 3 an organization is incomplete.
    """
    start_log(quiet=quiet, verbose=verbose, log_format=log_format)
    settings = load_settings(config or DEFAULT_CONFIG, organizations, workers, os.environ)
    place = file_can_be_written(output, "--output")
    settings = resolve_proxy(settings, os.environ)
    snapshot = collect_snapshot(
        settings,
        make_fingerprints(settings, os.environ),
        os.environ,
        quiet=quiet,
        no_color=no_color,
        subset=bool(organizations),
    )
    snapshot.write(output)
    frame = snapshot.organizations
    hidden = frame[frame["status"] != "complete"]
    if quiet and hidden.empty:
        return ExitCode.OK
    tokens = count(len(snapshot.tokens), "token", "tokens")
    complete = f"{number(len(hidden))} incomplete" if len(hidden) else "all complete"
    incomplete = hidden[["organization_id", "name", "status", "reason"]].to_dict("records")
    code = ExitCode.OK if hidden.empty else ExitCode.INCOMPLETE
    print_summary(
        f"{tokens} of {count(len(frame), 'organization', 'organizations')}, {complete}.",
        *(describe_incomplete(row["name"], row["status"], row["reason"]) for row in incomplete),
        f"Wrote {output}",
        stream=sys.stderr if place.is_standard_output else sys.stdout,
        no_color=no_color,
        exit_code=int(code),
        organizations=len(frame),
        incomplete=incomplete,
        tokens=len(snapshot.tokens),
        files=[harmless(str(output))],
    )
    return code
