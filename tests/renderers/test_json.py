"""JSON is what its schema says, for every kind of audit, and repeats what the audit holds."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from credly_audit.audit.findings import COLUMNS
from credly_audit.audit.model import Audit
from credly_audit.snapshot import ORGANIZATIONS
from tests.renderers.rendering import (
    clean,
    empty,
    hostile,
    hostile_audit,
    of_all_kinds,
    rendered,
    tried,
    with_a_broken_rule,
    with_a_past,
)
from tests.year import make_year

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text())


def faults(audit: Audit) -> list[str]:
    validator = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [
        f"{error.json_path}: {error.message}" for error in validator.iter_errors(json.loads(rendered("json", audit)))
    ]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("audit", [of_all_kinds, with_a_past, clean, empty, with_a_broken_rule])
def test_a_report_is_what_its_schema_says(audit: Any) -> None:
    assert faults(audit()) == []


@tried
@given(hostile)
def test_no_text_from_outside_breaks_it(text: str) -> None:
    audit = hostile_audit(text)

    assert faults(audit) == []
    assert {each["description"] for each in json.loads(rendered("json", audit))["tokens"]} == {text}


def test_it_holds_everything_that_was_found_and_seen() -> None:
    audit = of_all_kinds()

    report = json.loads(rendered("json", audit))

    assert [each["finding_id"] for each in report["findings"]] == audit.findings.frame["finding_id"].tolist()
    assert [list(each) for each in report["findings"]] == [list(COLUMNS)] * len(audit.findings)
    assert [list(each) for each in report["organizations"]] == [list(ORGANIZATIONS)] * len(audit.organizations)
    assert len(report["tokens"]) == len(audit.tokens)
    assert report["verdict"]["violations"] == int(audit.violates.sum())
    assert report["as_of"] == "2026-11-23T00:00:00Z"


def test_waived_findings_are_counted_apart() -> None:
    report = json.loads(rendered("json", of_all_kinds()))

    waived = [each for each in report["findings"] if each["waived"]]
    assert len(waived) == report["summary"]["waived"] > 0
    assert sum(report["summary"]["by_severity"].values()) == len(report["findings"]) - len(waived)
    assert sum(report["summary"]["by_rule"].values()) == len(report["findings"]) - len(waived)
    assert sum(report["summary"]["by_organization"].values()) == len(report["findings"]) - len(waived)


def test_changes_are_listed_and_counted_by_organization(tmp_path: Path) -> None:
    audit = make_year(tmp_path, organizations=12, tokens=20, audits=4)

    compared = json.loads(rendered("json", audit))["compared"]

    assert faults(audit) == []
    assert {"rotated", "new", "resolved"} <= {each["change"] for each in compared["changes"]}
    listed = Counter((each["organization_id"], each["change"]) for each in compared["changes"])
    counted = {
        (each["organization_id"], change): many
        for each in compared["organization_changes"]
        for change, many in each.items()
        if isinstance(many, int) and many and not change.startswith("open_")
    }
    assert listed == counted
