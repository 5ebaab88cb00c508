"""JUnit XML: a suite an organization, a case a rule, for Jenkins, GitLab and whatever else counts tests.

The cases are the same from run to run, so a build server can tell since when one fails. A case fails where the gate
counts one of its findings; what was not seen is an error or skipped, never a pass.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, BinaryIO

import numpy as np
from lxml import etree

from credly_audit.audit import COVERAGE_RULES, Audit
from credly_audit.renderers.base import Renderer, identity
from credly_audit.renderers.briefing import headline
from credly_audit.renderers.text import count, harmless, instant, one_line, subject

NAMED = ("organization_id", "name")

MOST_LISTED = 100
"""How many findings a case spells out; a build server keeps every word of them for every build."""


@dataclass(slots=True)
class Found:
    """What a rule found in one organization: the first findings as lines, and how many there are of which kind."""

    lines: list[str] = field(default_factory=list)
    first: str = ""
    many: int = 0
    violating: int = 0
    waived: int = 0

    def add(self, finding: dict[str, Any], *, violates: bool) -> None:
        """Count a finding; those that break policy lead the message."""
        line = f"{finding['severity']}: {subject(finding)}: {finding['message']}"
        if violates and not self.violating:
            self.first = line
        self.many += 1
        self.violating += violates
        self.waived += finding["waived"]
        if len(self.lines) < MOST_LISTED:
            waiver = f" [waived: {finding['waiver_id']}]" if finding["waived"] else ""
            known = " [last known]" if finding["status"] == "unseen" else ""
            self.lines.append(f"{line}{waiver}{known} {finding['remediation']}")

    @property
    def text(self) -> str:
        """The findings, a line each."""
        more = self.many - len(self.lines)
        return "\n".join([*self.lines, *([f"… and {more} more, in the other reports"] if more else [])])


def render(audit: Audit, out: BinaryIO) -> None:
    """One document, written an organization at a time."""
    with etree.xmlfile(out, encoding="utf-8") as file:
        file.write_declaration()
        with file.element("testsuites", {"name": f"{identity(audit)}: {harmless(headline(audit))}"}):
            for suite in suites(audit):
                file.write(suite, pretty_print=True)


def suites(audit: Audit) -> Iterator[etree._Element]:
    """A suite for each organization in the order of asking, and one for the audit itself where a rule is broken."""
    found = by_organization(audit)
    row, rules = next(found, (-1, {}))
    organizations = audit.organizations[["organization_id", "name", "status", "reason", "seconds"]]
    titles = Counter(one_line(name, 80) or each for each, name in zip(*map(organizations.get, NAMED), strict=True))
    for position, (organization_id, name, status, reason, seconds) in enumerate(
        organizations.itertuples(index=False, name=None)
    ):
        here: dict[str, Found] = {}
        if row == position:
            here = rules
            row, rules = next(found, (-1, {}))
        called = one_line(name, 80) or organization_id
        class_name = f"{identity(audit)}.{called.replace('.', ' ')} ({organization_id})"
        gap = None if status == "complete" else f"{status}: {one_line(reason)}"
        allowed = audit.gate.allow_partial or organization_id in audit.verdict.accepted
        cases = [coverage_case(class_name, status, gap, allowed=allowed)]
        cases += [rule_case(audit, class_name, rule_id, here.get(rule_id), gap) for rule_id in judged(audit)]
        title = called if titles[called] == 1 else f"{called} ({organization_id})"
        yield suite_of(audit, title, cases, seconds, organization_id)
    if audit.broken:
        cases = [broken_case(f"{identity(audit)}.rules", rule, said) for rule, said in audit.broken.items()]
        yield suite_of(audit, identity(audit), cases, 0.0, identity(audit))


def by_organization(audit: Audit) -> Iterator[tuple[int, dict[str, Found]]]:
    """What was found in each organization with findings: its row, and its findings rule by rule."""
    frame = audit.findings.frame
    rows = frame["organization_row"].to_numpy()
    order = np.lexsort((np.arange(len(frame)), rows))
    findings = replace(audit.findings, frame=frame.take(order).reset_index(drop=True))
    flat = zip(rows[order].tolist(), audit.violates[order].tolist(), findings.records(), strict=True)
    for row, group in groupby(flat, key=lambda each: each[0]):
        rules: dict[str, Found] = {}
        for _, violates, finding in group:
            rules.setdefault(finding["rule_id"], Found()).add(finding, violates=violates)
        yield row, rules


def judged(audit: Audit) -> list[str]:
    """The rules that judged; coverage has a case of its own, whatever rules are disabled."""
    return [rule_id for rule_id in audit.findings.evidence if rule_id not in COVERAGE_RULES]


def coverage_case(class_name: str, status: str, gap: str | None, *, allowed: bool) -> etree._Element:
    """Whether the organization was fully seen; skipped where the gate is told to allow that it was not."""
    case = _case(class_name, "fully seen")
    if gap is not None:
        _add(case, "skipped" if allowed else "error", f"not fully seen: {gap}", kind=None if allowed else status)
    return case


def rule_case(audit: Audit, class_name: str, rule_id: str, found: Found | None, gap: str | None) -> etree._Element:
    """How one rule judged one organization."""
    case = _case(class_name, f"{rule_id} {audit.rules[rule_id].name}")
    if found is None:
        if gap is not None:
            _add(case, "skipped", f"nothing in what was seen; not fully seen: {gap}")
    elif found.violating:
        more = f" (and {found.violating - 1} more)" if found.violating > 1 else ""
        _add(case, "failure", f"{one_line(found.first, 300)}{more}", found.text, kind=rule_id)
    elif found.waived == found.many:
        _add(case, "skipped", f"{count(found.many, 'finding', 'findings')}, waived", found.text)
    elif gap is not None:
        _add(case, "skipped", f"nothing that fails the audit in what was seen; not fully seen: {gap}", found.text)
    else:
        etree.SubElement(case, "system-out").text = harmless(f"does not fail the audit:\n{found.text}")
    return case


def broken_case(class_name: str, rule_id: str, said: str) -> etree._Element:
    """A rule that raised: nothing is known of what it would have found."""
    case = _case(class_name, rule_id)
    _add(case, "error", f"the rule is broken: {one_line(said)}", kind="broken-rule")
    return case


def _case(class_name: str, name: str) -> etree._Element:
    return etree.Element("testcase", {"classname": class_name, "name": name, "time": "0"})


def _add(case: etree._Element, tag: str, message: str, text: str = "", *, kind: str | None = None) -> None:
    outcome = etree.SubElement(case, tag, {"message": harmless(message)} | ({"type": kind} if kind else {}))
    outcome.text = harmless(text) or None


def suite_of(audit: Audit, name: str, cases: Sequence[etree._Element], seconds: float, identity: str) -> etree._Element:
    """A suite of these cases, with its counts."""
    outcomes = [case[0].tag for case in cases if len(case)]
    suite = etree.Element(
        "testsuite",
        {
            "name": name,
            "id": identity,
            "tests": str(len(cases)),
            "failures": str(outcomes.count("failure")),
            "errors": str(outcomes.count("error")),
            "skipped": str(outcomes.count("skipped")),
            "time": "0" if seconds != seconds else f"{seconds:.3f}",  # noqa: PLR0124 - NaN
            "timestamp": instant(audit.snapshot.header.collected_at.replace(microsecond=0)).removesuffix("Z"),
        },
    )
    suite.extend(cases)
    return suite


RENDERER = Renderer(".junit.xml", render)
