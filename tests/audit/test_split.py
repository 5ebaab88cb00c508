"""A part of an audit names no other's organizations or tokens."""

import io
import json
from typing import Any

import pytest

from credly_audit.audit.model import Audit
from credly_audit.audit.split import select_contact, split_audit
from credly_audit.renderers.base import renderer
from tests.build import ACME, BETA, application, audited, organization, register, snapshot, token

FULL = {"write_enabled": True, "delete_enabled": True}


@pytest.fixture(scope="module")
def whole() -> Audit:
    rows = [
        token(1, fingerprint="a" * 16, **FULL),
        token(2, BETA, fingerprint="a" * 16, description="test", **FULL),
        token(3, BETA),
    ]
    places = [
        organization(ACME, contact="crm@acme.example", tags="prod,eu"),
        organization(BETA, contact="it@beta.example", tags="prod", status="truncated"),
    ]
    overrides = [{"ids": [ACME, BETA], "severity": {"DOC002": "medium"}}, {"ids": [BETA], "disable": ["DOC003"]}]
    applications = [application(1, ACME, description="test"), application(2, BETA, creator_available=False)]
    return audited(snapshot(rows, places, applications), overrides=overrides)


def as_json(audit: Audit) -> dict[str, Any]:
    out = io.BytesIO()
    renderer("json").render(audit, out)
    content: dict[str, Any] = json.loads(out.getvalue())
    return content


def test_each_organization_has_its_part_and_no_word_of_another(whole: Audit) -> None:
    acme, beta = split_audit(whole, "organization")

    assert (acme.label, beta.label) == (ACME, BETA)
    for part, other, name in ((acme, BETA, "Beta"), (beta, ACME, "Acme")):
        text = json.dumps(as_json(part.audit))
        assert other not in text
        assert name not in text
        assert len(part.audit.findings) > 0


def test_the_parts_together_are_the_whole(whole: Audit) -> None:
    ids = [row["finding_id"] for part in split_audit(whole, "organization") for row in part.audit.findings.records()]

    assert sorted(ids) == sorted(row["finding_id"] for row in whole.findings.records())
    assert sum(part.audit.verdict.violations for part in split_audit(whole, "contact")) == whole.verdict.violations


def test_a_shared_value_is_told_without_saying_whose_else_it_is(whole: Audit) -> None:
    [finding] = [
        row for row in as_json(select_contact(whole, "crm@acme.example"))["findings"] if row["rule_id"] == "INV002"
    ]

    assert "1 token of another organization" in finding["message"]
    assert finding["token_id"] == token(1)["token_id"]


def test_a_part_is_incomplete_only_where_its_own_organization_was_not_seen(whole: Audit) -> None:
    acme, beta = (part.audit.verdict for part in split_audit(whole, "organization"))

    assert (acme.outcome, acme.not_seen) == ("violations", ())
    assert (beta.outcome, beta.not_seen) == ("incomplete", (BETA,))


def test_each_part_has_the_applications_of_its_organizations_and_what_was_found_in_them(whole: Audit) -> None:
    acme, beta = (as_json(part.audit) for part in split_audit(whole, "organization"))

    for report, application_id, rule in ((acme, "1", "OAU002"), (beta, "2", "OAU001")):
        assert [each["application_id"] for each in report["oauth_applications"]] == [application_id]
        [finding] = [each for each in report["findings"] if each["rule_id"].startswith("OAU")]
        assert (finding["rule_id"], finding["evidence"]["application_id"]) == (rule, application_id)


def test_the_owner_of_a_token_does_not_see_the_applications_of_its_organization() -> None:
    entries = [{"organization_id": ACME, "token_id": token(1)["token_id"], "permissions": "read", "owner": "Ada"}]
    collected = snapshot([token(1), token(2)], applications=[application(7, creator_available=False)])
    audit = audited(collected, register=register(entries))

    shown = {
        part.label: [each["application_id"] for each in as_json(part.audit)["oauth_applications"]]
        for part in split_audit(audit, "owner")
    }

    assert shown == {"crm-team@acme.example": ["7"], "Ada": []}


def test_a_tag_gathers_all_that_carry_it(whole: Audit) -> None:
    gathered = {part.label: list(part.audit.organizations["organization_id"]) for part in split_audit(whole, "tag")}

    assert gathered == {"prod": [ACME, BETA], "eu": [ACME]}


def test_by_owner_every_finding_is_in_one_part(whole: Audit) -> None:
    found = {part.label: len(part.audit.findings) for part in split_audit(whole, "owner")}

    assert set(found) == {"crm@acme.example", "it@beta.example"}
    assert sum(found.values()) == len(whole.findings)


def test_names_of_parts_are_fit_for_files_and_differ() -> None:
    rows = [organization(ACME, name="A/B: ../x"), organization(BETA, name="a b x")]
    names = [part.name for part in split_audit(audited(snapshot([], rows)), "organization")]

    assert len(set(names)) == 2
    assert all("/" not in name and ".." not in name for name in names)
