"""`verify`: compare the files of an audit with its manifest."""

from pathlib import Path

import click

from credly_audit.cli.options import FILE
from credly_audit.cli.screen import print_lines
from credly_audit.errors import ExitCode
from credly_audit.instants import iso_day
from credly_audit.manifest import STANDARD_OUTPUT, differences, read_manifest
from credly_audit.text import count


@click.command()
@click.argument("manifest", type=FILE)
def verify(manifest: Path) -> ExitCode:
    """Compare every file of an audit with the SHA-256 in its manifest.

    The copies of the policy files in the manifest are checked too. Exit codes: 0 all files are unchanged; 1 there are
    differences, each one named; 2 the manifest cannot be read.
    """
    listed = read_manifest(manifest)
    found = list(differences(listed, manifest.parent))
    for difference in found:
        print_lines(difference)
    if found:
        return ExitCode.VIOLATIONS
    spoken = sum(each.path == STANDARD_OUTPUT for each in listed.files)
    files, copies = count(len(listed.files) - spoken, "file is", "files are"), len(listed.policy)
    unchecked = (
        f"; {count(spoken, 'report', 'reports')} went to standard output and cannot be checked" if spoken else ""
    )
    print_lines(
        f"{files} as written on {iso_day(listed.generated_at)} {listed.generated_at:%H:%M} UTC, and so "
        f"{count(copies, 'copy', 'copies')} of the policy's files{unchecked}."
    )
    return ExitCode.OK
