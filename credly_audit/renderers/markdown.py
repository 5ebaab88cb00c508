"""Markdown: the report as a GitHub step summary or a comment, of at most 1 MiB.

A finding is a line of a table, worst first; where they do not all fit, the last line says how many are left out.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from credly_audit import __version__
from credly_audit.audit.model import Audit
from credly_audit.audit.policy_change import PolicyChange
from credly_audit.renderers.base import Renderer
from credly_audit.report.briefing import (
    MOST_NAMED,
    describe_decisions,
    describe_removed,
    describe_undelivered,
    list_incomplete,
    write_headline,
)
from credly_audit.report.counts import count_audit
from credly_audit.report.key_figures import AGES, KeyFigures
from credly_audit.report.priorities import MOST_GROUPS, Priorities
from credly_audit.text import NOTHING, count, instant, markdown, number, spoken, spoken_day, subject

MOST_BYTES = 1_000_000
"""A step summary of GitHub holds 1 MiB; a longer one is refused whole."""

SYMBOLS = {"pass": "✅", "violations": "❌", "incomplete": "⚠️"}


def render(audit: Audit, out: BinaryIO) -> None:
    """The four questions of a first page, then the findings as far as they fit."""
    room = MOST_BYTES - 1_000
    for part in (opening(audit), key_figures(audit), coverage(audit), first(audit), counts(audit)):
        for line in part:
            text = f"{line}\n".encode()
            room -= len(text)
            out.write(text)
    write_findings(audit, out, room)
    out.write(f"\n{about(audit)}\n".encode())


def opening(audit: Audit) -> Iterator[str]:
    """The verdict."""
    yield f"# {SYMBOLS[audit.verdict.outcome]} {markdown(write_headline(audit))}"
    yield ""
    yield f"As of {spoken_day(audit.as_of)}, {audit.as_of:%H:%M} UTC."
    yield from describe_change(audit.policy_change)


def describe_change(change: PolicyChange | None) -> Iterator[str]:
    """Say what a change of the configuration does, rule by rule; nothing where there is none to compare with."""
    if change is None:
        return
    yield from ("", f"**{change.sentence}**")
    if change.rules:
        yield from ("", "| Rule | Adds | Removes |", "|---|---:|---:|")
    for each in change.rules:
        yield f"| {markdown(each.rule_id)} | {number(each.adds)} | {number(each.removes)} |"


def key_figures(audit: Audit) -> Iterator[str]:
    """Yield the key figures, a line of a table each."""
    yield from ("", "## Key figures", "", "| | | Since the last audit | |", "|---:|---|---|---|")
    for each in KeyFigures(audit):
        yield f"| {number(each.value)} | {each.label} | {each.described_change or NOTHING} | {markdown(each.detail)} |"


def coverage(audit: Audit) -> Iterator[str]:
    """Coverage, and by name what was not."""
    yield from ("", "## Coverage", "")
    statuses = count_audit(audit)["by_status"]
    seen = count(statuses["complete"], "organization", "organizations")
    rest = "".join(f", {number(many)} {status}" for status, many in statuses.items() if many and status != "complete")
    yield f"{seen} complete{rest}."
    hidden = list_incomplete(audit)
    if hidden:
        yield from ("", "Incomplete, so not known to be compliant:", "")
    for each in hidden[:MOST_NAMED]:
        accepted = "; a waiver accepts it" if each.organization_id in audit.verdict.accepted else ""
        yield f"- **{markdown(each.name, 100)}** ({each.status}{accepted}): {markdown(each.reason)}"
    if len(hidden) > MOST_NAMED:
        yield f"- … and {number(len(hidden) - MOST_NAMED)} more; the other reports name them all."
    if audit.unaudited:
        names = f"{', '.join(audit.unaudited[:MOST_NAMED])}{' …' if len(audit.unaudited) > MOST_NAMED else ''}"
        yield from ("", f"In the register, but in no configuration, so not asked: {markdown(names, 1_000)}")
    removed = list(describe_removed(audit))
    if removed:
        yield ""
    yield from (f"- {markdown(sentence)}" for sentence in removed)
    in_need = list(describe_decisions(audit))
    if in_need:
        yield from ("", "Decisions that need attention:", "")
    yield from (f"- {markdown(words)}" for words in in_need)
    undelivered = describe_undelivered(audit.undelivered)
    if undelivered:
        yield from ("", markdown(undelivered, 2_000))
    if audit.broken:
        yield from ("", "Broken rules, not evaluated:", "")
    for rule, said in audit.broken.items():
        yield f"- Rule {markdown(rule)} is broken: {markdown(said)}"


def first(audit: Audit) -> Iterator[str]:
    """Yield the top priorities."""
    yield from ("", "## Top priorities", "")
    priorities = Priorities(audit)
    for each in priorities.groups():
        dates = each.describe_dates(audit.as_of)
        contacts = f" Owners: {markdown(each.describe_contacts())}." if each.contacts else ""
        details = " ".join(filter(None, [f"{dates}." if dates else "", markdown(each.describe_first(audit.as_of))]))
        yield f"{each.number}. **{markdown(each.title)}**{' — ' if details else ''}{details}{contacts}"
    if priorities.many > MOST_GROUPS:
        yield from ("", f"… and {count(priorities.many - MOST_GROUPS, 'more group', 'more groups')} of work.")
    if not priorities.many:
        yield "No open finding requires work."


def counts(audit: Audit) -> Iterator[str]:
    """Findings by severity, waived ones apart."""
    many = count_audit(audit)
    yield from ("", "## Findings", "")
    if not len(audit.findings):
        yield "No rule flagged anything in the data collected."
        return
    severities = list(reversed(many["by_severity"]))
    columns = {each: many["by_severity"][each] for each in severities} | {"waived": many["waived"]}
    if many["unseen"]:
        columns["last known"] = many["unseen"]
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---:|' * len(columns)}"
    yield f"| {' | '.join(map(number, columns.values()))} |"
    ages = {severity: counts for severity, counts in KeyFigures(audit).ages.items() if any(counts)}
    if ages:
        yield from ("", f"| Age | {' | '.join(label for label, _ in AGES)} |", f"|---|{'---:|' * len(AGES)}")
    yield from (f"| {severity} | {' | '.join(map(number, counts))} |" for severity, counts in ages.items())
    if many["unseen"]:
        yield from (
            "",
            "Last known: as an earlier audit found them in organizations that could not be collected in this audit.",
        )


def write_findings(audit: Audit, out: BinaryIO, room: int) -> None:
    """The findings as a table, in at most `room` bytes; a notice where they do not all fit."""
    if not len(audit.findings):
        return
    head = b"\n| Severity | Rule | Subject | Finding | Remediation | Due | Owner |\n|---|---|---|---|---|---|---|\n"
    out.write(head)
    room -= len(head)
    for written, finding in enumerate(audit.findings.records()):
        line = f"{row(audit, finding)}\n".encode()
        room -= len(line)
        if room < 0:
            rest = count(len(audit.findings) - written, "finding is", "findings are")
            out.write(
                f"\n**{rest} left out here**, since a step summary holds 1 MiB; the other reports hold all.\n".encode()
            )
            return
        out.write(line)


def row(audit: Audit, finding: dict[str, Any]) -> str:
    """A finding; a waived one is struck out."""
    due = spoken(finding["due_at"], audit.as_of)
    cells = [
        finding["severity"],
        f"{markdown(finding['rule_id'])} {markdown(finding['rule_name'])}",
        markdown(subject(finding)),
        markdown(finding["message"]),
        markdown(finding["remediation"]),
        due,
        markdown(finding["owner"] or NOTHING),
    ]
    if finding["waived"]:
        cells = [f"~~{cell}~~" for cell in cells]
        cells[0] += f" waived: {markdown(finding['waiver_id'] or NOTHING)}"
    elif finding["status"] == "unseen":
        cells[0] += " (last known)"
    return f"| {' | '.join(cells)} |"


def about(audit: Audit) -> str:
    """Where it comes from."""
    collected = audit.snapshot.header.collected_at
    return (
        f"Collected {instant(collected)}, written {instant(audit.generated_at)} by credly-audit {__version__}. "
        "Credly shows neither the last use nor the creator of a token."
    )


RENDERER = Renderer(".md", render)
