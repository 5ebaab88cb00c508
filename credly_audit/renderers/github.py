"""GitHub workflow commands: the worst findings as annotations of the run and of the configuration's lines.

GitHub shows ten errors, ten warnings and ten notices of a step and drops the rest in silence, so a last notice counts
what is left out.
"""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from credly_audit.audit.gate import COVERAGE_RULES
from credly_audit.audit.model import Audit
from credly_audit.renderers.base import Renderer
from credly_audit.report.briefing import list_incomplete, write_headline
from credly_audit.severity import Severity
from credly_audit.text import count, one_line, subject, workflow_message, workflow_property

MOST = 10
"""The most annotations of one level that GitHub shows for a step ('Workflow commands', limits of annotations)."""

MOST_TOLD_APART = 4
"""The most incomplete organizations, and the most broken rules, that have an annotation of their own."""

LEVELS = ("error", "warning", "notice")


def render(audit: Audit, out: BinaryIO) -> None:
    """A line an annotation: the verdict, what was not seen, the findings worst first, what is left out."""
    room = dict.fromkeys(LEVELS, MOST) | {"notice": MOST - 1}
    for level, line in opening(audit):
        room[level] -= 1
        out.write(line)
    levels = leveled(audit)
    shown = [np.flatnonzero(levels == number)[: room[level]] for number, level in enumerate(LEVELS)]
    mask = np.zeros(len(levels), dtype=bool)
    mask[np.concatenate(shown)] = True
    for number, finding in zip(levels[mask].tolist(), audit.findings.where(mask).records(), strict=True):
        text = f"{subject(finding)}: {finding['message']} {finding['remediation']}"
        title = f"{finding['severity']}: {finding['rule_id']} {finding['rule_name']}"
        out.write(command(LEVELS[number], text, title, audit.places.of(finding["organization_id"])))
    left_out = int((levels >= 0).sum() - mask.sum())
    if left_out:
        text = f"{count(left_out, 'finding is', 'findings are')} not shown here: GitHub shows {MOST} of a kind."
        out.write(command("notice", f"{text} The reports hold all.", "credly-audit"))


def opening(audit: Audit) -> Iterator[tuple[str, bytes]]:
    """The verdict, and what keeps it from being whole."""
    gap = "warning" if audit.gate.allow_partial and not audit.broken else "error"
    level = {"incomplete": gap, "violations": "error", "pass": "notice"}[audit.verdict.outcome]
    yield level, command(level, write_headline(audit), "credly-audit")
    for each in list_incomplete(audit)[:MOST_TOLD_APART]:
        kind = "warning" if each.organization_id in audit.verdict.accepted else gap
        text = f"{one_line(each.name, 60)} is incomplete ({each.status}): {one_line(each.reason)}"
        yield kind, command(kind, text, "incomplete", audit.places.of(each.organization_id))
    if audit.unaudited:
        many = count(len(audit.unaudited), "organization", "organizations")
        text = f"{many} of the register in no configuration: {one_line(', '.join(audit.unaudited))}"
        yield "warning", command("warning", text, "not audited")
    for rule, said in list(audit.broken.items())[:MOST_TOLD_APART]:
        yield "error", command("error", f"Rule {rule} is broken: {one_line(said)}", "broken rule")


def leveled(audit: Audit) -> np.ndarray:
    """Each finding's position in LEVELS: what the gate counts is an error; -1 where it is not open or told before."""
    frame = audit.findings.frame
    told = ~audit.findings.open | frame["rule_id"].isin(COVERAGE_RULES).to_numpy()
    weighty = frame["severity"].cat.codes.to_numpy() >= Severity.MEDIUM.weight
    levels = np.where(audit.violates, 0, np.where(weighty, 1, 2))
    return np.where(told, -1, levels)


def command(level: str, text: str, title: str, place: tuple[str, int] | None = None) -> bytes:
    """`::error file=…,line=…,title=…::text`."""
    properties = {} if place is None else {"file": place[0], "line": str(place[1])}
    said = ",".join(f"{name}={workflow_property(value)}" for name, value in (properties | {"title": title}).items())
    return f"::{level} {said}::{workflow_message(text)}\n".encode()


RENDERER = Renderer(".github.txt", render, speaks=True)
