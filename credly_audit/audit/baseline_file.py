"""A baseline: the findings of one report by id, for `--new-only` where there is no history; safe to commit."""

from datetime import datetime
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from credly_audit.audit.prior import Baseline
from credly_audit.errors import UsageError
from credly_audit.files.writing import write_file
from credly_audit.severity import Severity

FORMAT: Final = "credly-audit-baseline"
FORMAT_VERSION = 1

Kind = TypeVar("Kind", bound=msgspec.Struct)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """The file: finding ids and severities, and the instant that the report judged at."""

    format: Literal["credly-audit-baseline"]
    format_version: int
    as_of: datetime
    findings: dict[str, Severity]


class _Finding(msgspec.Struct):
    """What is read of a report's finding."""

    finding_id: str
    severity: Severity
    waived: bool


class _Report(msgspec.Struct):
    """What is read of a JSON report."""

    schema_version: str
    as_of: datetime
    findings: list[_Finding]


def read_report_findings(report: Path) -> Baseline:
    """Read the findings of a JSON report except the waived ones: once no longer waived, they count as new."""
    told = _decode(report, _Report, "JSON report")
    return Baseline(told.as_of, {each.finding_id: each.severity for each in told.findings if not each.waived})


def read_baseline(path: Path) -> Baseline:
    """Read what `write_baseline` wrote; UsageError for a file that is missing, damaged or of another kind."""
    told = _decode(path, _File, "baseline")
    if told.format_version != FORMAT_VERSION:
        raise UsageError(
            f"{path}: a baseline of format {told.format_version}; this version reads {FORMAT_VERSION}: write it anew"
        )
    return Baseline(told.as_of, told.findings)


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Write a line for each finding, in the order of their ids, so that two baselines are easily compared."""
    findings = dict(sorted(baseline.findings.items()))
    file = _File(FORMAT, FORMAT_VERSION, baseline.as_of, findings)
    with write_file(path) as out:
        out.write(msgspec.json.format(msgspec.json.encode(file), indent=1) + b"\n")


def _decode(path: Path, kind: type[Kind], name: str) -> Kind:
    try:
        told = msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a {name} of credly-audit, or damaged ({error})") from None
    return told
