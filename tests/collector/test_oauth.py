"""Under OAuth the caller has no row of its own in the listing: what that means for how much was seen."""

from typing import Any

import pytest

from credly_audit.collector import Ask, collect
from credly_audit.config import settings
from credly_audit.credly.oauth import OAuthCredential, TokenEndpoint
from credly_audit.progress import Lines
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import OAuthApplication, Organization
from credly_audit.secrets import ClientCredentials, Secret
from credly_audit.snapshot import Snapshot
from tests.collector.gather import FINGERPRINTS, row

SECRET = "MADE-UP-secret-of-an-application-000"


def gathered(sandbox: Sandbox, *organizations: Organization, secret: str = SECRET, **said: Any) -> Snapshot:
    """What a collection by OAuth saw."""
    patience: dict[str, Any] = {"workers": 4, "timeout": 5.0, "max_retries": 0, "max_throttled_seconds": 1.0}
    api = settings.Api(base_url=sandbox.base_url, **patience | said)
    endpoint = TokenEndpoint(api)
    asks = []
    for number, each in enumerate(organizations):
        each.oauth_applications = [OAuthApplication(number, "Audit", f"MADE-UP-uid-{number}", SECRET, "Audits tokens")]
        client = ClientCredentials(Secret(f"MADE-UP-uid-{number}"), Secret(secret))
        asks.append(
            Ask(settings.Organization(id=each.id, name=each.name), OAuthCredential(client, endpoint, FINGERPRINTS))
        )
    return collect(asks, api, FINGERPRINTS, observer=Lines())


def test_a_listed_token_that_can_write_proves_the_list_whole_under_oauth_too(
    sandbox: Sandbox, acme: Organization, healthy: Organization
) -> None:
    snapshot = gathered(sandbox, acme, healthy)

    found = row(snapshot, acme)
    assert (found["status"], found["tokens"], found["credential_kind"]) == ("complete", 122, "oauth")
    assert found["credential_expires_at"] is None or found["credential_expires_at"] != found["credential_expires_at"]
    assert not snapshot.tokens["is_audit_credential"].any()
    assert sandbox.counts["oauth-token"] == 2
    assert snapshot.header.other_fingerprints == (FINGERPRINTS.of(SECRET),)
    assert set(snapshot.header.value_lengths) == {len(SECRET), *(len(token.token or "") for token in acme.tokens)}


def test_without_such_a_token_nothing_is_proved_and_the_reason_says_so(sandbox: Sandbox, acme: Organization) -> None:
    for token in acme.tokens:
        token.write_enabled = token.delete_enabled = False

    found = row(gathered(sandbox, acme), acme)

    assert (found["status"], found["tokens"]) == ("unverified", 122)
    assert "under OAuth nothing shows whether Credly cut the list" in found["reason"]


def test_a_refused_application_fails_its_organization_in_words(sandbox: Sandbox, acme: Organization) -> None:
    found = row(gathered(sandbox, acme, secret="MADE-UP-another-secret-0000000000000"), acme)

    assert (found["status"], found["tokens"]) == ("failed", 0)
    assert "OAuth: 401 from 127.0.0.1" in found["reason"]
    assert "client id and secret were refused" in found["reason"]
    assert "MADE-UP" not in found["reason"]


@pytest.mark.parametrize("skip", [0, 1, 2, 3])
def test_an_access_token_that_ends_in_the_middle_of_a_listing_is_renewed_and_nothing_is_lost(
    sandbox: Sandbox, acme: Organization, skip: int
) -> None:
    sandbox.faults = [f"status=401@list+{skip}x1"]

    found = row(gathered(sandbox, acme, workers=1), acme)

    assert (found["status"], found["tokens"]) == ("complete", 122)
    assert sandbox.counts["list"] == 5
    assert sandbox.counts["oauth-token"] == 2


def test_tokens_that_all_end_at_once_are_renewed_for_all_workers(sandbox: Sandbox, acme: Organization) -> None:
    sandbox.faults = ["oauth-expires=1", "latency=0.3"]

    found = row(gathered(sandbox, acme, workers=8, timeout=5), acme)

    assert (found["status"], found["tokens"]) == ("complete", 122)
    assert 2 <= sandbox.counts["oauth-token"] <= 5


def test_applications_are_read_under_oauth(sandbox: Sandbox, acme: Organization) -> None:
    snapshot = gathered(sandbox, acme, include_oauth_applications=True)

    assert list(snapshot.applications["name"]) == ["Audit"]
    assert row(snapshot, acme)["status"] == "complete"
