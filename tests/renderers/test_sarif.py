"""SARIF, read back by the OASIS schema and by Microsoft's validator with GitHub's rules."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from jsonschema.protocols import Validator

from credly_audit.audit.model import Audit, Gate, Places
from credly_audit.renderers import sarif
from credly_audit.rules import catalogue
from credly_audit.severity import Severity
from credly_audit.text import number
from tests.build import ACME, BETA, organization, snapshot, token
from tests.needs import tool, validator
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
    with_a_past,
)

PACKAGE = "@microsoft/sarif-multitool-linux"


def run_of(audit: Audit) -> dict[str, Any]:
    log = json.loads(rendered("sarif", audit))
    (run,) = log["runs"]
    return run


@pytest.fixture(scope="module")
def schema() -> Validator:
    said = json.loads(tool(f"{PACKAGE}/sarif-2.1.0.json").read_text())
    return jsonschema.Draft202012Validator(said, format_checker=jsonschema.FormatChecker())


@pytest.mark.parametrize(
    "audit",
    [of_all_kinds(), clean(), empty(), with_a_broken_rule(), with_a_past()],
    ids=["all", "clean", "empty", "broken", "past"],
)
def test_it_is_valid_against_the_oasis_schema(audit: Audit, schema: Validator) -> None:
    schema.validate(json.loads(rendered("sarif", audit)))


def test_microsofts_validator_finds_no_error_by_githubs_rules(tmp_path: Path) -> None:
    validate = validator(f"{PACKAGE}/Sarif.Multitool")
    log = tmp_path / "audit.sarif"
    log.write_bytes(rendered("sarif", with_a_past()))
    told = tmp_path / "told.sarif"

    kinds = ["--rule-kind", "Sarif;Ghas"]
    validate("validate", log, *kinds, "--output", told)

    (run,) = json.loads(told.read_text())["runs"]
    assert run["invocations"][0]["executionSuccessful"]
    assert [result for result in run["results"] if result.get("level") == "error"] == []


def test_a_finding_stands_at_its_organizations_line_else_at_the_snapshot() -> None:
    places = {
        result["properties"]["organization_id"]: result["locations"][0]["physicalLocation"]
        for result in run_of(of_all_kinds())["results"]
    }

    assert places[ACME] == {"artifactLocation": {"uri": "conf/credly%20audit.toml"}, "region": {"startLine": 12}}
    assert places[BETA] == {"artifactLocation": {"uri": "reports/monthly.snapshot"}, "region": {"startLine": 1}}


def test_a_path_from_the_root_is_a_file_uri() -> None:
    assert sarif.location(Places({ACME: ("/etc/c:d#.toml", 3)}), ACME)["physicalLocation"]["artifactLocation"] == {
        "uri": "file:///etc/c%3Ad%23.toml"
    }


def test_fingerprints_are_the_findings_ids() -> None:
    audit = of_all_kinds()
    prints = [result["partialFingerprints"] for result in run_of(audit)["results"]]

    assert [each["credlyAuditFinding/v1"] for each in prints] == audit.findings.frame["finding_id"].tolist()
    assert len({each["primaryLocationLineHash"] for each in prints}) == len(prints)


def test_every_rule_of_the_catalogue_helps_and_weighs() -> None:
    rules = {rule["id"]: rule for rule in run_of(clean())["tool"]["driver"]["rules"]}

    assert list(rules) == list(catalogue())
    for rule_id, rule in catalogue().items():
        assert rule.remediation in rules[rule_id]["help"]["markdown"]
        assert rule.rationale in rules[rule_id]["help"]["text"]
        assert 0 < float(rules[rule_id]["properties"]["security-severity"]) < 10
    assert rules["DOC006"]["properties"]["security-severity"] == sarif.SECURITY_SEVERITY[Severity.CRITICAL]


def test_a_result_points_at_its_rule() -> None:
    run = run_of(of_all_kinds())

    assert run["results"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_waived_finding_is_suppressed_and_says_by_whom() -> None:
    suppressed = {result["ruleId"]: result["suppressions"] for result in run_of(of_all_kinds())["results"]}

    (told,) = suppressed.pop("PRM001")
    assert told["status"] == "accepted"
    assert told["justification"].startswith("The migration needs it. Waiver waiver-")
    assert told["justification"].endswith(", approved by ciso@acme.example until 31 Jan 2027.")
    assert set(map(str, suppressed.values())) == {"[]"}


def test_an_audit_that_did_not_see_all_was_no_success() -> None:
    (invocation,) = run_of(of_all_kinds())["invocations"]

    assert not invocation["executionSuccessful"]
    assert invocation["exitCode"] == 3
    assert [note["message"]["text"] for note in invocation["toolExecutionNotifications"]] == [
        "Beta is incomplete (failed): HTTP 503, five times."
    ]
    assert run_of(clean())["invocations"][0]["executionSuccessful"]


def test_a_broken_rule_is_a_notification() -> None:
    (note,) = run_of(with_a_broken_rule())["invocations"][0]["toolExecutionNotifications"]

    assert note["level"] == "error"
    assert note["message"]["text"].startswith("Rule PRM001 is broken: KeyError")


def test_github_gets_the_25000_worst_and_is_told_of_the_rest() -> None:
    audit = many(12_600)
    run = run_of(audit)

    assert len(run["results"]) == 25_000
    assert Counter(result["level"] for result in run["results"])["error"] == 12_600
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"].startswith(f"Of {number(len(audit.findings))} findings the 25,000 worst are here.")


def test_with_a_history_a_result_says_whether_it_is_new() -> None:
    audit = judged(snapshot([token(each, description=f"test {each}") for each in (1, 2)]))
    frame = audit.findings.frame.assign(status=["new", "persisting"])
    states = [
        each["baselineState"]
        for each in run_of(replace(audit, findings=replace(audit.findings, frame=frame)))["results"]
    ]

    assert states == ["new", "unchanged"]
    assert "baselineState" not in run_of(audit)["results"][0]


def test_an_accepted_gap_is_a_warning() -> None:
    hidden = organization(BETA, status="truncated")
    audit = judged(snapshot([token(1)], [organization(), hidden]), gate=Gate(allow_partial=True))
    accepted = replace(audit, verdict=replace(audit.verdict, accepted=(BETA,)))

    assert [each["level"] for each in run_of(accepted)["invocations"][0]["toolExecutionNotifications"]] == ["warning"]


@tried
@given(hostile)
def test_hostile_text_makes_no_link_and_no_placeholder(text: str) -> None:
    for result in run_of(hostile_audit(text))["results"]:
        said = result["message"]["text"].replace("\\\\", "").replace("\\[", "").replace("\\]", "")
        assert "[" not in said
        assert "]" not in said
        assert "{" not in said.replace("{{", "")
        assert "}" not in said.replace("}}", "")
