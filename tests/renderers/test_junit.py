"""JUnit, checked against a schema and read back by lxml."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase
from lxml import etree

from credly_audit.audit.gate import COVERAGE_RULES
from credly_audit.audit.model import Audit, Gate
from credly_audit.renderers.junit import MOST_LISTED
from tests.build import ACME, BETA, organization, snapshot, token
from tests.renderers.rendering import (
    clean,
    empty,
    hostile,
    hostile_audit,
    judged,
    many,
    of_all_kinds,
    rendered,
    tried,
    with_a_broken_rule,
)

CASES = [case.name for suite in JUnitXml.fromstring(rendered("junit", hostile_audit("plain"))) for case in suite]


def suites(audit: Audit) -> dict[str, dict[str, TestCase]]:
    return {suite.name: {case.name: case for case in suite} for suite in JUnitXml.fromstring(rendered("junit", audit))}


def outcome(case: TestCase) -> tuple[str, str]:
    if not case.result:
        return ("pass", "")
    (result,) = case.result
    return {Failure: "failure", Error: "error", Skipped: "skipped"}[type(result)], result.message


def test_each_organization_is_a_suite_and_each_rule_a_case() -> None:
    audit = clean()
    (cases,) = suites(audit).values()

    assert next(iter(cases)) == "complete"
    assert list(cases)[1:] == [
        f"{each} {audit.rules[each].name}" for each in audit.findings.evidence if each not in COVERAGE_RULES
    ]
    assert {outcome(case) for case in cases.values()} == {("pass", "")}
    assert {case.classname for case in cases.values()} == {f"credly-audit.Acme ({ACME})"}


def test_what_the_gate_counts_fails_and_the_rest_does_not() -> None:
    cases = suites(of_all_kinds())["Acme"]

    assert outcome(cases["EXP001 token-expired"])[0] == "failure"
    assert outcome(cases["DOC002 description-placeholder"]) == ("pass", "")
    assert "“test” (Acme" in cases["DOC002 description-placeholder"].system_out
    assert outcome(cases["PRM001 full-access"]) == ("skipped", "1 finding, waived")


def test_two_findings_of_a_rule_are_one_failure_that_lists_both() -> None:
    audit = judged(snapshot([token(each, secrets_in_description=1, description=f"Number {each}") for each in (1, 2)]))
    case = suites(audit)["Acme"]["DOC006 secret-in-description"]

    assert outcome(case)[1].startswith("critical: “Number 1” (Acme, 00000000): Its description contains 1 value")
    assert outcome(case)[1].endswith("(and 1 more)")
    assert "“Number 2”" in case.result[0].text


def test_an_organization_that_was_not_seen_is_an_error_and_nothing_of_it_passes() -> None:
    cases = suites(of_all_kinds())["Beta"]
    outcomes = {name: outcome(case) for name, case in cases.items()}

    assert outcomes.pop("complete") == ("error", "incomplete: failed: HTTP 503, five times.")
    assert set(outcomes.values()) == {
        ("skipped", "nothing in the data collected; incomplete: failed: HTTP 503, five times.")
    }


def test_a_finding_beneath_the_gate_is_no_pass_where_not_all_was_seen() -> None:
    collected = snapshot([token(1, description="test")], [organization(status="truncated")])
    cases = suites(judged(collected))["Acme"]

    assert outcome(cases["DOC002 description-placeholder"])[0] == "skipped"


def test_what_the_gate_allows_or_a_waiver_accepts_is_skipped() -> None:
    collected = snapshot([token(1)], [organization(), organization(BETA, status="truncated")])
    allowed = judged(collected, gate=Gate(allow_partial=True))
    audit = judged(collected)
    accepted = replace(audit, verdict=replace(audit.verdict, accepted=(BETA,)))

    assert outcome(suites(audit)["Beta"]["complete"])[0] == "error"
    assert outcome(suites(allowed)["Beta"]["complete"])[0] == "skipped"
    assert outcome(suites(accepted)["Beta"]["complete"])[0] == "skipped"


def test_a_broken_rule_is_an_error() -> None:
    read = suites(with_a_broken_rule())

    assert outcome(read["credly-audit"]["PRM001"])[0] == "error"
    assert "PRM001 full-access" not in read["Acme"]


def test_the_counts_of_a_suite_are_those_of_its_cases() -> None:
    root = etree.fromstring(rendered("junit", of_all_kinds()))

    assert len(root) == 2
    for suite in root:
        for count, tag in {"failures": "failure", "errors": "error", "skipped": "skipped"}.items():
            assert int(suite.get(count)) == len(suite.findall(f"testcase/{tag}"))
        assert int(suite.get("tests")) == len(suite.findall("testcase"))


def test_two_organizations_of_one_name_are_told_apart() -> None:
    collected = snapshot([token(1)], [organization(), organization(BETA, name="Acme")])
    names = {case.classname for suite in JUnitXml.fromstring(rendered("junit", judged(collected))) for case in suite}

    assert names == {f"credly-audit.Acme ({each})" for each in (ACME, BETA)}


@pytest.mark.parametrize("name", ["Acme", " ", "A" * 200])
def test_every_case_has_a_name_of_its_own_for_gitlab(name: str) -> None:
    """GitLab tells cases apart by suite, class and case name."""
    twin = f"{ACME[:8]}-0000-4000-8000-000000000000"
    collected = snapshot([], [organization(each, name=name) for each in (ACME, twin)])
    read = JUnitXml.fromstring(rendered("junit", judged(collected)))
    cases = [(case.classname, case.name) for suite in read for case in suite]

    assert len(set(cases)) == len(cases)
    assert len({suite.name for suite in read}) == 2
    assert all(suite.name.strip() for suite in read)


@pytest.mark.parametrize("make", [of_all_kinds, clean, empty, with_a_broken_rule])
def test_it_is_what_the_schema_says(make: Any) -> None:
    schema = etree.XMLSchema(etree.parse(Path(__file__).parent / "junit.xsd"))

    schema.assertValid(etree.fromstring(rendered("junit", make())))


def test_a_case_does_not_list_thousands() -> None:
    case = suites(many(MOST_LISTED + 50))["Acme"]["PRM001 full-access"]

    assert len(case.result[0].text.splitlines()) == MOST_LISTED + 1
    assert case.result[0].text.endswith("… and 50 more, in the other reports")


def test_an_organization_without_tokens_has_its_suite() -> None:
    assert outcome(suites(empty())["Acme"]["complete"]) == ("pass", "")


@tried
@given(hostile)
def test_hostile_text_breaks_no_xml_and_adds_no_case(text: str) -> None:
    root = etree.fromstring(rendered("junit", hostile_audit(text)))

    assert len(root.findall("testsuite/testcase")) == len(CASES)
