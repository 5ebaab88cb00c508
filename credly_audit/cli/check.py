"""`check`: judge stored snapshots again, offline and without any credential."""

import os
from datetime import datetime
from pathlib import Path

import click
import pandas as pd

from credly_audit.cli.logs import start_log
from credly_audit.cli.options import (
    DEFAULT_CONFIG,
    FILE,
    config_option,
    judging_options,
    organization_option,
    talk_options,
)
from credly_audit.cli.stored import read_snapshots
from credly_audit.cli.summary import SummaryPrinter
from credly_audit.config.load import load
from credly_audit.config.review import find_untrusted
from credly_audit.config.selection import select_by_id_or_name
from credly_audit.config.settings import Settings
from credly_audit.config.source import Source
from credly_audit.errors import ConfigurationError, ExitCode, UsageError
from credly_audit.notify.notices import Notices
from credly_audit.operations.conclude import Judging, read_presentation, require_rules_unless
from credly_audit.operations.outputs import Outputs
from credly_audit.operations.policy_files import copy_sources, find_places
from credly_audit.operations.prior_audits import Earlier
from credly_audit.policy.policy import Policy
from credly_audit.rules import refuse_packages
from credly_audit.snapshot import Snapshot


@click.command()
@click.argument("snapshots", nargs=-1, required=True, type=FILE, metavar="SNAPSHOT...")
@config_option
@judging_options
@organization_option
@click.option("--notify", is_flag=True, help="Send the notices that [notify] asks for; without this none is sent.")
@click.option("--record", is_flag=True, help="Also record the audit in the history, where its as-of places it.")
@click.option(
    "--untrusted",
    is_flag=True,
    help="Evaluate a configuration that is not trusted, as that of a pull request: refuse what would run code or "
    "open a keyring, templates, rules of other packages, --notify and --record; use no history.",
)
@click.option(
    "--against",
    type=FILE,
    metavar="CONFIG",
    help="Another configuration: say how many findings the first one adds and removes beside it.",
)
@talk_options
def check(
    *,
    snapshots: tuple[Path, ...],
    config: Path | None,
    formats: tuple[str, ...],
    outputs: tuple[tuple[str, str], ...],
    output_dir: Path,
    split_by: str | None,
    overwrite: bool,
    manifest: bool,
    fail_on: tuple[str, ...],
    allow_partial: bool,
    as_of: datetime | None,
    skip_broken_rules: bool,
    new_only: bool,
    sarif_without_waived: bool,
    baseline: Path | None,
    no_history: bool,
    record: bool,
    organizations: tuple[str, ...],
    notify: bool,
    untrusted: bool,
    against: Path | None,
    quiet: bool,
    verbose: bool,
    no_color: bool,
    log_format: str,
) -> ExitCode:
    """Judge stored snapshots, report and gate; several collectors' snapshots are judged together.

    The policy is that of the configuration file; without one, the default policy.
    """
    refuse_contradictions(record=record, no_history=no_history, untrusted=untrusted, notify=notify)
    start_log(quiet=quiet, verbose=verbose, log_format=log_format)
    require_rules_unless(skip_broken_rules)
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    settings = load_policy(path, untrusted=untrusted) if path else Settings()
    other = Policy.of(load_policy(against, untrusted=untrusted)) if against else None
    policy = Policy.of(settings)
    snapshot, fingerprints = read_snapshots(snapshots, settings, os.environ)
    snapshot = select_organizations(snapshot, settings, organizations)
    chosen_outputs = Outputs.from_options(
        formats,
        outputs,
        output_dir,
        mode=settings.output.mode,
        split_by=split_by,
        overwrite=overwrite,
        with_snapshot=False,
        manifest=copy_sources(path, settings, tuple(dict.fromkeys(snapshots))) if manifest else None,
    )
    judging = Judging.from_options(
        settings,
        policy,
        chosen_outputs,
        find_places(settings, os.environ, snapshots),
        Earlier.from_options(
            settings,
            os.environ,
            baseline=baseline,
            no_history=no_history or untrusted,
            record=record,
            new_only=new_only,
        ),
        fail_on=fail_on,
        allow_partial=allow_partial,
        as_of=as_of or snapshot.header.collected_at,
        skip_broken_rules=skip_broken_rules,
        quiet=quiet,
        summarize=SummaryPrinter(chosen_outputs.to_standard_output, no_color),
        presentation=read_presentation(settings.report, sarif_without_waived=sarif_without_waived),
        notices=Notices.from_settings(settings.notify, settings.folder, os.environ) if notify else None,
        against=other,
    )
    return judging.conclude(snapshot, fingerprints)


def refuse_contradictions(*, record: bool, no_history: bool, untrusted: bool, notify: bool) -> None:
    """Raise UsageError where two options cannot both be meant."""
    pairs = {
        ("--record", "--no-history"): record and no_history,
        ("--untrusted", "--record"): untrusted and record,
        ("--untrusted", "--notify"): untrusted and notify,
    }
    for (one, other), both in pairs.items():
        if both:
            raise UsageError(f"{one} and {other} contradict each other; keep one")


def load_policy(path: Path, *, untrusted: bool) -> Settings:
    """Load a configuration to evaluate by; ConfigurationError for what an untrusted one must not contain."""
    if untrusted:
        refuse_packages()
    settings = load(path, os.environ, for_collecting=False, all_rules=False)
    if untrusted and (refused := find_untrusted(settings, Source(path))):
        raise ConfigurationError(refused)
    return settings


def select_organizations(snapshot: Snapshot, settings: Settings, organizations: tuple[str, ...]) -> Snapshot:
    """Return the part of a snapshot that holds these organizations, or all of it; UsageError for one that it lacks.

    They are known by the names in the snapshot and by those of the configuration.
    """
    if not organizations:
        return snapshot
    frame = snapshot.organizations[["organization_id", "name"]]
    there = [(str(each), None if pd.isna(name) else str(name)) for each, name in frame.itertuples(index=False)]
    names = [*there, *((each.id, each.name) for each in settings.organizations if each.id in dict(there))]
    return snapshot.only(select_by_id_or_name(organizations, names, lacking="not in the snapshot"))
