"""Search files for the values of the tokens in stored snapshots, from beginning to end."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from credly_audit.audit.redact_texts import make_redactor
from credly_audit.config.load import load
from credly_audit.config.settings import Settings
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.errors import UsageError
from credly_audit.leaks.candidates import ValueSearch
from credly_audit.leaks.folders import FolderSearch, require_searchable
from credly_audit.leaks.owners import list_owners
from credly_audit.leaks.report import LeakReport
from credly_audit.leaks.scan import Scan
from credly_audit.manifest.contents import STANDARD_OUTPUT as STANDARD_STREAM
from credly_audit.operations.stored_snapshots import read_snapshots_with_key

log = logging.getLogger(__name__)

REPORTS = Path("reports")
"""Where `run` leaves its snapshots unless it is told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakOptions:
    """What a person typed; the path `-` is standard input."""

    paths: tuple[Path, ...]
    snapshots: tuple[Path, ...] = ()
    config: Path | None = None
    git: bool = False
    respect_gitignore: bool = False


def search_leaks(options: LeakOptions, standard_input: BinaryIO, environ: Mapping[str, str]) -> LeakReport:
    """Search the paths for every value that the snapshots know; UsageError where they know none."""
    paths = list(dict.fromkeys(options.paths))
    files = [path for path in paths if str(path) != STANDARD_STREAM]
    require_searchable(files)
    snapshots = options.snapshots or (find_newest_snapshot(),)
    config = options.config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None)
    settings = load(config, environ, for_collecting=False, all_rules=False) if config else Settings()
    snapshot, fingerprints = read_snapshots_with_key(snapshots, settings, environ)
    named = ", ".join(map(str, snapshots))
    owners = list_owners(snapshot)
    if not owners:
        raise UsageError(f"{named}: holds no fingerprint, so nothing can be found; collect again")
    if not snapshot.header.value_lengths:
        raise UsageError(f"{named}: an earlier version collected it without the lengths of values; collect again")
    log.info("Searching for %s values of %s", len(owners), named)
    scan = Scan(ValueSearch(fingerprints.digest, owners.keys(), snapshot.header.value_lengths))
    folders = FolderSearch(scan, environ, options.git, options.respect_gitignore)
    for path in files:
        folders.search(path)
    if len(files) < len(paths):
        folders.search_stream(standard_input)
    folders.finish()
    return LeakReport.of(snapshot, owners, scan, make_redactor(snapshot, fingerprints), datetime.now(UTC))


def find_newest_snapshot() -> Path:
    """Return the newest snapshot of all organizations that `run` left; UsageError where there is none."""
    found = [path for path in REPORTS.glob("credly-audit-*.snapshot") if "-subset" not in path.stem]
    if not found:
        raise UsageError(f"there is no snapshot in {REPORTS}{os.sep}; name one by --snapshot, or run credly-audit run")
    return max(found, key=lambda path: path.stem)
