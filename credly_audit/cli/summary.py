"""What a person reads on the terminal at the end: the verdict, what was not seen, what to do first, the reports."""

import logging
import os
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from credly_audit.audit.model import Audit
from credly_audit.cli import screen
from credly_audit.cli.logs import is_json
from credly_audit.cli.screen import Line, Span
from credly_audit.report.briefing import MOST_NAMED, actions, decisions_in_need, headline, removed_from_scope, unseen
from credly_audit.report.counts import tally
from credly_audit.severity import Severity
from credly_audit.text import count, number, one_line, spoken, spoken_day

log = logging.getLogger(__name__)

MOST_EXPLAINED = 4
"""Of so many organizations not fully seen each is told with its reason; of more, the names stand side by side."""

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
    """Prints the summary of an audit on standard output, or on standard error where that holds a report."""

    report_on_standard_output: bool
    no_color: bool

    def __call__(self, audit: Audit, written: Sequence[Path]) -> Callable[[], None]:
        """Return what prints the summary; with JSON lines on standard error it is one of them."""
        if self.report_on_standard_output and is_json():
            lines = summary(audit, written)
            return lambda: log.info("\n".join(map(screen.plain, lines)))
        stream = sys.stderr if self.report_on_standard_output else sys.stdout
        lines = summary(audit, written, screen.size(stream))
        return lambda: screen.print_lines(*lines, stream=stream, no_color=self.no_color)


def summary(audit: Audit, written: Sequence[Path], size: os.terminal_size = PAGE) -> list[Line]:
    """A few lines, styled, the first of which says it all; they fit the screen, where there is one."""
    above = [*_verdict(audit, size.columns), *_not_seen(audit, size.columns)]
    below = [_cut(line, size.columns) for line in _reports(written)]
    room = (size.lines - len(above) - len(below) - 4) // LINES_AN_ACTION if size.lines else MOST_ACTIONS
    return [*above, *_first(audit, min(max(room, 1), MOST_ACTIONS), size.columns), *below]


def _verdict(audit: Audit, columns: int) -> Iterator[Line]:
    for line in textwrap.wrap(headline(audit), columns) if columns else [headline(audit)]:
        yield (Span(line, OUTCOMES[audit.verdict.outcome], bold=True),)
    counts = tally(audit)
    weights = [
        Span(f"{number(many)} {severity}", SEVERITIES[Severity(severity)])
        for severity, many in reversed(counts["by_severity"].items())
        if many
    ]
    waived = f"; {number(counts['waived'])} waived" if counts["waived"] else ""
    listed = [each for weight in weights for each in (Span(", "), weight)][1:] or [Span("none")]
    yield (Span("Findings: "), *listed, Span(f"{waived}."))
    for line in since_then(audit):
        yield _cut(line, columns)


def since_then(audit: Audit) -> Iterator[str]:
    """What changed since the last audit, where there was one; how many findings nobody saw this time."""
    if audit.policy_change is not None:
        yield audit.policy_change.sentence
    if audit.compared is not None and len(audit.compared.trend):
        now = audit.compared.trend.iloc[-1]
        counts = ", ".join(f"{now[name]} {name}" for name in ("new", "persisting", "reopened", "resolved"))
        yield f"Since {spoken_day(audit.compared.since)}: {counts}."
    hidden = int(audit.findings.unseen.sum())
    if hidden:
        yield f"{count(hidden, 'finding', 'findings')} of earlier audits could not be looked for this time (unseen)."


def _not_seen(audit: Audit, columns: int) -> Iterator[Line]:
    """The first organizations not fully seen, and where the rest are; the rules that could not judge."""
    hidden = unseen(audit)
    if len(hidden) > MOST_EXPLAINED and columns:
        most = max(columns * LINES_OF_NAMES // MOST_NAMED - len(" (unverified), "), SHORTEST_NAME)
        names = ", ".join(f"{one_line(each.name, most)} ({each.status})" for each in hidden[:MOST_NAMED])
        for line in textwrap.wrap(f"Not fully seen: {names}", columns, subsequent_indent="  "):
            yield (Span(line, "yellow"),)
    else:
        for each in hidden[:MOST_NAMED]:
            line = f"  not fully seen: {one_line(each.name, 60)}: {each.status}: {one_line(each.reason, 500)}"
            yield (Span(_cut(line, columns), "yellow"),)
    if len(hidden) > MOST_NAMED:
        yield f"  … and {number(len(hidden) - MOST_NAMED)} more, in the reports"
    for line in (*removed_from_scope(audit), *decisions_in_need(audit)):
        yield _cut(f"  {line}", columns)
    if audit.unaudited:
        names = one_line(", ".join(audit.unaudited[:MOST_NAMED]), 1_000)
        more = ", …" if len(audit.unaudited) > MOST_NAMED else ""
        yield _cut(f"  in the register, but not asked: {names}{more}", columns)
    for rule, said in audit.broken.items():
        yield (Span(_cut(f"  broken rule: {rule}: {one_line(said)}", columns), "red"),)


def _first(audit: Audit, most: int, columns: int) -> Iterator[Line]:
    """What to do first: each in two lines."""
    asked = list(actions(audit, None))
    if not asked:
        return
    yield (Span("What to do first:", bold=True),)
    for action in asked[:most]:
        due = f"by {spoken(action.due_at, audit.as_of)}: " if action.due_at else ""
        contact = f" Contact: {one_line(action.contact, 60)}" if action.contact else ""
        line = _cut(f"  {action.severity:<9}{due}{one_line(action.subject, 160)}", columns)
        weight = len("  ") + len(action.severity)
        yield (Span(line[:weight], SEVERITIES[action.severity], bold=True), Span(line[weight:]))
        yield _cut(f"           {one_line(action.what, 300)}{contact}", columns)
    if len(asked) > most:
        yield f"  … and {number(len(asked) - most)} more, in the reports"


def _reports(written: Sequence[Path]) -> Iterator[str]:
    for path in written[:MOST_WRITTEN]:
        yield f"Wrote {one_line(str(path), 1_000)}"
    if len(written) > MOST_WRITTEN:
        files = count(len(written) - MOST_WRITTEN, "file", "files")
        folders = ", ".join(dict.fromkeys(f"{path.parent}/" for path in written[MOST_WRITTEN:]))
        yield f"  … and {files} more in {one_line(folders, 1_000)}"


def _cut(line: str, columns: int) -> str:
    return line if not columns or len(line) <= columns else line[: columns - 1] + "…"
