"""`leaks`: search files, archives and git histories for the values of inventoried tokens."""

import os
import sys
from pathlib import Path

import click

from credly_audit.cli.logs import print_summary, start_log
from credly_audit.cli.options import FILE, LocalPath, config_option, talk_options
from credly_audit.cli.screen import print_json
from credly_audit.errors import ExitCode
from credly_audit.files.destinations import file_can_be_written
from credly_audit.files.writing import write_file
from credly_audit.operations.search_leaks import LeakOptions, search_leaks


@click.command()
@click.argument("paths", nargs=-1, required=True, type=LocalPath(path_type=Path), metavar="PATH|-...")
@click.option(
    "--snapshot",
    "snapshots",
    multiple=True,
    type=FILE,
    help="Snapshot with the tokens to search for; repeatable. Default: the newest one in reports/.",
)
@config_option
@click.option("--git", is_flag=True, help="Also search the history of each git repository at the paths.")
@click.option("--respect-gitignore", is_flag=True, help="Skip the files of folders that git ignores.")
@click.option("--format", "shape", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@click.option(
    "-o",
    "--output",
    type=FILE,
    help="Write the JSON or SARIF report to this file, and the text to standard output.",
)
@talk_options
def leaks(
    *,
    paths: tuple[Path, ...],
    snapshots: tuple[Path, ...],
    config: Path | None,
    git: bool,
    respect_gitignore: bool,
    shape: str,
    output: Path | None,
    quiet: bool,
    verbose: bool,
    no_color: bool,
    log_format: str,
) -> ExitCode:
    """Search files, folders, archives and standard input for the values of inventoried tokens.

    Values are recognized by their fingerprints in a snapshot; none is stored or printed. The path - is standard input.
    A keyed snapshot needs the configuration with its fingerprint key.

    Exit codes: 0 no value was found; 1 a value was found; 2 nothing could be searched for; 3 something could not be
    read.
    """
    start_log(quiet=quiet, verbose=verbose, log_format=log_format)
    if output and shape == "text":
        raise click.UsageError("--output needs --format json or --format sarif")
    if output:
        file_can_be_written(output, "--output")
    options = LeakOptions(paths=paths, snapshots=snapshots, config=config, git=git, respect_gitignore=respect_gitignore)
    report = search_leaks(options, sys.stdin.buffer, os.environ)
    code = report.exit_code
    if (shape == "text" or output) and (code or not quiet):
        print_summary(*report.describe(), stream=sys.stdout, no_color=no_color, exit_code=int(code))
    if shape != "text":
        document = report.to_json() if shape == "json" else report.to_sarif()
        if output:
            with write_file(output) as file:
                file.write(document)
        else:
            print_json(document.decode().rstrip())
    return code
