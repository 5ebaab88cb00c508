"""DefectDojo's generic import, read back by the rules of its parser (dojo/tools/generic/json_parser.py)."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import given
from markdown_it import MarkdownIt

from credly_audit.audit.model import Audit
from tests.build import BETA, organization, snapshot, token
from tests.renderers.rendering import (
    clean,
    empty,
    hostile,
    hostile_audit,
    judged,
    of_all_kinds,
    rendered,
    tried,
    with_a_broken_rule,
)

REQUIRED = {"title", "severity", "description"}

ALLOWED = REQUIRED | {
    *("date", "cwe", "cve", "mitigation", "impact", "steps_to_reproduce", "severity_justification", "references"),
    *("active", "verified", "false_p", "out_of_scope", "risk_accepted", "under_review", "is_mitigated", "mitigated"),
    *("component_name", "component_version", "static_finding", "dynamic_finding", "scanner_confidence", "service"),
    *("unique_id_from_tool", "vuln_id_from_tool", "nb_occurences", "publish_date", "planned_remediation_date", "tags"),
}
"""The importer refuses a file with any other key in a finding."""


def findings(audit: Audit) -> list[dict[str, Any]]:
    read = json.loads(rendered("defectdojo", audit))
    assert read["type"] == "credly-audit"
    for finding in read["findings"]:
        assert set(finding) >= REQUIRED
        assert set(finding) <= ALLOWED
        assert finding["severity"] in {"Critical", "High", "Medium", "Low", "Info"}
        assert len(finding["title"]) <= 511
        assert len(finding.get("service", "")) <= 200
        date.fromisoformat(finding["date"])
        date.fromisoformat(finding.get("planned_remediation_date", "2026-11-23"))
    return read["findings"]


def test_every_finding_is_there_under_its_id() -> None:
    audit = of_all_kinds()
    _, *told = findings(audit)

    assert [each["unique_id_from_tool"] for each in told] == audit.findings.frame["finding_id"].tolist()
    assert {each["vuln_id_from_tool"] for each in told} == {"DOC006", "EXP001", "EXP002", "PRM001", "COV004", "DOC002"}


def test_a_waived_finding_is_an_accepted_risk() -> None:
    accepted = {each.get("vuln_id_from_tool"): each["risk_accepted"] for each in findings(of_all_kinds())}

    assert accepted.pop("PRM001")
    assert not any(accepted.values())


def test_an_incomplete_audit_says_so_first() -> None:
    first, *_ = findings(of_all_kinds())

    assert (first["title"], first["active"]) == ("The audit is incomplete", True)
    assert "- Beta (failed): HTTP 503, five times." in first["description"]
    (broken,) = findings(with_a_broken_rule())
    assert "Rule PRM001 is broken" in broken["description"]
    assert findings(clean()) == findings(empty()) == []


def test_a_gap_that_a_waiver_accepts_is_told_as_accepted() -> None:
    audit = judged(snapshot([token(1)], [organization(), organization(BETA, status="truncated")]))
    accepted = replace(audit, verdict=replace(audit.verdict, outcome="pass", accepted=(BETA,)))

    assert findings(accepted)[0]["risk_accepted"]


@tried
@given(hostile)
def test_hostile_text_is_plain_words_in_the_description(text: str) -> None:
    for finding in findings(hostile_audit(text)):
        page = MarkdownIt("commonmark", {"html": True}).render(finding["description"])
        for tag in ("<script", "<a ", "<img", "<h1", "<!--"):
            assert tag not in page
