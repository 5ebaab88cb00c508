"""JSON: everything, for programs; docs/report.schema.json describes it.

A change that breaks a reader raises SCHEMA_VERSION.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, BinaryIO

import msgspec
import pandas as pd

from credly_audit import __version__
from credly_audit.audit.changes import CHANGES, DELTAS
from credly_audit.audit.comparison import REMOVED, RESOLVED, Comparison, compute_remediation_times
from credly_audit.audit.findings import convert_to_plain
from credly_audit.audit.model import AUDITED_TOKENS, Audit
from credly_audit.audit.policy_change import PolicyChange
from credly_audit.audit.prior import TREND
from credly_audit.renderers.base import Renderer
from credly_audit.report.counts import count_audit
from credly_audit.report.key_figures import KeyFigures
from credly_audit.report.results import Results
from credly_audit.snapshot import APPLICATIONS, ORGANIZATIONS
from credly_audit.text import inert_json

SCHEMA_VERSION = "1.0"

PIECE = 5_000

AGE_NAMES = ("0_30_days", "31_90_days", "over_90_days")
"""Of key_figures.AGES."""


def render(audit: Audit, out: BinaryIO) -> None:
    """One JSON object, UTF-8; lists are written a piece at a time, so memory stays flat."""
    out.write(b"{")
    out.writelines(encode(name) + b":" + encode(value) + b",\n" for name, value in head(audit).items())
    write_list(out, "organizations", rows(audit.organizations, list(ORGANIZATIONS)))
    out.write(b",\n")
    write_list(out, "tokens", tokens(audit))
    out.write(b",\n")
    write_list(out, "oauth_applications", rows(audit.snapshot.applications, list(APPLICATIONS)))
    out.write(b",\n")
    write_list(out, "findings", audit.findings.records())
    out.write(b"}\n")


def head(audit: Audit) -> dict[str, Any]:
    """Everything but the lists."""
    verdict = audit.verdict
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "credly-audit", "version": __version__},
        "part": audit.part,
        "as_of": audit.as_of,
        "collected_at": audit.snapshot.header.collected_at,
        "generated_at": audit.generated_at,
        "base_url": audit.snapshot.header.base_url,
        "oauth_applications_asked": audit.snapshot.header.oauth_applications_asked,
        "policy": audit.policy.settings.model_dump(mode="json") | {"fail_on": list(audit.gate.fail_on)},
        "verdict": {
            "outcome": verdict.outcome,
            "exit_code": int(verdict.exit_code),
            "violations": verdict.violations,
            "not_seen": list(verdict.not_seen),
            "accepted": list(verdict.accepted),
            "unaudited": audit.unaudited,
            "broken_rules": dict(audit.broken),
        },
        "summary": summarize(audit),
        "waivers": [
            each.waiver.model_dump(mode="json") | {"state": each.state, "findings": each.findings}
            for each in audit.decisions.waivers
        ],
        "plans": [
            each.plan.model_dump(mode="json") | {"state": each.state, "findings": each.findings}
            for each in audit.decisions.plans
        ],
        "limitations": list(audit.limitations),
        "compared": None if audit.compared is None else compared(audit.compared),
        "policy_change": None if audit.policy_change is None else policy_change(audit.policy_change),
    }


def summarize(audit: Audit) -> dict[str, Any]:
    """Return the counts, the key figures, and what each rule and control came to."""
    results, figures = Results(audit), KeyFigures(audit)
    return count_audit(audit) | {
        "key_figures": figures.counts,
        "open_by_age": {
            severity.value: dict(zip(AGE_NAMES, counts, strict=True)) for severity, counts in figures.ages.items()
        },
        "rules": {rule_id: result.as_dict() for rule_id, result in results.rules.items()},
        "controls": [each.as_dict() for each in results.controls],
    }


def compared(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison with earlier audits: changes, resolved findings, the trend, and times to remediate."""
    changes = comparison.changes.assign(change=comparison.changes["change"].str.replace(" ", "_"))
    deltas = comparison.deltas.rename(columns=lambda name: name.replace(" ", "_"))
    return {
        "since": comparison.since,
        "key_figures": dict(comparison.figures),
        "changes": list(rows(changes, list(CHANGES))),
        "organization_changes": list(rows(deltas, [name.replace(" ", "_") for name in DELTAS])),
        "resolved": list(rows(comparison.resolved, list(RESOLVED))),
        "removed_from_scope": list(rows(comparison.removed, list(REMOVED))),
        "trend": list(rows(comparison.trend, list(TREND))),
        "time_to_mend": describe_remediation_times(comparison.remediated),
    }


def policy_change(change: PolicyChange) -> dict[str, Any]:
    """Return how many findings the configuration adds and removes beside the other one, and of which rules."""
    return {"adds": change.adds, "removes": change.removes, "rules": change.rules}


def describe_remediation_times(remediated: pd.DataFrame) -> dict[str, Any]:
    """By severity how many findings were remediated, and the median of their days; null where none was."""
    return {
        severity.value: None if time is None else {"findings": time.findings, "median_days": time.median_days}
        for severity, time in compute_remediation_times(remediated).items()
    }


def tokens(audit: Audit) -> Iterator[dict[str, Any]]:
    """The tokens, each with its consumers; where there is a register, with what that says (None: not the token)."""
    sets = [[{"name": each.name, "contact": each.contact} for each in consumers] for consumers in audit.consumers]
    using = [(*sets, [])[place] for place in audit.tokens["consumers_row"].tolist()]
    found = (row | {"consumers": own} for row, own in zip(rows(audit.tokens, list(AUDITED_TOKENS)), using, strict=True))
    register = audit.policy.register
    if register is None:
        yield from found
        return
    entries = list(rows(register.documented, list(register.documented)))
    places = audit.tokens["register_row"].tolist()
    for row, place in zip(found, places, strict=True):
        yield row | {"register": entries[place] if place >= 0 else None}


def rows(frame: pd.DataFrame, names: list[str]) -> Iterator[dict[str, Any]]:
    """Each row as a dictionary."""
    for start in range(0, len(frame), PIECE):
        piece = frame.iloc[start : start + PIECE]
        columns = [convert_to_plain(piece[name]) for name in names]
        yield from (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))


def write_list(out: BinaryIO, name: str, items: Iterable[dict[str, Any]]) -> None:
    """`"name":[…]`, a line an item."""
    out.write(encode(name) + b":[")
    lead = b"\n"
    for item in items:
        out.write(lead + encode(item))
        lead = b",\n"
    out.write(b"]")


def encode(value: Any) -> bytes:
    """JSON; instants as ISO 8601 in UTC; what a terminal would obey is escaped."""
    encoded = msgspec.json.encode(value, enc_hook=_instant)
    return encoded if encoded.isascii() and b"\x7f" not in encoded else inert_json(encoded.decode()).encode()


def _instant(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(type(value).__name__)


RENDERER = Renderer(".json", render)
