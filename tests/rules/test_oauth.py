"""What the rules on OAuth applications say, and that each application has its own finding."""

from datetime import timedelta
from typing import Any

import pytest

from credly_audit.audit.findings import compute_finding_ids
from tests.build import ACME, AS_OF, BETA, application, audited, snapshot, token, waiver


def found(*applications: dict[str, Any], **policy: Any) -> list[dict[str, Any]]:
    audit = audited(snapshot([token(1), token(2, BETA)], applications=list(applications)), **policy)
    return [each for each in audit.findings.records() if each["family"] == "OAU"]


def test_a_sound_application_is_left_alone() -> None:
    assert found(application()) == []


def test_an_orphan_is_named_with_its_id_and_belongs_to_its_organization() -> None:
    [finding] = found(application(97, BETA, name="Gradebook bridge", creator_available=False))

    assert (finding["rule_id"], finding["severity"], finding["organization_id"]) == ("OAU001", "high", BETA)
    assert finding["token_id"] is None
    assert finding["message"] == ("OAuth application Gradebook bridge (97) has no active creator.")
    assert finding["evidence"]["application_id"] == "97"
    assert finding["evidence"]["application_name"] == "Gradebook bridge"


@pytest.mark.parametrize(
    ("description", "said"),
    [
        (None, "has no description."),
        ("\u200b \t", "has no description."),
        ("Test 2", "has a placeholder as its description."),
    ],
)
def test_a_description_that_says_nothing_is_found(description: str | None, said: str) -> None:
    [finding] = found(application(description=description))

    assert (finding["rule_id"], finding["severity"]) == ("OAU002", "medium")
    assert finding["message"] == f"OAuth application Application 42 (42) {said}"


def test_the_age_of_a_secret_is_counted_from_the_last_update_else_from_its_making() -> None:
    updated, made = AS_OF - timedelta(days=366), AS_OF - timedelta(days=400)
    old, unchanged, unknown = found(
        application(1, updated_at=updated),
        application(2, created_at=made, updated_at=None),
        application(3, created_at=None, updated_at=None),
    )

    assert old["message"].endswith("was last updated on 22 Nov 2025, 366 days ago; the policy allows 365 days.")
    assert (old["evidence"]["updated_at"], old["evidence"]["days"]) == (updated, 366)
    assert "400 days ago" in unchanged["message"]
    assert unknown["message"].endswith("has no date of its last update, so the age of its secret is unknown.")
    assert unknown["evidence"]["days"] is None


def test_a_team_may_set_another_age() -> None:
    rules = {"OAU003": {"max_secret_age_days": 99}}

    assert len(found(application(updated_at=AS_OF - timedelta(days=100)), rules=rules)) == 1
    assert found(application(updated_at=AS_OF - timedelta(days=99)), rules=rules) == []


def test_two_applications_of_one_organization_have_findings_of_their_own() -> None:
    both = found(application(1, creator_available=False), application(2, creator_available=False))

    assert {each["finding_id"] for each in both} == {
        compute_finding_ids("OAU001", [ACME], [""], [number])[0] for number in ("1", "2")
    }


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\r\nb\x1b[31m\u202ec", "a b [31m c"),
        ("x" * 80, "x" * 59 + "…"),
        (" \u200b ", "without a name"),
        (None, "without a name"),
    ],
)
def test_a_name_stays_on_one_line_of_the_message(name: str | None, shown: str) -> None:
    [finding] = found(application(name=name, creator_available=False))

    assert finding["message"].startswith(f"OAuth application {shown} (42) ")


def test_without_having_asked_nothing_is_said() -> None:
    audit = audited(snapshot([token(1)]))

    assert not audit.snapshot.header.oauth_applications_asked
    assert not [each for each in audit.findings.records() if each["family"] == "OAU"]


def test_of_what_was_not_asked_for_nothing_follows_for_a_waiver() -> None:
    def state(applications: list[dict[str, Any]] | None) -> str:
        audit = audited(snapshot([token(1)], applications=applications), waivers=[waiver("OAU001")])
        return audit.decisions.waivers[0].state

    assert state(None) == "unjudged"
    assert state([]) == "unused"
    assert state([application(creator_available=False)]) == "active"
