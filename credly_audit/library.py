"""The audit as a library: collect, evaluate and render without the command line (docs/api.md).

The names that `credly_audit` exports are public and follow semantic versioning; all else in the package is internal.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from credly_audit.audit.findings import COLUMNS
from credly_audit.audit.gate import check_gate
from credly_audit.audit.model import AUDITED_TOKENS, Gate
from credly_audit.audit.model import Audit as EvaluatedAudit
from credly_audit.config.credentials import make_fingerprints, resolve_proxy
from credly_audit.config.formats import formats
from credly_audit.config.load import load
from credly_audit.config.mistakes import describe_mistakes
from credly_audit.config.settings import PolicySettings, Settings
from credly_audit.errors import AuditError, ConfigurationError, UsageError
from credly_audit.files.writing import write_file
from credly_audit.operations.collecting import collect_snapshot
from credly_audit.operations.evaluation import Evaluation, read_presentation
from credly_audit.operations.outputs import list_files_of_format
from credly_audit.operations.policy_files import find_places
from credly_audit.operations.stored_snapshots import find_fingerprints, read_snapshots
from credly_audit.policy.policy import Policy
from credly_audit.rules import catalogue
from credly_audit.snapshot import Snapshot
from credly_audit.text import one_line

__all__ = [
    "Audit",
    "AuditError",
    "ConfigurationError",
    "Settings",
    "Snapshot",
    "UsageError",
    "collect",
    "evaluate",
    "open_snapshot",
    "read_settings",
    "render",
    "save_snapshot",
]

TEXTS = [
    name for name in COLUMNS if name not in {"severity", "due_at", "evidence", "controls", "first_seen_at", "waived"}
]
"""The columns of findings that are texts."""


@dataclass(frozen=True)
class Audit:
    """The result of `evaluate`. Each frame is computed when it is first used; changing it does not affect reports."""

    _audit: EvaluatedAudit

    @property
    def outcome(self) -> str:
        """`pass`, `violations` or `incomplete`: an audit that did not collect everything is never `pass`."""
        return self._audit.verdict.outcome

    @property
    def exit_code(self) -> int:
        """The exit code of the command line: 0 for `pass`, 1 for `violations`, 3 for `incomplete`."""
        return int(self._audit.verdict.exit_code)

    @property
    def violations(self) -> int:
        """The number of findings that violate the policy."""
        return self._audit.verdict.violations

    @property
    def as_of(self) -> datetime:
        """The instant (UTC) for which the snapshot was evaluated."""
        return self._audit.as_of

    @property
    def limitations(self) -> tuple[str, ...]:
        """Limitations of the audit other than coverage; one sentence each."""
        return self._audit.limitations

    @cached_property
    def findings(self) -> pd.DataFrame:
        """The findings, one row each, most severe first; the columns are documented in docs/api.md."""
        found = self._audit.findings
        frame = found.spell_out(found.frame)
        controls = [found.controls(rule_id) for rule_id in frame["rule_id"]]
        objects = {"evidence": found.list_evidence(found.frame), "controls": controls}
        frame = frame.assign(**{name: pd.Series(values, dtype=object) for name, values in objects.items()})
        return frame[list(COLUMNS)].astype(dict.fromkeys(TEXTS, "string"))

    @cached_property
    def tokens(self) -> pd.DataFrame:
        """The tokens, one row each; values are present only as fingerprints."""
        return self._audit.tokens[list(AUDITED_TOKENS)].astype({"organization_id": "string"})

    @cached_property
    def organizations(self) -> pd.DataFrame:
        """The organizations with their coverage, one row each."""
        return self._audit.organizations.copy()

    @cached_property
    def oauth_applications(self) -> pd.DataFrame:
        """The OAuth applications, one row each; empty where they were not collected."""
        return self._audit.snapshot.applications.copy()


def read_settings(
    path: str | os.PathLike[str], *, for_collecting: bool = True, environ: Mapping[str, str] | None = None
) -> Settings:
    """Read a configuration file.

    For collecting, it must name at least one organization, and a credential for each. ConfigurationError, with every
    mistake, where the file is not valid.
    """
    return load(Path(path), os.environ if environ is None else environ, for_collecting=for_collecting)


def collect(
    settings: Settings | str | os.PathLike[str],
    *,
    organizations: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> Snapshot:
    """Collect the tokens of the configured organizations from Credly.

    `settings` is a configuration file, or what `read_settings` returned for one; `organizations` (ids or unique names)
    limits the collection. Credentials are read from the places that the configuration names; `environ` takes the place
    of `os.environ`. ConfigurationError, before the first request, where a credential cannot be read. An organization
    that cannot be collected completely raises nothing: its row in `Snapshot.organizations` has the status and reason.
    """
    known = os.environ if environ is None else environ
    chosen = settings if isinstance(settings, Settings) else read_settings(settings, environ=known)
    if organizations:
        chosen = chosen.only(organizations, by_name=True)
    if not chosen.organizations or any(each.token is None and each.oauth is None for each in chosen.organizations):
        raise UsageError(f"{chosen.file}: collect needs at least one organization, and a credential for each")
    chosen = resolve_proxy(chosen, known)
    fingerprints = make_fingerprints(chosen, known)
    return collect_snapshot(chosen, fingerprints, known, quiet=True, no_color=True, subset=bool(organizations))


def open_snapshot(
    *paths: str | os.PathLike[str], settings: Settings | None = None, environ: Mapping[str, str] | None = None
) -> Snapshot:
    """Read stored snapshots, several as one.

    Snapshots with keyed fingerprints need the `settings` with the key, so that texts can be searched for known values.
    UsageError where a file is not a snapshot, or where the snapshots do not belong together.
    """
    if not paths:
        raise UsageError("open_snapshot: name at least one file")
    known = os.environ if environ is None else environ
    snapshot, _ = read_snapshots([Path(path) for path in paths], settings or Settings(), known)
    return snapshot


def save_snapshot(snapshot: Snapshot, path: str | os.PathLike[str]) -> None:
    """Write a snapshot to a file, which only its owner can read; CannotWrite where that fails."""
    with write_file(Path(path)) as file:
        snapshot.save(file)


def evaluate(
    snapshot: Snapshot,
    policy: Settings | Mapping[str, Any] | None = None,
    *,
    as_of: datetime | None = None,
    fail_on: Sequence[str] = (),
    allow_partial: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Audit:
    """Evaluate a snapshot.

    `policy` is a configuration (its `[policy]`, decisions, register and `[report]`), the content of a `[policy]` table
    as a mapping, or None for the default policy. `as_of` (with a time zone) is the instant to evaluate for; default:
    the instant of the collection. `fail_on` and `allow_partial` are those of the command line. The audit is compared
    with no earlier audit. ConfigurationError for a policy that is not valid.
    """
    settings = policy if isinstance(policy, Settings) else _policy_of(policy or {})
    known = os.environ if environ is None else environ
    if as_of is not None and as_of.tzinfo is None:
        raise UsageError(f"as_of: {as_of.isoformat()} has no time zone; use datetime(…, tzinfo=timezone.utc)")
    rules = Policy.of(settings)
    selectors = check_gate(tuple(fail_on), list(catalogue()), rules.settings.disable)
    evaluation = Evaluation(
        settings=settings,
        policy=rules,
        gate=Gate(selectors or rules.settings.fail_on, allow_partial),
        presentation=read_presentation(settings.report),
        places=find_places(settings, known),
        as_of=snapshot.header.collected_at if as_of is None else as_of.astimezone(UTC),
    )
    return Audit(evaluation.evaluate(snapshot, find_fingerprints(snapshot, settings, known)).audit)


def render(audit: Audit, format: str, path: str | os.PathLike[str]) -> list[Path]:  # noqa: A002 - the command's word
    """Write an audit in a format (`html`, `xlsx`, `json` …) to a file and return the files written.

    Some formats, such as `csv`, write further files beside it. UsageError for an unknown format, CannotWrite where a
    file cannot be written.
    """
    if format not in formats():
        raise UsageError(f"format: {one_line(format, 40)!r} is unknown; the formats are {', '.join(formats())}")
    written = []
    for target, write in list_files_of_format(format, Path(path)):
        with write_file(target) as file:
            write(audit._audit, file)  # noqa: SLF001 - of this module
        written.append(target)
    return written


def _policy_of(table: Mapping[str, Any]) -> Settings:
    try:
        return Settings(policy=PolicySettings.model_validate(dict(table), context={"folder": Path()}))
    except ValidationError as error:
        raise ConfigurationError([f"policy: {said}" for _, said in describe_mistakes(error, PolicySettings)]) from None
