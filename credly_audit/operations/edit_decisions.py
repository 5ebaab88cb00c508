"""Edit the file of decisions: move out what expired, and write in what the security team typed into workbooks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from credly_audit.config.decision_models import Decision
from credly_audit.config.decisions import read_decisions
from credly_audit.config.settings import Settings
from credly_audit.errors import UsageError
from credly_audit.files.destinations import file_can_be_written
from credly_audit.files.writing import write_file
from credly_audit.operations.check_decisions import check_decisions, load_decision_settings
from credly_audit.policy.decision_workbook import read_typed_rows
from credly_audit.policy.import_decisions import Import, import_rows, write_rejected
from credly_audit.policy.toml_file import remove_decisions

ARCHIVE = "waivers-archive.toml"
"""The file beside that of the decisions that takes what is moved out of it."""


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """The options of `waivers prune`."""

    snapshots: tuple[Path, ...]
    source: Path | None
    config: Path | None
    as_of: datetime | None
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Pruning:
    """Which decisions (ids) were moved, from where to where."""

    moved: tuple[str, ...]
    target: Path
    archive: Path


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The options of `waivers import`."""

    workbooks: tuple[Path, ...]
    into: Path | None
    config: Path | None
    rejected: Path | None
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Importing:
    """What an import did to a file; `unread`: it changed the file, and no audit by the configuration reads it."""

    done: Import
    target: Path
    unread: bool


def prune_decisions(options: PruneOptions, environ: Mapping[str, str], warn: Callable[[str], None]) -> Pruning:
    """Move the decisions that expired and match no finding of the snapshots into the archive beside their file."""
    settings = load_decision_settings(options.config, environ)
    target = options.source or settings.policy.waivers_file
    if target is None:
        raise UsageError("--from: name the file that holds the decisions, or set [policy] waivers_file")
    checked = check_decisions(settings, options.snapshots, options.as_of, environ, warn)
    ended = {
        each.decision.id
        for each in checked.select(expired=True, soon=False)
        if each.findings == 0 and each.state in {"unused", "kept"}
    }
    archive = target.with_name(ARCHIVE)
    place, archive_place = file_can_be_written(target, "--from"), file_can_be_written(archive, "--from")
    if not (place.is_file and archive_place.is_file) or not target.exists():
        raise UsageError(f"--from: {target} is no file that decisions are kept in; name a file")
    try:
        after, moved, text = remove_decisions(target.read_bytes().decode(), ended)
    except ValueError as error:
        raise UsageError(f"{target}: {error}") from None
    if moved and not options.dry_run:
        kept = archive.read_bytes().decode() if archive.exists() else ""
        _write_text(archive, f"{kept}{text}")
        _write_text(target, after)
    return Pruning(tuple(moved), target, archive)


def import_decisions(options: ImportOptions, environ: Mapping[str, str], warn: Callable[[str], None]) -> Importing:
    """Write the decisions of workbooks into a file; `warn` gets a sentence for each row that is refused.

    Nothing is written where the file or a workbook cannot be read.
    """
    settings = load_decision_settings(options.config, environ, waivers_file_needed=False)
    target = options.into or settings.policy.waivers_file
    if target is None:
        raise UsageError("--into: name the file to write into, or set [policy] waivers_file")
    place = file_can_be_written(target, "--into")
    if not place.is_file:
        raise UsageError(f"--into: {target} is not a regular file; name a file for the decisions")
    rows = [row for workbook in dict.fromkeys(options.workbooks) for row in read_typed_rows(workbook, today())]
    before, elsewhere = _read_target(target, settings)
    try:
        after, done = import_rows(before, rows, settings.policy, today(), elsewhere)
    except ValueError as error:
        raise UsageError(f"{target}: {error}") from None
    if after != before and not options.dry_run:
        _write_text(target, after)
    for refusal in done.refused:
        warn(refusal)
    if options.rejected is not None and done.rejected:
        write_rejected(options.rejected, rows, done.rejected)
    return Importing(done, target, after != before and not _is_read(target, settings))


def today() -> date:
    """Return the day of an import, in UTC."""
    return datetime.now(UTC).date()


def _write_text(path: Path, text: str) -> None:
    with write_file(path, edited=True) as file:
        file.write(text.encode())


def _read_target(target: Path, settings: Settings) -> tuple[str, list[Decision]]:
    """Return the target's text, empty where there is no such file, and what the configuration decides elsewhere."""
    every: list[Decision] = [*settings.waivers, *settings.plans]
    if not target.exists():
        return "", every
    if _is_same_file(target, settings.file):
        own = settings.policy.waivers_file
        theirs = read_decisions(own, settings.policy) if own is not None and own.exists() else ((), ())
        return target.read_bytes().decode(), [decision for decisions in theirs for decision in decisions]
    here = {decision.id for decisions in read_decisions(target, settings.policy) for decision in decisions}
    return target.read_bytes().decode(), [each for each in every if each.id not in here]


def _is_read(target: Path, settings: Settings) -> bool:
    """Return whether an audit by this configuration reads the decisions of a file."""
    own = settings.policy.waivers_file
    return _is_same_file(target, settings.file) or (own is not None and _is_same_file(target, own))


def _is_same_file(one: Path, other: Path) -> bool:
    """Return whether two paths lead to one file, there or not."""
    return one.resolve() == other.resolve()
