"""`baseline`: write a report's findings to a file that later runs compare with, without a database."""

from pathlib import Path

import click

from credly_audit.audit.baseline_file import read_report_findings, write_baseline
from credly_audit.cli.options import FILE
from credly_audit.cli.screen import print_lines
from credly_audit.errors import ExitCode
from credly_audit.files.destinations import file_can_be_written
from credly_audit.text import count


@click.command()
@click.argument("report", type=FILE, metavar="REPORT.json")
@click.option("-o", "--output", required=True, type=FILE, help="The file to write.")
def baseline(report: Path, output: Path) -> ExitCode:
    """Write the IDs and severities of a JSON report's findings to a file that is safe to commit.

    `run --new-only --baseline FILE` then fails only for findings that are new or of increased severity. Waived findings
    are omitted: a finding that is no longer waived counts as new.
    """
    found = read_report_findings(report)
    place = file_can_be_written(output, "--output")
    write_baseline(found, output)
    said = f"Wrote {output}: {count(len(found.findings), 'finding', 'findings')}"
    print_lines(said, err=place.is_standard_output)
    return ExitCode.OK
