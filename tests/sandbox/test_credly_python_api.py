"""A client that we did not write works against the sandbox: credly-python-api 0.2.0."""

from collections.abc import Iterator
from importlib.metadata import version

import pytest
from credly import Client
from credly.exceptions import UnauthorizedError

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization


@pytest.fixture
def client(sandbox: Sandbox, acme: SandboxOrganization) -> Iterator[Client]:
    client = Client(api_key=acme.auditor.token, base_url=sandbox.origin)
    yield client
    client.http.session.close()


def test_it_lists_every_page_whatever_it_asks_per_page(client: Client, acme: SandboxOrganization) -> None:
    assert version("credly-python-api") == "0.2.0"
    assert [token.id for token in client.authorization_tokens.list(acme.id)] == [token.id for token in acme.tokens]
    assert len(list(client.authorization_tokens.list(acme.id, page=1, per=100))) == 50


def test_it_creates(client: Client, acme: SandboxOrganization) -> None:
    made = client.authorization_tokens.create(acme.id, description="Moodle issues badges", name="not documented")

    assert made.id == acme.tokens[-1].id
    assert made.token == acme.tokens[-1].token
    assert acme.tokens[-1].description == "Moodle issues badges"


def test_it_rotates_the_token_that_it_asks_with(client: Client, acme: SandboxOrganization) -> None:
    rotated = client.authorization_tokens.rotate(acme.id)

    assert (rotated.id, rotated.token) == (acme.auditor.id, acme.auditor.token)
    with pytest.raises(UnauthorizedError):
        list(client.authorization_tokens.list(acme.id))


def test_it_sees_its_organization(client: Client, acme: SandboxOrganization) -> None:
    assert [organization.id for organization in client.organizations.list()] == [acme.id]
    assert client.organizations.get(acme.id).name == acme.name
