"""The two ways to an audit: collect and evaluate, or evaluate stored snapshots."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pandas as pd

from credly_audit.config.credentials import make_fingerprints, resolve_proxy
from credly_audit.config.load import load
from credly_audit.config.review import find_untrusted
from credly_audit.config.selection import select_by_id_or_name
from credly_audit.config.settings import Settings
from credly_audit.config.source import DEFAULT_CONFIG, Source
from credly_audit.errors import ConfigurationError, ExitCode, UsageError
from credly_audit.files.locks import alone
from credly_audit.notify.heartbeat import Heartbeat, report_ending
from credly_audit.notify.notices import Notices
from credly_audit.operations.audit_options import AuditOptions
from credly_audit.operations.collecting import collect_snapshot, load_settings
from credly_audit.operations.conclude import AuditJob, Summarize
from credly_audit.operations.stored_snapshots import read_snapshots
from credly_audit.policy.policy import Policy
from credly_audit.rules import refuse_packages, require_all_rules
from credly_audit.snapshot import Snapshot


def run_audit(options: AuditOptions, environ: Mapping[str, str], summarize: Summarize) -> ExitCode:
    """Collect the tokens of every organization, evaluate them, write the reports and enforce the policy."""
    config = options.config or DEFAULT_CONFIG
    settings = load_settings(config, options.organizations, options.workers, environ, all_rules=False)
    notices = _open_notices(options, settings, environ)
    lock = nullcontext() if options.parallel else alone(config, break_lock=options.break_lock)
    with report_ending(_find_heartbeat(notices)), lock:
        _require_rules(options)
        job = AuditJob.from_options(options, config, settings, environ, summarize, notices=notices)
        settings = resolve_proxy(settings, environ)
        fingerprints = make_fingerprints(settings, environ)
        _report_start(notices)
        snapshot = collect_snapshot(
            settings,
            fingerprints,
            environ,
            quiet=options.quiet,
            no_color=options.no_color,
            subset=bool(options.organizations),
        )
        return job.conclude(snapshot, fingerprints)


def check_snapshots(options: AuditOptions, environ: Mapping[str, str], summarize: Summarize) -> ExitCode:
    """Evaluate stored snapshots offline, write the reports and enforce the policy."""
    _require_consistent(options)
    config = options.config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    settings = _load_policy(config, environ, untrusted=options.untrusted) if config else Settings()
    notices = _open_notices(options, settings, environ)
    with report_ending(_find_heartbeat(notices)):
        _require_rules(options)
        against = (
            Policy.of(_load_policy(options.against, environ, untrusted=options.untrusted)) if options.against else None
        )
        snapshot, fingerprints = read_snapshots(options.snapshots, settings, environ)
        snapshot = _select_organizations(snapshot, settings, options.organizations)
        options = replace(
            options,
            as_of=options.as_of or snapshot.header.collected_at,
            no_history=options.no_history or options.untrusted,
        )
        job = AuditJob.from_options(options, config, settings, environ, summarize, notices=notices, against=against)
        if snapshot.header.part is None:
            _report_start(notices)
        return job.conclude(snapshot, fingerprints)


def _open_notices(options: AuditOptions, settings: Settings, environ: Mapping[str, str]) -> Notices | None:
    """Return the notices to send, if any; a part of the organizations is no sign that all were audited."""
    if not options.notify:
        return None
    notices = Notices.from_settings(settings.notify, settings.folder, environ)
    return replace(notices, heartbeat=None) if options.organizations else notices


def _find_heartbeat(notices: Notices | None) -> Heartbeat | None:
    return None if notices is None else notices.heartbeat


def _report_start(notices: Notices | None) -> None:
    heartbeat = _find_heartbeat(notices)
    if heartbeat is not None:
        heartbeat.report_start()


def _require_rules(options: AuditOptions) -> None:
    """Raise BrokenRule where another package's rules cannot be loaded, unless the audit may go on without them."""
    if not options.skip_broken_rules:
        require_all_rules(", or go on without it by --skip-broken-rules: the audit is then incomplete")


def _require_consistent(options: AuditOptions) -> None:
    """Raise UsageError where two options cannot both be meant."""
    pairs = {
        ("--record", "--no-history"): options.record and options.no_history,
        ("--untrusted", "--record"): options.untrusted and options.record,
        ("--untrusted", "--notify"): options.untrusted and options.notify,
    }
    for (one, other), both in pairs.items():
        if both:
            raise UsageError(f"{one} and {other} contradict each other; keep one")


def _load_policy(path: Path, environ: Mapping[str, str], *, untrusted: bool) -> Settings:
    """Load a configuration to evaluate by; ConfigurationError for what an untrusted one must not contain."""
    if untrusted:
        refuse_packages()
    settings = load(path, environ, for_collecting=False, all_rules=False)
    if untrusted and (refused := find_untrusted(settings, Source(path))):
        raise ConfigurationError(refused)
    return settings


def _select_organizations(snapshot: Snapshot, settings: Settings, organizations: tuple[str, ...]) -> Snapshot:
    """Return the part of a snapshot that holds these organizations, or all of it; UsageError for one that it lacks.

    They are known by the names in the snapshot and by those of the configuration.
    """
    if not organizations:
        return snapshot
    frame = snapshot.organizations[["organization_id", "name"]]
    there = [(str(each), None if pd.isna(name) else str(name)) for each, name in frame.itertuples(index=False)]
    names = [*there, *((each.id, each.name) for each in settings.organizations if each.id in dict(there))]
    return snapshot.only(select_by_id_or_name(organizations, names, lacking="not in the snapshot"))
