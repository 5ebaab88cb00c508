"""What changed since the audit before: each change, the counts by organization, the trend, the time to remediate."""

from typing import Any

import pandas as pd

from credly_audit.audit.changes import FINDING_CHANGES, TOKEN_CHANGES
from credly_audit.audit.comparison import Comparison, compute_remediation_time, compute_remediation_times
from credly_audit.audit.findings import convert_to_plain
from credly_audit.audit.model import Audit
from credly_audit.renderers.html.charts import Chart, Datum, StackedChart, lying, stack
from credly_audit.renderers.html.page_labels import SEVERITIES, described
from credly_audit.renderers.html.plain_list import PlainList
from credly_audit.report.briefing import describe_removed
from credly_audit.report.change_labels import LABELS, count_changes, describe_deltas, describe_rules
from credly_audit.report.labels import ITSELF
from credly_audit.severity import Severity
from credly_audit.text import count, number, spoken, spoken_day

MOST_AUDITS = 36
MOST_RESOLVED = 1_000
"""Of the findings that templates of the last release list on their own."""


def changes(audit: Audit, lists: dict[str, PlainList], most_rows: int) -> dict[str, Any] | None:
    """Return what the parts on changes show; None where there is no earlier audit to compare with."""
    compared = audit.compared
    if compared is None:
        return None
    statuses = audit.findings.frame["status"].value_counts()
    return {
        "since": spoken(compared.since, audit.as_of),
        "statuses": [(status, int(statuses.get(status, 0))) for status in ("new", "persisting", "reopened", "unseen")],
        "many": len(compared.resolved),
        "resolved": [_resolved(audit, row) for row in _records(compared.resolved.head(MOST_RESOLVED))],
        "more": max(len(compared.resolved) - MOST_RESOLVED, 0),
        "counts": list(count_changes(compared.changes)),
        "removed": list(describe_removed(audit)),
        "rows": lists["changes"].rows(most_rows),
        "many_changes": len(lists["changes"]),
        "deltas": lists["deltas"].rows(most_rows),
        "many_deltas": len(lists["deltas"]),
        "trend": trend_chart(compared),
        "charts": [remediation_chart(compared)],
    }


def change_lists(audit: Audit) -> dict[str, PlainList]:
    """Return the lists of the changes and of the organizations with any, by name; none without an earlier audit."""
    if audit.compared is None:
        return {}
    return {each.name: each for each in (_list_changes(audit, audit.compared), _list_deltas(audit.compared))}


def _list_changes(audit: Audit, compared: Comparison) -> PlainList:
    frame = compared.changes
    severities = frame["severity"].astype("string")
    subjects = frame["description"].map(described, na_action="ignore").fillna(described(None))
    columns = pd.DataFrame(
        {
            "change": frame["change"].map(LABELS),
            "order": pd.Categorical(frame["change"], list(LABELS)).codes,
            "tone": severities.fillna("none"),
            "severity": severities.map({each.value: word for each, word in SEVERITIES.items()}),
            "weight": -frame["severity"].cat.codes,
            "subject": subjects.mask(frame["token_id"].isna(), ITSELF),
            "organization": frame["organization_name"],
            "place": "#organization-" + frame["organization_id"],
            "digits": frame["fingerprint"].str[:8],
            "detail": frame["detail"],
            "rule": describe_rules(audit, frame["rule_id"]),
            "rule_id": frame["rule_id"],
            "rule_place": ("#rule-" + frame["rule_id"]).fillna("#rules"),
            "token_id": frame["token_id"],
            "finding_id": frame["finding_id"],
        }
    )
    sorts = {name: name for name in ("subject", "organization", "detail", "rule")}
    return PlainList(
        "changes",
        columns,
        sorts | {"change": "order", "severity": "weight"},
        ("change", "severity", "organization", "detail"),
    )


def _list_deltas(compared: Comparison) -> PlainList:
    frame = compared.deltas
    moved = frame["open_now"] - frame["open_before"]
    columns = pd.DataFrame(
        {
            "organization": frame["organization_name"],
            "place": "#organization-" + frame["organization_id"],
            "tokens": describe_deltas(frame, TOKEN_CHANGES),
            "many_tokens": -frame[list(TOKEN_CHANGES)].sum(axis=1),
            "findings": describe_deltas(frame, FINDING_CHANGES),
            "many_findings": -frame[list(FINDING_CHANGES)].sum(axis=1),
            "open": frame["open_now"].map(number),
            "many_open": -frame["open_now"],
            "moved": moved.map(lambda many: f"{many:+,}" if many else "unchanged"),
            "many_moved": -moved,
        }
    )
    sorts = {name: f"many_{name}" for name in ("tokens", "findings", "open", "moved")}
    return PlainList("deltas", columns, {"organization": "organization"} | sorts, ())


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    columns = [convert_to_plain(frame[name]) for name in frame]
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


def trend_chart(compared: Comparison) -> StackedChart | str:
    """Draw the open findings of the last audits by severity, this one last."""
    trend = compared.trend.tail(MOST_AUDITS)
    if len(trend) < 2:  # noqa: PLR2004 - a trend needs two
        return "A trend shows from the second audit on."
    severities = [severity.value for severity in Severity]
    totals = trend[severities].sum(axis=1).tolist()
    fewer = totals[-2] - totals[-1]
    moved = (
        f"{number(abs(fewer))} {'fewer' if fewer > 0 else 'more'} than at the audit before"
        if fewer
        else "as many as at the audit before"
    )
    is_long = trend["as_of"].iloc[-1] - trend["as_of"].iloc[0] > pd.Timedelta(days=400)
    names = [(spoken_day(when), f"{when:%b %y}" if is_long else f"{when:%d %b}") for when in trend["as_of"]]
    return stack(
        f"{count(totals[-1], 'open finding', 'open findings')}, {moved}",
        "Audit of",
        names,
        {severity: trend[severity].tolist() for severity in severities},
        {severity.value: SEVERITIES[severity] for severity in Severity},
    )


def remediation_chart(compared: Comparison) -> Chart | str:
    """Draw the median time to remediate by severity."""
    overall = compute_remediation_time(compared.remediated)
    if overall is None:
        return "No finding has been resolved yet, so there is no time to remediate."
    data = [
        Datum(SEVERITIES[severity], time.median_days, severity.value, count(time.findings, "finding", "findings"))
        for severity, time in compute_remediation_times(compared.remediated).items()
        if time is not None
    ]
    return lying(f"Median time to remediate: {overall.days}", "Days to remediate (median)", data)
