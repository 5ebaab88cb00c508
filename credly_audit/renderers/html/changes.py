"""What changed since the audit before: what was mended, how long that takes, and whether it is getting better."""

from typing import Any

import pandas as pd

from credly_audit.audit.comparison import Comparison, remediation_time, remediation_times
from credly_audit.audit.findings import plain
from credly_audit.audit.model import Audit
from credly_audit.renderers.html.charts import Chart, Datum, lying, standing
from credly_audit.renderers.html.labels import SEVERITIES, described
from credly_audit.report.briefing import removed_from_scope
from credly_audit.report.labels import ITSELF
from credly_audit.severity import Severity
from credly_audit.text import count, number, spoken, spoken_day

MOST_AUDITS = 12
MOST_RESOLVED = 1_000


def changes(audit: Audit) -> dict[str, Any] | None:
    """None where there is no earlier audit to compare with."""
    compared = audit.compared
    if compared is None:
        return None
    statuses = audit.findings.frame["status"].value_counts()
    return {
        "since": spoken(compared.since, audit.as_of),
        "statuses": [(status, int(statuses.get(status, 0))) for status in ("new", "persisting", "reopened", "unseen")],
        "many": len(compared.resolved),
        "removed": list(removed_from_scope(audit)),
        "resolved": [_resolved(audit, row) for row in _records(compared.resolved.head(MOST_RESOLVED))],
        "more": max(len(compared.resolved) - MOST_RESOLVED, 0),
        "charts": [trend_chart(compared), mending_chart(compared)],
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [plain(frame[name]) for name in frame]
    return [dict(zip(frame.columns, values, strict=True)) for values in zip(*columns, strict=True)]


def _resolved(audit: Audit, row: dict[str, Any]) -> dict[str, Any]:
    rule = audit.rules.get(row["rule_id"])
    severity = Severity(row["severity"])
    return {
        "tone": severity.value,
        "severity": SEVERITIES[severity],
        "subject": described(row["description"]) if row["token_id"] else ITSELF,
        "organization": row["organization_name"],
        "digits": (row["fingerprint"] or "")[:8],
        "rule": rule.name.replace("-", " ") if rule else row["rule_id"],
        "rule_id": row["rule_id"],
        "first": spoken_day(row["first_seen_at"]) if row["first_seen_at"] else None,
        "resolved": spoken_day(row["resolved_at"]),
        "days": row["days_open"],
    }


def trend_chart(compared: Comparison) -> Chart | str:
    """The open findings of the last audits, this one last."""
    trend = compared.trend.tail(MOST_AUDITS)
    if len(trend) < 2:  # noqa: PLR2004 - a trend needs two
        return "A trend shows from the second audit on."
    many = trend[[severity.value for severity in Severity]].sum(axis=1).tolist()
    grave = trend[["critical", "high"]].sum(axis=1).tolist()
    fewer = many[-2] - many[-1]
    moved = (
        f"{number(abs(fewer))} {'fewer' if fewer > 0 else 'more'} than at the audit before"
        if fewer
        else ("as many as at the audit before")
    )
    last = trend["as_of"].iloc[-1]
    data = [
        Datum(
            spoken_day(when),
            value,
            "strong" if when == last else "plain",
            f"{number(of_them)} critical or high",
            f"{when:%d %b}",
        )
        for when, value, of_them in zip(trend["as_of"], many, grave, strict=True)
    ]
    return standing(f"{count(many[-1], 'open finding', 'open findings')}, {moved}", "Open findings", data)


def mending_chart(compared: Comparison) -> Chart | str:
    """Draw the median time to remediate by severity."""
    mended = compared.mended
    overall = remediation_time(mended)
    if overall is None:
        return "No finding has been resolved yet, so there is no time to remediate."
    data = [
        Datum(SEVERITIES[severity], time.median_days, severity.value, count(time.findings, "finding", "findings"))
        for severity, time in remediation_times(mended).items()
        if time is not None
    ]
    return lying(f"Median time to remediate: {overall.days}", "Days to remediate (median)", data)
