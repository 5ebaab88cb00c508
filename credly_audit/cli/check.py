"""`check`: evaluate stored snapshots, offline and without a credential."""

import os
from typing import Any

import click

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import FILE, audit_options, config_option, organization_option, talk_options
from credly_audit.cli.summary import SummaryPrinter
from credly_audit.errors import ExitCode
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.operations.audits import check_snapshots


@click.command()
@click.argument("snapshots", nargs=-1, required=True, type=FILE, metavar="SNAPSHOT...")
@config_option
@audit_options
@organization_option
@click.option("--notify", is_flag=True, help="Send the notifications of [notify]. Default: none.")
@click.option("--record", is_flag=True, help="Also record the audit in the history, at its place by as-of.")
@click.option(
    "--untrusted",
    is_flag=True,
    help="Evaluate an untrusted configuration, such as that of a pull request: refuse exec: and keyring: references, "
    "templates, rules of other packages, --notify and --record; use no history.",
)
@click.option(
    "--against",
    type=FILE,
    metavar="CONFIG",
    help="Another configuration: report how many findings the evaluated one adds and removes in comparison.",
)
@talk_options
def check(**typed: Any) -> ExitCode:
    """Evaluate stored snapshots, write the reports and enforce the policy.

    Snapshots of several collectors are evaluated together. The policy is that of the configuration file; without one,
    the default policy.
    """
    options = AuditOptions(**typed)
    start_log(quiet=options.quiet, verbose=options.verbose, log_format=options.log_format)
    return check_snapshots(options, os.environ, SummaryPrinter(options.no_color))
