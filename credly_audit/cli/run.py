"""`run`: collect, check, report and gate."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import (
    DEFAULT_CONFIG,
    break_lock_option,
    config_option,
    judging_options,
    organization_option,
    talk_options,
    workers_option,
)
from credly_audit.cli.summary import SummaryPrinter
from credly_audit.config.credentials import make_fingerprints, resolve_proxy
from credly_audit.errors import ExitCode
from credly_audit.files.locks import alone
from credly_audit.notify.notices import Notices
from credly_audit.operations.collecting import collect_snapshot, load_settings
from credly_audit.operations.conclude import Judging, read_presentation, require_rules_unless
from credly_audit.operations.outputs import Outputs
from credly_audit.operations.policy_files import copy_sources, find_places
from credly_audit.operations.prior_audits import Earlier
from credly_audit.policy.policy import Policy


@click.command()
@config_option
@judging_options
@organization_option
@workers_option
@click.option("--no-notify", is_flag=True, help="Send none of the notices that [notify] asks for.")
@break_lock_option
@talk_options
def run(config: Path | None, **options: Any) -> ExitCode:
    """Collect every token, judge them, write the reports and gate: the main job."""
    return run_audit(config, **options)


def run_audit(
    config: Path | None,
    *,
    formats: tuple[str, ...] = (),
    outputs: tuple[tuple[str, str], ...] = (),
    output_dir: Path,
    split_by: str | None = None,
    overwrite: bool = False,
    manifest: bool = False,
    fail_on: tuple[str, ...] = (),
    allow_partial: bool = False,
    as_of: datetime | None = None,
    skip_broken_rules: bool = False,
    organizations: tuple[str, ...] = (),
    workers: int | None = None,
    new_only: bool = False,
    sarif_without_waived: bool = False,
    baseline: Path | None = None,
    no_history: bool = False,
    no_notify: bool = False,
    break_lock: bool = False,
    quiet: bool = False,
    verbose: bool = False,
    no_color: bool = False,
    log_format: str = "text",
    environ: Mapping[str, str] = os.environ,
    together: bool = False,
) -> ExitCode:
    """Do the main job, with the options of `run`; `environ` is where secrets and CREDLY_API_URL are looked up.

    Another run of the same configuration may go on only where they may run `together`.
    """
    start_log(quiet=quiet, verbose=verbose, log_format=log_format)
    require_rules_unless(skip_broken_rules)
    settings = load_settings(config or DEFAULT_CONFIG, organizations, workers, environ, all_rules=False)
    if not together:
        click.get_current_context().with_resource(alone(config or DEFAULT_CONFIG, break_lock=break_lock))
    chosen_outputs = Outputs.from_options(
        formats,
        outputs,
        output_dir,
        mode=settings.output.mode,
        split_by=split_by,
        overwrite=overwrite,
        with_snapshot=True,
        manifest=copy_sources(config or DEFAULT_CONFIG, settings) if manifest else None,
    )
    judging = Judging.from_options(
        settings,
        Policy.of(settings),
        chosen_outputs,
        find_places(settings, environ),
        Earlier.from_options(
            settings, environ, baseline=baseline, no_history=no_history, record=not no_history, new_only=new_only
        ),
        fail_on=fail_on,
        allow_partial=allow_partial,
        as_of=as_of,
        skip_broken_rules=skip_broken_rules,
        quiet=quiet,
        summarize=SummaryPrinter(chosen_outputs.to_standard_output, no_color),
        presentation=read_presentation(settings.report, sarif_without_waived=sarif_without_waived),
        notices=None if no_notify else Notices.from_settings(settings.notify, settings.folder, environ),
    )
    settings = resolve_proxy(settings, environ)
    fingerprints = make_fingerprints(settings, environ)
    snapshot = collect_snapshot(
        settings, fingerprints, environ, quiet=quiet, no_color=no_color, subset=bool(organizations)
    )
    return judging.conclude(snapshot, fingerprints)
