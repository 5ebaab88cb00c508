"""What a person reads on the terminal at the end: the verdict, the coverage, the top priorities, the reports."""

import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from credly_audit.audit.model import Audit
from credly_audit.cli import screen
from credly_audit.cli.logs import is_json, print_summary
from credly_audit.cli.screen import Line, Span
from credly_audit.report.briefing import (
    MOST_NAMED,
    describe_decisions,
    describe_removed,
    describe_undelivered,
    list_incomplete,
    write_headline,
)
from credly_audit.report.counts import count_audit
from credly_audit.report.key_figures import KeyFigures
from credly_audit.report.priorities import Priorities
from credly_audit.severity import Severity
from credly_audit.text import count, harmless, number, one_line, spoken_day

MOST_EXPLAINED = 4
"""On a screen, so many incomplete organizations are shown with their reasons; of more, the names side by side."""

LINES_OF_NAMES, SHORTEST_NAME = 8, 12

MOST_ACTIONS = 5
MOST_WRITTEN = 5

LINES_AN_ACTION = 2

OUTCOMES = {"pass": "green", "violations": "red", "incomplete": "yellow"}

SEVERITIES = {
    Severity.CRITICAL: "magenta",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: None,
}

PAGE = os.terminal_size((0, 0))
"""No screen to fit: lines as long as they are."""


@dataclass(frozen=True, slots=True)
class SummaryPrinter:
    """Prints the summary of an audit on standard output, or on standard error where standard output has a report."""

    no_color: bool

    def __call__(self, audit: Audit, written: Sequence[Path], beside_report: bool) -> Callable[[], None]:
        """Return what prints the summary: lines that fit the screen or, where the log is JSON, an event of it."""
        stream = sys.stderr if beside_report else sys.stdout
        lines = summary(audit, written, PAGE if is_json() else screen.size(stream))
        fields = describe(audit, written)
        return partial(print_summary, *lines, stream=stream, no_color=self.no_color, **fields)


def describe(audit: Audit, written: Sequence[Path]) -> dict[str, Any]:
    """Return the facts of a summary for programs, under the names that the JSON report has for them."""
    verdict, counts = audit.verdict, count_audit(audit)
    return {
        "outcome": verdict.outcome,
        "exit_code": int(verdict.exit_code),
        "violations": verdict.violations,
        "organizations": len(audit.organizations),
        "incomplete": [
            {
                "organization_id": each.organization_id,
                "name": harmless(each.name),
                "status": each.status,
                "reason": harmless(each.reason),
            }
            for each in list_incomplete(audit)
        ],
        "tokens": len(audit.tokens),
        "by_severity": counts["by_severity"],
        "waived": counts["waived"],
        "files": [harmless(str(path)) for path in written],
    }


def summary(audit: Audit, written: Sequence[Path], size: os.terminal_size = PAGE) -> list[Line]:
    """Return the summary as a few styled lines, the verdict first; they fit the screen, where there is one."""
    above = [*_verdict(audit, size.columns), *_incomplete(audit, size.columns)]
    below = [_cut(line, size.columns) for line in _reports(written)]
    room = (size.lines - len(above) - len(below) - 4) // LINES_AN_ACTION if size.lines else MOST_ACTIONS
    return [*above, *_first(audit, min(max(room, 1), MOST_ACTIONS), size.columns), *below]


def _verdict(audit: Audit, columns: int) -> Iterator[Line]:
    for line in textwrap.wrap(write_headline(audit), columns) if columns else [write_headline(audit)]:
        yield (Span(line, OUTCOMES[audit.verdict.outcome], bold=True),)
    counts = count_audit(audit)
    weights = [
        Span(f"{number(many)} {severity}", SEVERITIES[Severity(severity)])
        for severity, many in reversed(counts["by_severity"].items())
        if many
    ]
    waived = f"; {number(counts['waived'])} waived" if counts["waived"] else ""
    listed = [each for weight in weights for each in (Span(", "), weight)][1:] or [Span("none")]
    yield (Span("Findings: "), *listed, Span(f"{waived}."))
    yield from describe_figures(audit, columns)
    for line in since_then(audit):
        yield _cut(line, columns)


def describe_figures(audit: Audit, columns: int) -> Iterator[str]:
    """Yield the key figures; on a screen those that are not 0 or have changed, without details."""
    shown = (each for each in KeyFigures(audit) if each.value or each.change or not columns)
    said = [each.brief if columns else each.sentence for each in shown]
    line = f"Key figures: {'; '.join(said)}."
    yield from textwrap.wrap(line, columns, subsequent_indent="  ") if columns else [line]


