"""Every organization gets a reason code, which alone decides its status."""

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credly_audit.credly.refusals import Answer, explain_refusal
from credly_audit.reasons import ReasonCode
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization
from credly_audit.snapshot import STATUSES
from tests.collection import test_oauth
from tests.collection.gather import ask, gathered, row, without
from tests.generated import DOCS

FAULTS = {
    "status=401": "http-401",
    "empty-401": "http-401",
    "status=401@page2": "http-401",
    "status=403": "http-403",
    "forbidden-html": "blocked",
    "status=404": "http-404",
    "status=408": "http-408",
    "status=422": "http-422",
    "status=418": "http-4xx",
    "status=500": "http-5xx",
    "status=503": "http-5xx",
    "status=429": "throttled",
    "html": "not-a-list",
    "data-missing": "not-a-list",
    "total-pages=1000000000": "too-many-pages",
    "reset": "connection-failed",
    "cut": "connection-failed",
    "stall": "timeout",
    "redirect=https://elsewhere.example/": "redirect-refused",
    "total-count=130": "contradiction",
    "metadata-empty": "proved-by-rereading",
    "retry-after=0": "proved",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_with_a_list_has_a_code(sandbox: Sandbox, acme: SandboxOrganization, fault: str) -> None:
    acme.faults = [fault]

    found = row(gathered(sandbox, [ask(acme)], timeout=1.0), acme)

    assert found["reason_code"] == FAULTS[fault]
    assert found["status"] == ReasonCode(FAULTS[fault]).status


def restrict(organization: SandboxOrganization) -> None:
    for token in organization.tokens:
        token.write_enabled = token.delete_enabled = False


def hide_permissions(organization: SandboxOrganization) -> None:
    restrict(organization)
    organization.tokens[0].write_enabled = None


def withhold_values(organization: SandboxOrganization) -> None:
    restrict(organization)
    organization.faults = ["masked=null"]


def hide_own_row(organization: SandboxOrganization) -> None:
    restrict(organization)
    organization.tokens[0].raw = {"token": (organization.tokens[1].token or "")[::-1]}


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (restrict, "read-only-credential"),
        (hide_permissions, "own-permissions-missing"),
        (withhold_values, "values-withheld"),
        (hide_own_row, "own-row-missing"),
    ],
)
def test_what_the_rows_prove_has_a_code(
    sandbox: Sandbox, acme: SandboxOrganization, prepare: Callable[[SandboxOrganization], None], code: str
) -> None:
    credential = acme.tokens[0].token
    prepare(acme)

    found = row(gathered(sandbox, [ask(acme, credential)]), acme)

    assert (found["reason_code"], found["status"]) == (code, ReasonCode(code).status)


def test_whose_tokens_are_listed_has_a_code(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    acme.faults = [f"listing-of={healthy.id}"]

    found = row(gathered(sandbox, [ask(acme)]), acme)

    assert found["reason_code"] == "other-owner"


def test_oauth_has_codes_of_its_own(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    assert row(test_oauth.gathered(sandbox, acme), acme)["reason_code"] == "proved"
    assert row(test_oauth.gathered(sandbox, acme, secret="MADE-UP-wrong"), acme)["reason_code"] == "oauth-refused"
    restrict(acme)
    assert row(test_oauth.gathered(sandbox, acme), acme)["reason_code"] == "oauth-without-proof"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("status=403@oauth-applications", "applications-unreadable"),
        ("total-count=99@oauth-applications", "applications-contradiction"),
    ],
)
def test_oauth_applications_have_codes_of_their_own(
    sandbox: Sandbox, acme: SandboxOrganization, fault: str, code: str
) -> None:
    acme.faults = [fault]

    found = row(gathered(sandbox, [ask(acme)], include_oauth_applications=True), acme)

    assert (found["reason_code"], found["status"]) == (code, ReasonCode(code).status)


def test_what_keeps_requests_from_leaving_has_a_code(acme: SandboxOrganization) -> None:
    assert row(gathered("http://127.0.0.1:1/v1", [ask(acme)]), acme)["reason_code"] == "connection-failed"
    assert row(gathered("http://127.0.0.1:1/v1", [without(acme, "it is gone")]), acme)["reason_code"] == (
        "credential-unavailable"
    )
    proxied = gathered("https://api.credly.com/v1", [ask(acme)], proxy="http://127.0.0.1:1")
    assert row(proxied, acme)["reason_code"] == "proxy-failed"


@given(st.integers(100, 999), st.booleans())
def test_every_status_has_a_code_that_it_alone_decides(status: int, is_json: bool) -> None:
    code = explain_refusal(Answer(status, b"{}" if is_json else b"<html>"), "Acme", str).code

    assert code.status == "failed"
    if str(code).startswith("http-"):
        assert re.fullmatch(str(code).removeprefix("http-").replace("x", "."), str(min(max(status, 200), 599)))


def test_every_code_is_documented_and_leads_to_a_status() -> None:
    schema = json.loads((DOCS / "report.schema.json").read_text())
    column = schema["properties"]["organizations"]["items"]["properties"]["reason_code"]

    assert column["enum"] == [*ReasonCode, None]
    assert {each.status for each in ReasonCode} == set(STATUSES)
