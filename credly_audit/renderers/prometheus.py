"""Prometheus: a file for the node exporter's textfile collector, to alert on and to draw over months.

Counts by severity, rule and status, never a series for a token or an organization: those are names without end.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import BinaryIO

import pandas as pd

from credly_audit import __version__
from credly_audit.audit import Audit
from credly_audit.renderers.base import Renderer
from credly_audit.renderers.briefing import permissions
from credly_audit.renderers.tally import tally

OUTCOMES = ("pass", "violations", "incomplete")

WINDOWS = (7, 30, 60, 90)
"""Days ahead within which expiries are counted; each window holds the narrower ones."""

Sample = tuple[dict[str, str], float]


def render(audit: Audit, out: BinaryIO) -> None:
    """Write the text format, version 0.0.4; the series of a part of an audit carry its name as the label `part`."""
    part = {} if audit.part is None else {"part": audit.part.name}
    for name, about, samples in metrics(audit):
        out.write(f"# HELP credly_audit_{name} {about}\n# TYPE credly_audit_{name} gauge\n".encode())
        out.writelines(
            f"credly_audit_{name}{_labels(labels | part)} {value:.15g}\n".encode() for labels, value in samples
        )


def metrics(audit: Audit) -> Iterator[tuple[str, str, list[Sample]]]:
    """Name, help and samples of each metric."""
    verdict, counts = audit.verdict, tally(audit)
    yield "info", "The version that audited.", [({"version": __version__}, 1)]
    yield (
        "complete",
        "1 where every organization was fully seen and every rule judged, else 0, whatever a waiver accepts.",
        [({}, float(not verdict.not_seen and not audit.broken))],
    )
    yield (
        "verdict",
        "1 for how the audit ended, 0 for the other outcomes.",
        [({"outcome": outcome}, float(outcome == verdict.outcome)) for outcome in OUTCOMES],
    )
    yield "exit_code", "The exit code of the audit: 0, 1 violations, 3 incomplete.", [({}, int(verdict.exit_code))]
    yield "violations", "Findings that the gate counts.", [({}, verdict.violations)]
    yield "broken_rules", "Rules that raised and were skipped.", [({}, len(audit.broken))]
    yield "organizations", "Organizations by how completely they were seen.", _by("status", counts["by_status"])
    yield (
        "organizations_accepted",
        "Organizations not fully seen that a waiver accepts so.",
        [({}, len(verdict.accepted))],
    )
    yield (
        "organizations_unaudited",
        "Organizations that the register names and no configuration.",
        [({}, len(audit.unaudited))],
    )
    yield "tokens", "Tokens that Credly lists.", [({}, counts["tokens"])]
    yield "tokens_by_permission", "Unexpired tokens by what they may do.", _by("permission", permissions(audit))
    yield "tokens_expiring", "Unexpired tokens that expire within so many days.", list(_expiring(audit))
    yield "tokens_expired", "Tokens that have expired and are still listed.", [({}, _expired(audit))]
    yield "findings", "Findings that are there and not waived, by severity.", _by("severity", counts["by_severity"])
    yield "findings_waived", "Findings that are waived.", [({}, counts["waived"])]
    by_rule = list(_by_rule(audit, counts["by_rule"]))
    yield "findings_by_rule", "Findings that are there and not waived, by rule.", by_rule
    yield "findings_unseen", "Findings of earlier audits in what was not fully seen.", [({}, counts["unseen"])]
    statuses = audit.findings.frame["status"].value_counts()
    if statuses.sum():
        yield "findings_by_status", "Findings by status since the last audit.", _by("status", statuses.to_dict())
    header = audit.snapshot.header
    yield "as_of_timestamp_seconds", "The instant judged at.", [({}, audit.as_of.timestamp())]
    yield "collected_timestamp_seconds", "When the tokens were collected.", [({}, header.collected_at.timestamp())]
    yield "generated_timestamp_seconds", "When this was written.", [({}, audit.generated_at.timestamp())]
    following = _next_expiry(audit)
    if following is not None:
        yield "next_expiry_timestamp_seconds", "When the next token expires.", [({}, following.timestamp())]


def _by(label: str, counts: Mapping[str, int]) -> list[Sample]:
    return [({label: name}, many) for name, many in counts.items()]


def _by_rule(audit: Audit, counts: Mapping[str, int]) -> Iterator[Sample]:
    for rule_id, many in counts.items():
        yield {"rule": rule_id, "name": audit.rules[rule_id].name}, many


def _ahead(audit: Audit) -> pd.Series:
    expires = audit.tokens["expires_at"]
    return expires[(expires > pd.Timestamp(audit.as_of)).to_numpy(dtype=bool)]


def _expiring(audit: Audit) -> Iterator[Sample]:
    left = _ahead(audit) - pd.Timestamp(audit.as_of)
    for days in WINDOWS:
        yield {"within_days": str(days)}, int((left <= pd.Timedelta(days=days)).sum())


def _expired(audit: Audit) -> int:
    return int((audit.tokens["expires_at"] <= pd.Timestamp(audit.as_of)).sum())


def _next_expiry(audit: Audit) -> datetime | None:
    ahead = _ahead(audit)
    return None if ahead.empty else ahead.min().to_pydatetime()


def _labels(labels: Mapping[str, str]) -> str:
    said = ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items())
    return f"{{{said}}}" if said else ""


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


RENDERER = Renderer(".prom", render, dated=False)
