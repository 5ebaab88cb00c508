"""JUnit XML: a suite an organization, a case a rule, for Jenkins, GitLab and whatever else counts tests.

The cases are the same from run to run, so a build server can tell since when one fails. A case fails where the gate
counts one of its findings; what was not seen is an error or skipped, never a pass.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, BinaryIO

import numpy as np
from junitparser import Attr, Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from credly_audit.audit.gate import COVERAGE_RULES
from credly_audit.audit.model import Audit
from credly_audit.renderers.base import Renderer, identity
from credly_audit.report.briefing import write_headline
from credly_audit.text import count, harmless, instant, one_line, subject

NAMED = ("organization_id", "name")

MOST_LISTED = 100
"""The most findings that a test case lists; a build server keeps all of the text for every build."""


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


class Suite(TestSuite):
    """A suite with the attribute by which readers tell suites of one name apart."""

    id = Attr()

    @classmethod
    def of(cls, cases: list[TestCase], class_name: str, name: str, **attributes: Any) -> "Suite":
        """Return a suite of these cases, with its counts."""
        for case in cases:
            case.classname = class_name
        suite = cls(name)
        suite.add_testcases(cases)
        for attribute, value in attributes.items():
            setattr(suite, attribute, value)
        return suite


def render(audit: Audit, out: BinaryIO) -> None:
    """Write one document."""
    document = JUnitXml(f"{identity(audit)}: {harmless(write_headline(audit))}")
    collected_at = instant(audit.snapshot.header.collected_at.replace(microsecond=0)).removesuffix("Z")
    for suite in suites(audit):
        suite.timestamp = collected_at
        document.add_testsuite(suite)
    document.write(out, pretty=True)


def suites(audit: Audit) -> Iterator[Suite]:
    """Yield a suite for each organization, in the order collected, and one for the rules that are broken."""
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
        cases = [coverage_case(status, gap, allowed=allowed)]
        cases += [rule_case(audit, rule_id, here.get(rule_id), gap) for rule_id in judged(audit)]
        title = called if titles[called] == 1 else f"{called} ({organization_id})"
        time = 0 if seconds != seconds else round(seconds, 3)  # noqa: PLR0124 - NaN
        yield Suite.of(cases, class_name, title, id=organization_id, time=time)
    if audit.broken:
        cases = [
            _case(rule, Error(f"the rule is broken: {one_line(said)}", "broken-rule"))
            for rule, said in audit.broken.items()
        ]
        yield Suite.of(cases, f"{identity(audit)}.rules", identity(audit), id=identity(audit), time=0)


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


def coverage_case(status: str, gap: str | None, *, allowed: bool) -> TestCase:
    """Return the case of an organization's coverage; skipped where the gate allows that it is incomplete."""
    if gap is None:
        return _case("complete")
    return _case("complete", Skipped(f"incomplete: {gap}") if allowed else Error(f"incomplete: {gap}", status))


def rule_case(audit: Audit, rule_id: str, found: Found | None, gap: str | None) -> TestCase:
    """Return the case of one rule in one organization."""
    name = f"{rule_id} {audit.rules[rule_id].name}"
    if found is None:
        return _case(name, *([] if gap is None else [Skipped(f"nothing in the data collected; incomplete: {gap}")]))
    if found.violating:
        more = f" (and {found.violating - 1} more)" if found.violating > 1 else ""
        return _case(name, Failure(f"{one_line(found.first, 300)}{more}", rule_id), text=found.text)
    if found.waived == found.many:
        return _case(name, Skipped(f"{count(found.many, 'finding', 'findings')}, waived"), text=found.text)
    if gap is not None:
        what = f"nothing that fails the audit in the data collected; incomplete: {gap}"
        return _case(name, Skipped(what), text=found.text)
    case = _case(name)
    case.system_out = harmless(f"does not fail the audit:\n{found.text}")
    return case


def _case(name: str, *results: Failure | Error | Skipped, text: str = "") -> TestCase:
    case = TestCase(name, time=0)
    for result in results:
        result.message = harmless(result.message)
        if text:
            result.text = harmless(text)
    if results:
        case.result = list(results)
    return case


RENDERER = Renderer(".junit.xml", render)