def since_then(audit: Audit) -> Iterator[str]:
    """Yield what changed since the last audit, where there was one, and how many findings were not assessed."""
    if audit.policy_change is not None:
        yield audit.policy_change.sentence
    if audit.compared is not None and len(audit.compared.trend):
        now = audit.compared.trend.iloc[-1]
        counts = ", ".join(f"{number(int(now[name]))} {name}" for name in ("new", "persisting", "reopened", "resolved"))
        yield f"Since {spoken_day(audit.compared.since)}: {counts}."
    hidden = int(audit.findings.unseen.sum())
    if hidden:
        were = "finding of earlier audits was", "findings of earlier audits were"
        yield f"{count(hidden, *were)} not assessed in this audit (carried over)."


def _incomplete(audit: Audit, columns: int) -> Iterator[Line]:
    """Yield the incomplete organizations and the rules that failed; what a screen has no room for is in the reports."""
    hidden = list_incomplete(audit)
    if len(hidden) > MOST_EXPLAINED and columns:
        most = max(columns * LINES_OF_NAMES // MOST_NAMED - len(" (unverified), "), SHORTEST_NAME)
        names = ", ".join(f"{one_line(each.name, most)} ({each.status})" for each in hidden[:MOST_NAMED])
        for line in textwrap.wrap(f"Incomplete organizations: {names}", columns, subsequent_indent="  "):
            yield (Span(line, "yellow"),)
    else:
        for each in hidden:
            line = describe_incomplete(each.name, each.status, each.reason)
            yield (Span(_cut(line, columns), "yellow"),)
    if len(hidden) > MOST_NAMED and columns:
        yield f"  … and {number(len(hidden) - MOST_NAMED)} more, in the reports"
    for line in (*describe_removed(audit), *describe_decisions(audit)):
        yield _cut(f"  {line}", columns)
    undelivered = describe_undelivered(audit.undelivered)
    if undelivered:
        yield (Span(_cut(f"  {undelivered}", columns), "yellow"),)
    if audit.unaudited:
        names = one_line(", ".join(audit.unaudited[:MOST_NAMED]), 1_000)
        more = ", …" if len(audit.unaudited) > MOST_NAMED else ""
        yield _cut(f"  in the register, but not in this audit: {names}{more}", columns)
    for rule, said in audit.broken.items():
        yield (Span(_cut(f"  failed rule: {rule}: {one_line(said)}", columns), "red"),)


def describe_incomplete(name: str, status: str, reason: str) -> str:
    """Return the line about an incomplete organization."""
    return f"  {one_line(name, 60)}: incomplete ({status}). {one_line(reason, 500)}"


def _first(audit: Audit, most: int, columns: int) -> Iterator[Line]:
    """Yield the top priorities, each in two lines."""
    priorities = Priorities(audit)
    if not priorities.many:
        return
    yield (Span("Top priorities:", bold=True),)
    for each in priorities.groups(most):
        line = _cut(f"  {each.severity:<9}{one_line(each.title, 160)}", columns)
        weight = len("  ") + len(each.severity)
        yield (Span(line[:weight], SEVERITIES[each.severity], bold=True), Span(line[weight:]))
        first = each.describe_first(audit.as_of) or each.describe_dates(audit.as_of)
        contacts = f" Owners: {one_line(each.describe_contacts(), 600)}." if each.contacts else ""
        yield _cut(f"           {one_line(first, 500)}{contacts}", columns)
    if priorities.many > most:
        yield f"  … and {count(priorities.many - most, 'more group', 'more groups')} of work, in the reports"


def _reports(written: Sequence[Path]) -> Iterator[str]:
    for path in written[:MOST_WRITTEN]:
        yield f"Wrote {one_line(str(path), 1_000)}"
    if len(written) > MOST_WRITTEN:
        files = count(len(written) - MOST_WRITTEN, "more file", "more files")
        folders = ", ".join(dict.fromkeys(f"{path.parent}/" for path in written[MOST_WRITTEN:]))
        yield f"  … and {files} in {one_line(folders, 1_000)}"


def _cut(line: str, columns: int) -> str:
    return line if not columns or len(line) <= columns else line[: columns - 1] + "…"
