"""Under OAuth the caller has no row of its own in the listing: what that means for how much was seen."""

from time import monotonic
from typing import Any

import pytest

from credly_audit.collection.collect_snapshot import Ask, collect
from credly_audit.collection.progress import Lines
from credly_audit.config import settings
from credly_audit.credly.make_credentials import make_credential_maker
from credly_audit.credly.oauth_credential import OAuthCredential, TokenEndpoint
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.shapes import Reply
from credly_audit.sandbox.world import OAuthApplication, SandboxOrganization, made_up_organization, made_up_token
from credly_audit.secrets import ClientCredentials, Secret
from credly_audit.snapshot import Snapshot
from tests.collection.conftest import NOW
from tests.collection.gather import FINGERPRINTS, row

SECRET = "MADE-UP-secret-of-an-application-000"


def gathered(sandbox: Sandbox, *organizations: SandboxOrganization, secret: str = SECRET, **said: Any) -> Snapshot:
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
    sandbox: Sandbox, acme: SandboxOrganization, healthy: SandboxOrganization
) -> None:
    snapshot = gathered(sandbox, acme, healthy)

    found = row(snapshot, acme)
    assert (found["status"], found["tokens"], found["credential_kind"]) == ("complete", 122, "oauth")
    assert found["credential_expires_at"] is None or found["credential_expires_at"] != found["credential_expires_at"]
    assert not snapshot.tokens["is_audit_credential"].any()
    assert sandbox.counts["oauth-token"] == 2
    assert FINGERPRINTS.of(SECRET) in snapshot.header.other_fingerprints
    assert set(snapshot.header.value_lengths) >= {len(SECRET), *(len(token.token or "") for token in acme.tokens)}


def test_without_such_a_token_nothing_is_proved_and_the_reason_says_so(
    sandbox: Sandbox, acme: SandboxOrganization
) -> None:
    for token in acme.tokens:
        token.write_enabled = token.delete_enabled = False

    found = row(gathered(sandbox, acme), acme)

    assert (found["status"], found["tokens"]) == ("unverified", 122)
    assert "with OAuth nothing shows whether Credly limited the list" in found["reason"]


def test_a_refused_application_fails_its_organization_in_words(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    found = row(gathered(sandbox, acme, secret="MADE-UP-another-secret-0000000000000"), acme)

    assert (found["status"], found["tokens"]) == ("failed", 0)
    assert "OAuth: 401 from 127.0.0.1" in found["reason"]
    assert "client id and secret were refused" in found["reason"]
    assert "MADE-UP" not in found["reason"]


@pytest.mark.parametrize("skip", [0, 1, 2, 3])
def test_an_access_token_that_ends_in_the_middle_of_a_listing_is_renewed_and_nothing_is_lost(
    sandbox: Sandbox, acme: SandboxOrganization, skip: int
) -> None:
    sandbox.faults = [f"status=401@list+{skip}x1"]

    found = row(gathered(sandbox, acme, workers=1), acme)

    assert (found["status"], found["tokens"]) == ("complete", 122)
    assert sandbox.counts["list"] == 5
    assert sandbox.counts["oauth-token"] == 2


def test_tokens_that_all_end_at_once_are_renewed_for_all_workers(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    sandbox.faults = ["oauth-expires=1", "latency=0.3"]

    found = row(gathered(sandbox, acme, workers=8, timeout=5), acme)

    assert (found["status"], found["tokens"]) == ("complete", 122)
    assert 2 <= sandbox.counts["oauth-token"] <= 5


def shared(sandbox: Sandbox, organizations: list[SandboxOrganization], **said: Any) -> Snapshot:
    """What a collection saw that asks for all organizations with one application."""
    for each in organizations:
        each.oauth_applications = [OAuthApplication(1, "Audit", "MADE-UP-uid-of-all", SECRET, "Audits tokens")]
    api = settings.Api(base_url=sandbox.base_url, **{"workers": 16, "timeout": 5.0, "max_retries": 2} | said)
    who = make_credential_maker(api, FINGERPRINTS)
    client = [ClientCredentials(Secret("MADE-UP-uid-of-all"), Secret(SECRET)) for _ in organizations]
    asks = [
        Ask(settings.Organization(id=each.id, name=each.name), who(one))
        for each, one in zip(organizations, client, strict=True)
    ]
    return collect(asks, api, FINGERPRINTS, observer=Lines())


def test_sixty_organizations_of_one_client_share_one_grant(sandbox: Sandbox) -> None:
    many = [made_up_organization(number, now=NOW) for number in range(60)]
    sandbox.world.organizations += many
    sandbox.faults = ["status=429@oauth-tokenx1", "retry-after=1"]

    snapshot = shared(sandbox, many)

    assert set(snapshot.organizations["status"]) == {"complete"}
    assert sandbox.counts["oauth-token"] == 2


@pytest.mark.parametrize("workers", [1, 16])
def test_an_endpoint_that_stalls_in_the_middle_costs_the_same_with_any_number_of_workers(
    sandbox: Sandbox, acme: SandboxOrganization, workers: int
) -> None:
    acme.tokens += [made_up_token("more", number, now=NOW) for number in range(700)]
    sandbox.faults = ["stall@oauth-token+1", "status=401@list+1"]
    began = monotonic()

    snapshot = shared(sandbox, [acme], workers=workers, timeout=0.5, max_retries=1)

    assert row(snapshot, acme)["status"] == "failed"
    assert "did not answer in time" in row(snapshot, acme)["reason"]
    assert sandbox.counts["oauth-token"] == 3
    assert monotonic() - began < 30  # 700 tokens are 14 pages: each waiting on its own takes longer


def test_an_access_token_that_a_description_shows_is_redacted(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    granted: list[str] = []
    grant = sandbox.api.bearers.grant

    def watched(*said: Any) -> Reply:
        answer = grant(*said)
        granted.append(answer.content["access_token"])
        acme.tokens[3].description = f"Uses {granted[-1]} since May"
        return answer

    sandbox.api.bearers.grant = watched  # type: ignore[method-assign]  # it has to say what only it knows

    snapshot = shared(sandbox, [acme])

    assert list(snapshot.tokens["description"])[3] == "Uses [redacted] since May"
    assert FINGERPRINTS.of(granted[0]) in snapshot.header.other_fingerprints


def test_applications_are_read_under_oauth(sandbox: Sandbox, acme: SandboxOrganization) -> None:
    snapshot = gathered(sandbox, acme, include_oauth_applications=True)

    assert list(snapshot.applications["name"]) == ["Audit"]
    assert row(snapshot, acme)["status"] == "complete"
