"""OAuth client credentials, and what an access token opens."""

from time import sleep

import pytest
import requests

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import OAuthApplication, SandboxOrganization
from tests.sandbox.conftest import Caller

SECRET = "MADE-UP-secret"
FORM = {"grant_type": "client_credentials", "scope": "authorization_tokens"}


@pytest.fixture
def application(acme: SandboxOrganization) -> OAuthApplication:
    application = OAuthApplication(42, "Audit", "MADE-UP-uid", SECRET, "Audits tokens", creator_available=False)
    acme.oauth_applications.append(application)
    return application


def granted(sandbox: Sandbox, application: OAuthApplication, **form: str) -> requests.Response:
    basic = (application.uid, application.secret)
    return requests.post(f"{sandbox.origin}/oauth/token", data=FORM | form, auth=basic, timeout=5)


def asked(sandbox: Sandbox, path: str, bearer: str, method: str = "GET") -> requests.Response:
    told = {"Authorization": f"Bearer {bearer}"}
    return requests.request(method, sandbox.base_url + path, headers=told, timeout=5)


def test_a_grant_has_the_shape_of_doorkeepers(sandbox: Sandbox, application: OAuthApplication) -> None:
    answer = granted(sandbox, application).json()

    assert {key: answer[key] for key in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 7200,
        "scope": "authorization_tokens",
    }
    assert {"access_token", "created_at"} < set(answer)


def test_the_client_may_name_itself_in_the_form(sandbox: Sandbox, application: OAuthApplication) -> None:
    form = FORM | {"client_id": application.uid, "client_secret": SECRET}

    assert requests.post(f"{sandbox.origin}/oauth/token", data=form, timeout=5).status_code == 200


def test_an_access_token_sees_every_token_and_creates_but_has_none_to_rotate(
    sandbox: Sandbox, application: OAuthApplication, acme: SandboxOrganization, other: SandboxOrganization
) -> None:
    bearer = granted(sandbox, application).json()["access_token"]
    tokens = f"/organizations/{acme.id}/authorization_tokens"

    assert asked(sandbox, tokens, bearer).json()["metadata"]["total_count"] == 122
    assert asked(sandbox, tokens, bearer, "POST").status_code == 201
    assert asked(sandbox, f"{tokens}/rotate", bearer, "POST").status_code == 422
    assert asked(sandbox, f"/organizations/{other.id}/authorization_tokens", bearer).status_code == 404


def test_a_client_of_several_organizations_has_one_access_token_for_all(
    sandbox: Sandbox, application: OAuthApplication, acme: SandboxOrganization, other: SandboxOrganization
) -> None:
    other.oauth_applications.append(application)

    bearer = granted(sandbox, application).json()["access_token"]

    for each in (acme, other):
        assert asked(sandbox, f"/organizations/{each.id}/authorization_tokens", bearer).status_code == 200


def test_organizations_are_not_open_to_an_access_token(
    sandbox: Sandbox, application: OAuthApplication, acme: SandboxOrganization
) -> None:
    bearer = granted(sandbox, application).json()["access_token"]

    assert asked(sandbox, "/organizations", bearer).status_code == 403
    assert asked(sandbox, f"/organizations/{acme.id}", bearer).status_code == 403


def test_without_its_scope_tokens_stay_closed(
    sandbox: Sandbox, application: OAuthApplication, acme: SandboxOrganization
) -> None:
    bearer = granted(sandbox, application, scope="badge_templates").json()["access_token"]

    assert asked(sandbox, f"/organizations/{acme.id}/authorization_tokens", bearer).status_code == 403


def test_an_access_token_ends_and_a_new_one_can_be_had(
    sandbox: Sandbox, application: OAuthApplication, acme: SandboxOrganization
) -> None:
    sandbox.faults = ["oauth-expires=0x1"]
    tokens = f"/organizations/{acme.id}/authorization_tokens"
    first = granted(sandbox, application).json()
    sleep(0.01)

    assert first["expires_in"] == 0
    assert asked(sandbox, tokens, first["access_token"]).status_code == 401
    assert asked(sandbox, tokens, granted(sandbox, application).json()["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"scope": "read"}, 400, "invalid_scope"),
        ({"client_secret": "MADE-UP-wrong"}, 401, "invalid_client"),
    ],
)
def test_a_refusal_is_in_the_words_of_the_standard(
    sandbox: Sandbox, application: OAuthApplication, form: dict[str, str], status: int, error: str
) -> None:
    client = {"client_id": application.uid, "client_secret": SECRET}
    refused = requests.post(f"{sandbox.origin}/oauth/token", data=client | FORM | form, timeout=5)

    assert (refused.status_code, refused.json()["error"]) == (status, error)


def test_applications_are_listed_without_their_secret(
    caller: Caller, application: OAuthApplication, acme: SandboxOrganization
) -> None:
    answer = caller.ask("GET", f"/organizations/{acme.id}/oauth_applications").json()

    assert answer["data"][0]["id"] == 42
    assert answer["data"][0]["secret"] is None
    assert answer["data"][0]["creator_available"] is False
    assert answer["metadata"]["total_count"] == 1
    assert SECRET not in repr(application)
