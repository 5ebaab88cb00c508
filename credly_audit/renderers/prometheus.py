"""Prometheus: a file for the node exporter's textfile collector, to alert on and to draw over months.

Counts by severity, rule and status, never a series for a token or an organization: those are names without end.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import pandas as pd
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from credly_audit import __version__
from credly_audit.audit.model import Audit
from credly_audit.renderers.base import Renderer
from credly_audit.report.briefing import count_permissions
from credly_audit.report.counts import count_audit

OUTCOMES = ("pass", "violations", "incomplete")

WINDOWS = (7, 30, 60, 90)
"""Days ahead within which expiries are counted; each window holds the narrower ones."""

Samples = float | Iterable[tuple[Mapping[str, str], float]]


def render(audit: Audit, out: BinaryIO) -> None:
    """Write the text format, version 0.0.4; the series of a part of an audit carry its name as the label `part`."""
    registry = CollectorRegistry()
    registry.register(_AuditCollector(audit))
    out.write(generate_latest(registry))


@dataclass(frozen=True, eq=False)
class _AuditCollector(Collector):
    audit: Audit

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give a gauge for each metric."""
        part = {} if self.audit.part is None else {"part": self.audit.part.name}
        for name, description, samples in collect_metrics(self.audit):
            family = GaugeMetricFamily(f"credly_audit_{name}", description)
            for labels, value in [({}, samples)] if isinstance(samples, (int, float)) else samples:
                family.add_sample(family.name, {**labels, **part}, value)
            yield family


def collect_metrics(audit: Audit) -> Iterator[tuple[str, str, Samples]]:
    """Yield name, description and samples (a number, or one for each set of labels) of each metric."""
    verdict, counts, header = audit.verdict, count_audit(audit), audit.snapshot.header
    left = audit.tokens.loc[audit.expiring, "expires_at"] - pd.Timestamp(audit.as_of)
    complete = not verdict.not_seen and not audit.broken
    yield "info", "The version that audited.", [({"version": __version__}, 1)]
    yield "complete", "1 where every organization is complete and every rule ran, whatever a waiver accepts.", complete
    outcomes = {outcome: outcome == verdict.outcome for outcome in OUTCOMES}
    yield "verdict", "1 for how the audit ended, 0 for the other outcomes.", _by("outcome", outcomes)
    yield "exit_code", "The exit code of the audit: 0, 1 violations, 3 incomplete.", int(verdict.exit_code)
    yield "violations", "Findings that violate policy.", verdict.violations
    yield "broken_rules", "Rules that failed and were skipped.", len(audit.broken)
    yield "organizations", "Organizations by coverage.", _by("status", counts["by_status"])
    yield "organizations_accepted", "Incomplete organizations that a waiver accepts.", len(verdict.accepted)
    yield "organizations_unaudited", "Organizations in the register but in no configuration.", len(audit.unaudited)
    yield "tokens", "Tokens that Credly lists.", counts["tokens"]
    yield "tokens_by_permission", "Unexpired tokens by permissions.", _by("permission", count_permissions(audit))
    windows = {str(days): int((left <= pd.Timedelta(days=days)).sum()) for days in WINDOWS}
    yield "tokens_expiring", "Unexpired tokens that expire within so many days.", _by("within_days", windows)
    yield "tokens_expired", "Tokens that have expired and are still listed.", int(audit.expired.sum())
    yield "findings", "Open findings by severity.", _by("severity", counts["by_severity"])
    yield "findings_waived", "Findings that are waived.", counts["waived"]
    by_rule = [({"rule": rule, "name": audit.rules[rule].name}, many) for rule, many in counts["by_rule"].items()]
    yield "findings_by_rule", "Open findings by rule.", by_rule
    yield "findings_unseen", "Findings of earlier audits that were not assessed.", counts["unseen"]
    statuses = audit.findings.frame["status"].value_counts()
    if statuses.sum():
        yield "findings_by_status", "Findings by status since the last audit.", _by("status", statuses.to_dict())
    yield "as_of_timestamp_seconds", "The instant of the evaluation.", audit.as_of.timestamp()
    yield "collected_timestamp_seconds", "When the tokens were collected.", header.collected_at.timestamp()
    yield "generated_timestamp_seconds", "When this file was written.", audit.generated_at.timestamp()
    if len(left):
        upcoming = (audit.as_of + left.min()).timestamp()
        yield "next_expiry_timestamp_seconds", "When the next token expires.", upcoming


def _by(label: str, counts: Mapping[str, float]) -> Samples:
    return [({label: name}, many) for name, many in counts.items()]


RENDERER = Renderer(".prom", render, dated=False, counts_only=True)
