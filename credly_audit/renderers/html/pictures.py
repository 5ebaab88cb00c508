"""What the page draws of an audit: each picture's title says what it shows."""

from typing import Any

from credly_audit.audit.model import Audit
from credly_audit.renderers.html.charts import Chart, Datum, lying, standing
from credly_audit.renderers.html.page_labels import SEVERITIES
from credly_audit.report.briefing import MONTHS, count_expiries, count_permissions, find_soon_days
from credly_audit.report.labels import COVERAGE, COVERAGE_MEANS
from credly_audit.severity import Severity
from credly_audit.text import count, number

STRIP = 1_000.0


def coverage_strip(by_status: dict[str, int]) -> list[dict[str, Any]]:
    """The organizations by how completely they were seen, as stretches of one strip; those without any are told too."""
    total, start, stretches = sum(by_status.values()) or 1, 0.0, []
    for status, word in COVERAGE.items():
        many, means = by_status[status], COVERAGE_MEANS[status]
        width = round(many * STRIP / total, 1)
        stretches.append({"status": status, "word": word, "means": means, "many": many, "x": start, "width": width})
        start = round(start + width, 1)
    return stretches


def severity_chart(counts: dict[str, Any]) -> Chart | str:
    """The open findings by severity, or that there is none."""
    if not counts["findings"]:
        return "No finding is open."
    by_severity = counts["by_severity"]
    grave = by_severity["critical"] + by_severity["high"]
    title = f"{number(grave)} of {count(counts['findings'], 'open finding is', 'open findings are')} critical or high"
    data = [Datum(SEVERITIES[severity], by_severity[severity], severity.value) for severity in reversed(Severity)]
    return lying(title, "Open findings", data)


def permission_chart(audit: Audit) -> Chart | str:
    """The unexpired tokens by what they may do."""
    may = count_permissions(audit)
    total = sum(may.values())
    if not total:
        return "No unexpired token was collected."
    can = may["read, write and delete"] + may["delete"] + may["write"]
    title = f"{number(can)} of {count(total, 'unexpired token', 'unexpired tokens')} can write or delete"
    strong = {"read, write and delete", "delete", "write"}
    data = [Datum(name, many, "strong" if name in strong else "plain") for name, many in may.items()]
    return lying(title, "Unexpired tokens", data)


def expiry_chart(audit: Audit) -> Chart | str:
    """The unexpired tokens by month of expiry."""
    months, soon = count_expiries(audit), find_soon_days(audit)
    days = count(soon, "day", "days")
    busiest = max(months, key=lambda month: month.tokens)
    if not busiest.tokens:
        return f"No collected token expires in the next {MONTHS} months."
    within = sum(month.soon for month in months)
    first = (
        f"{count(within, 'token expires', 'tokens expire')} within {days}"
        if within
        else (f"No token expires within {days}")
    )
    title = f"{first}; the busiest month is {busiest.first:%B %Y} with {number(busiest.tokens)}"
    data = [
        Datum(
            f"{month.first:%B %Y}",
            month.tokens,
            "soon" if month.soon else "plain",
            f"{number(month.soon)} within {days}" if month.soon else "",
            f"{month.first:%b}",
        )
        for month in months
    ]
    return standing(title, "Tokens that expire", data)
