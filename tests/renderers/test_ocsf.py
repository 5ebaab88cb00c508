"""OCSF, read back by the schema of its own version."""

import json
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from jsonschema.protocols import Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from credly_audit.audit.model import Audit
from credly_audit.renderers.ocsf import VERSION
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
    with_a_past,
)


@cache
def schema() -> Validator:
    said = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION)).get_class_schema("compliance_finding")
    return jsonschema.Draft202012Validator(said)


def events(audit: Audit) -> list[dict[str, Any]]:
    return json.loads(rendered("ocsf", audit))


@pytest.mark.parametrize("make", [of_all_kinds, clean, empty, with_a_broken_rule, with_a_past])
def test_every_event_is_a_valid_compliance_finding(make: Any) -> None:
    told = events(make())

    assert told
    for event in told:
        schema().validate(event)


def test_the_first_event_says_how_the_audit_ended() -> None:
    whole, *_ = events(of_all_kinds())

    assert whole["compliance"]["status"] == "Warning"
    assert whole["message"].startswith("Incomplete: 1 of 2 organizations could not be collected completely.")
    assert [each["uid"] for each in whole["unmapped"]["not_fully_seen"]] == [BETA]
    assert [event["compliance"]["status"] for event in events(clean())] == ["Pass"]
    violated = judged(snapshot([token(1, secrets_in_description=1)], [organization()]))
    assert [event["compliance"]["status"] for event in events(violated)] == ["Fail", "Fail"]


def test_an_event_names_the_token_its_organization_and_what_to_do() -> None:
    audit = of_all_kinds()
    told = {event["finding_info"]["uid"]: event for event in events(audit)[1:]}

    assert list(told) == audit.findings.frame["finding_id"].tolist()
    for finding in audit.findings.records():
        event = told[finding["finding_id"]]
        assert event["severity"].lower().startswith(finding["severity"])
        assert event["resources"][0]["uid"] == finding["token_id"] or finding["organization_id"]
        assert event["resources"][0]["group"]["uid"] == finding["organization_id"]
        assert event["remediation"]["desc"] == finding["remediation"]
        assert event["compliance"]["requirements"] == finding["controls"]


def test_a_waived_finding_is_suppressed() -> None:
    statuses = {event["compliance"]["control"]: event["status"] for event in events(of_all_kinds())[1:]}

    assert statuses["PRM001 full-access"] == "Suppressed"
    assert {status for control, status in statuses.items() if "PRM001" not in control} == {"New"}


@tried
@given(hostile)
def test_hostile_text_keeps_it_valid(text: str) -> None:
    for event in events(hostile_audit(text)):
        schema().validate(event)
        assert "\x1b" not in event["message"]
