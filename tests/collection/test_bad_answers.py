"""One organization's API misbehaves in every way that we know of; the other one is read whole all the same."""

import time

import pytest

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization
from tests.collection.gather import ask, gathered, ids, row, without

OTHER_HOST = "https://elsewhere.example/v1/tokens"

FAILURES = {
    "status=401": ("401", "credential of Acme was refused", "expired, revoked", "Unauthorized"),
    "empty-401": ("401", "credential of Acme was refused"),
    "status=403": ("403", "Acme lacks the permission", "Forbidden"),
    "forbidden-html": ("403", "blocked before it reached Credly"),
    "status=404": ("404", "check its id"),
    "status=422": ("422", "Acme"),
    "status=500": ("500", "could not answer for Acme", "run again later"),
    "status=503": ("503", "run again later"),
    "status=418": ("418", "refused the request for Acme"),
    "html": ("web page instead of JSON", "base_url"),
    "data-object": ("object instead of a list",),
    "data-missing": ("`data` is missing",),
    "total-pages=1000000000": ("1,000,000,000 pages", "not plausible"),
    "reset": ("ended the connection",),
    "cut": ("was cut off",),
    "stall": ("did not answer in time", "1 seconds"),
    "drip=0.05": ("did not answer in time",),
    f"redirect={OTHER_HOST}": ("https://elsewhere.example", "not followed"),
    "redirect=//elsewhere.example/": ("http://elsewhere.example", "not followed"),
    "redirect=javascript:alert(1)": ("another place", "not followed"),
    "redirect=http://[::1": ("another place", "not followed"),
}


@pytest.mark.parametrize("fault", FAILURES)
def test_what_cannot_be_read_fails_its_organization_alone_and_says_why(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization, fault: str
) -> None:
    acme.faults = [fault]

    snapshot = gathered(sandbox, [ask(acme), ask(healthy)], timeout=1.0 if fault.startswith(("stall", "drip")) else 5.0)

    failed, sound = row(snapshot, acme), row(snapshot, healthy)
    assert failed["status"] == "failed"
    for words in FAILURES[fault]:
        assert words in failed["reason"]
    assert failed["reason"].endswith(".")
    assert (sound["status"], sound["tokens"], sound["total_count"]) == ("complete", 60, 60)
    assert sorted(ids(snapshot, healthy)) == sorted(token.id for token in healthy.tokens)
    assert acme.auditor.token not in failed["reason"]


HARMLESS = ("metadata-null", "metadata-empty", "lone-surrogates", "bad-utf8", "foreign-next-page-url", "status=500x1")


@pytest.mark.parametrize("fault", HARMLESS)
def test_what_can_be_read_all_the_same_is_complete(sandbox: Sandbox, acme: SandboxOrganization, fault: str) -> None:
    acme.faults = [fault]

    snapshot = gathered(sandbox, [ask(acme)], max_retries=1)

    assert row(snapshot, acme)["status"] == "complete"
    assert ids(snapshot, acme) == [token.id for token in acme.tokens]
    assert "\0" not in "".join(snapshot.tokens["description"])


def test_a_link_in_an_answer_is_never_followed(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    acme.faults = ["foreign-next-page-url"]

    gathered(sandbox, [ask(acme)])

    assert {asked.path for asked in sandbox.requests} == {f"/v1/organizations/{acme.id}/authorization_tokens"}


def test_a_list_that_nobody_changes_is_complete_without_totals_too(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    acme.faults = ["metadata-empty"]

    found = row(gathered(sandbox, [ask(acme)]), acme)

    assert found["reason"].endswith("Two attempts returned the same tokens.")
    assert found["requests"] == 8


def test_a_failure_in_the_middle_keeps_what_was_had(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    acme.faults = ["status=500@page3"]

    snapshot = gathered(sandbox, [ask(acme)])

    assert row(snapshot, acme)["status"] == "failed"
    assert row(snapshot, acme)["reason"].startswith("Page 3: 500")
    assert ids(snapshot, acme) == [token.id for token in acme.tokens[:100]]


def test_a_page_1_that_cannot_be_read_again_fails(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    acme.faults = ["status=503@page1+1"]

    snapshot = gathered(sandbox, [ask(acme)])

    assert row(snapshot, acme)["reason"].startswith("Page 1, read again: 503")
    assert len(ids(snapshot, acme)) == 122


def test_nothing_but_429_ends_the_collection_with_what_was_had(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    sandbox.faults = ["status=429@page2"]
    healthy.tokens = healthy.tokens[:3]
    began = time.monotonic()

    snapshot = gathered(sandbox, [ask(healthy), ask(acme)], max_throttled_seconds=1.0)

    assert time.monotonic() - began < 60
    assert row(snapshot, healthy)["status"] == "complete"
    assert row(snapshot, acme)["status"] == "failed"
    assert "every request with 429" in row(snapshot, acme)["reason"]
    assert set(ids(snapshot, acme)) >= {token.id for token in acme.tokens[:50]}
    assert row(snapshot, acme)["retries"] == 0


@pytest.mark.parametrize("fault", ["status=429x3", "retry-after=1", "retry-after-date=1"])
def test_a_429_costs_no_retry(sandbox: Sandbox, acme: SandboxOrganization, fault: str) -> None:
    acme.faults = ["status=429x1", fault]

    snapshot = gathered(sandbox, [ask(acme)], max_throttled_seconds=20)

    assert (row(snapshot, acme)["status"], row(snapshot, acme)["retries"]) == ("complete", 0)


def test_connection_refused_fails_every_organization(acme: SandboxOrganization, healthy: SandboxOrganization) -> None:
    snapshot = gathered("http://127.0.0.1:1/v1", [ask(acme), ask(healthy)])

    assert snapshot.organizations["status"].to_list() == ["failed", "failed"]
    assert snapshot.organizations["reason"].str.contains("refused the connection").all()
    assert len(snapshot.tokens) == 0


def test_a_credential_that_could_not_be_had_is_not_asked_with(
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    snapshot = gathered(sandbox, [without(acme, "credential could not be read: exec:vault ended"), ask(healthy)])

    failed = row(snapshot, acme)
    assert (failed["status"], failed["requests"]) == ("failed", 0)
    assert failed["reason"] == "Credential could not be read: exec:vault ended."
    assert failed["credential_kind"] is None
    assert {asked.organization_id for asked in sandbox.requests} == {healthy.id}
    assert row(snapshot, healthy)["status"] == "complete"


def test_no_organization_needs_no_request(sandbox: Sandbox) -> None:
    snapshot = gathered(sandbox, [])

    assert (len(snapshot.tokens), len(snapshot.organizations), sandbox.requests) == (0, 0, [])
