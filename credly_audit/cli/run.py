"""`run`: collect, evaluate, report, enforce policy."""

import os
from typing import Any

import click

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import (
    audit_options,
    break_lock_option,
    config_option,
    organization_option,
    talk_options,
    workers_option,
)
from credly_audit.cli.summary import SummaryPrinter
from credly_audit.errors import ExitCode
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.operations.audits import run_audit


@click.command()
@config_option
@audit_options
@organization_option
@workers_option
@click.option("--no-notify", is_flag=True, help="Do not send the notifications of [notify].")
@break_lock_option
@talk_options
def run(*, no_notify: bool, **typed: Any) -> ExitCode:
    """Collect every token, evaluate them, write the reports and enforce the policy: the main command."""
    options = AuditOptions(notify=not no_notify, record=not typed["no_history"], **typed)
    start_log(quiet=options.quiet, verbose=options.verbose, log_format=options.log_format)
    return run_audit(options, os.environ, SummaryPrinter(options.no_color))
