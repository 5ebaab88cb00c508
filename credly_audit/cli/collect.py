"""`collect`: the tokens of every organization into a snapshot, to be judged later."""

import os
from functools import partial
from pathlib import Path

import click

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import (
    DEFAULT_CONFIG,
    FILE,
    config_option,
    organization_option,
    talk_options,
    workers_option,
)
from credly_audit.cli.screen import print_lines
from credly_audit.config.credentials import make_fingerprints
from credly_audit.errors import ExitCode
from credly_audit.files.destinations import file_can_be_written
from credly_audit.operations.collecting import begin_log, collect_snapshot, load_settings
from credly_audit.text import count, one_line


@click.command()
@config_option
@click.option(
    "-o",
    "--output",
    required=True,
    type=FILE,
    metavar="SNAPSHOT",
    help="The file to write; an earlier one is replaced.",
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
    """Collect alone: every organization's tokens into one file, without a value in it.

    Exit codes: 0 all was seen; 3 some organization was not fully seen.
    """
    start_log(quiet=quiet, verbose=verbose, log_format=log_format)
    settings = load_settings(config or DEFAULT_CONFIG, organizations, workers, os.environ)
    place = file_can_be_written(output, "--output")
    settings = begin_log(settings, os.environ)
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
    say = partial(print_lines, err=place.is_standard_output)
    say(f"{tokens} of {count(len(frame), 'organization', 'organizations')}, {len(hidden)} not fully seen.")
    for row in hidden.itertuples():
        say(f"  not fully seen: {one_line(row.name, 60)}: {row.status}: {row.reason}")
    say(f"Wrote {output}")
    return ExitCode.OK if hidden.empty else ExitCode.INCOMPLETE
