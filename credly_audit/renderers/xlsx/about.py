"""The sheet About: by what was judged, how to read it, and what was not looked at."""

from credly_audit import __version__
from credly_audit.renderers.xlsx.book import Book
from credly_audit.renderers.xlsx.free_sheet import Page
from credly_audit.renderers.xlsx.report import ABOUT, RULES, Report
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.table_xml import MOST_LINKS
from credly_audit.report.labels import COVERAGE, COVERAGE_MEANS
from credly_audit.severity import Severity
from credly_audit.text import NOTHING, count, spoken_day

READING = {
    "Order": "Findings stand worst first, Actions by due date, the Expiry calendar by expiry. A severity's digit lets "
    "filters and pivot tables sort by weight.",
    "Yellow columns": "Decision, Reason, Approved by and Until on the sheet Findings are yours to fill in; hand the "
    "workbook back, and `credly-audit waivers import` reads them.",
    "Ticks": "✓ yes, empty no, ? not said by Credly.",
    "Dates": "Every date is in UTC; a date cell holds the time of day too.",
    "Last rotated": "seen by an earlier audit, inferred from an expiry 180 days after it, or created and not rotated "
    "since, as the column beside it says.",
    "Due": "For a token that expires, its expiry; else reckoned from the severity, as the policy says.",
    "Status": "new, persisting or reopened against the audits before; unseen (grey): known from an earlier audit, its "
    "organization not having been seen this time, and counted apart.",
    "Links": f"Lead to the rows as they stood when the file was made, for the first {MOST_LINKS:,} rows of a sheet; "
    "after sorting, look for the id.",
    "Fingerprint": "The first 16 hex digits of a hash of the token's value, to tell whether two are the same. The "
    "value itself is in no report.",
    "Leading '": "Stands before a text from Credly that a spreadsheet could take for a formula.",
    "Controls": "A finding supports evidence for a control; it does not decide whether anybody complies.",
}

NOT_LOOKED_AT = (
    "Credly does not say when a token was last used, or who made it: neither could be judged.",
    "The tokens of organizations that were not fully seen; the sheet Organizations names them.",
    "Tokens deleted before the collection.",
)


def add_about(book: Book, report: Report) -> None:
    """The last sheet."""
    sheet = book.sheet(ABOUT)
    sheet.sheet_view.showGridLines = False
    page = Page(sheet)
    page.widths(2, 28, 110)
    page.high(32)
    page.line(B=("About this report", "title"))
    for heading, lines in _parts(report).items():
        page.heading(heading)
        for label, text in lines:
            page.line(B=(label, "strong"), C=text)
    page.write()


def _parts(report: Report) -> dict[str, list[tuple[str, str]]]:
    audit = report.audit
    header = audit.snapshot.header
    instants = {"As of": audit.as_of, "Collected": header.collected_at, "Made": audit.generated_at}
    key = header.fingerprint_key
    parts = {
        "This report": [
            *((name, f"{spoken_day(instant)}, {instant:%H:%M:%S} UTC") for name, instant in instants.items()),
            ("Compared with", _compared(report)),
            ("Credly's API", header.base_url),
            ("Organizations asked", count(len(header.organizations_asked), "organization", "organizations")),
            ("Fingerprints", f"under the key with the fingerprint {key}" if key else "plain SHA-256"),
            ("Made by", f"credly-audit {__version__} from a snapshot of version {header.tool_version}"),
        ],
        "How to read it": list(READING.items()),
        "Severities": [(SEVERITY_WORDS[severity], _due(report, severity)) for severity in reversed(Severity)],
        "Coverage": [(COVERAGE[status], f"{means[0].upper()}{means[1:]}.") for status, means in COVERAGE_MEANS.items()],
        "What was not looked at": [("", text) for text in (*NOT_LOOKED_AT, *audit.limitations)],
        "Policy": _policy(report),
    }
    if audit.broken:
        parts = {"Rules that are broken": list(audit.broken.items())} | parts
    return parts


def _compared(report: Report) -> str:
    compared = report.audit.compared
    return f"the audit of {spoken_day(compared.since)}" if compared else "no earlier audit"


def _due(report: Report, severity: Severity) -> str:
    within = report.audit.policy.due_within(severity)
    due = f"due within {count(within.days, 'day', 'days')}" if within else "asks for nothing"
    fails = "; the audit fails on it" if _fails(report, severity) else ""
    return f"{due[0].upper()}{due[1:]}{fails}."


def _fails(report: Report, severity: Severity) -> bool:
    named = [Severity(selector) for selector in report.audit.gate.fail_on if selector in set(Severity)]
    return any(severity.weight >= least.weight for least in named)


def _policy(report: Report) -> list[tuple[str, str]]:
    settings = report.audit.policy.settings.model_dump(mode="json") | {"fail_on": list(report.audit.gate.fail_on)}
    settings["rules"] = f"see the sheet {RULES}, which has the options of each"
    return [(name.replace("_", " "), _said(value)) for name, value in settings.items()]


def _said(value: object) -> str:
    if value is None or value in ([], {}):
        return NOTHING
    if isinstance(value, dict):
        return "; ".join(f"{name}: {_said(each)}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(_said, value)) if all(isinstance(each, str) for each in value) else _lines(value)
    return str(value)


def _lines(several: list[object]) -> str:
    return "\n".join(map(_said, several))
