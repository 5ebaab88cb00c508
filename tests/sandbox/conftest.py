"""A small world, and the questions that a client asks of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization, World, made_up_organization, made_up_token

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Caller:
    """Asks as a client would, on one connection, with one credential."""

    def __init__(self, sandbox: Sandbox, value: str) -> None:
        self.base_url = sandbox.base_url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = (value, "")

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        options = {"timeout": 5, "allow_redirects": False} | options
        return self.session.request(method, self.base_url + path, **options)

    def tokens(self, organization: SandboxOrganization, page: int = 1, **options: Any) -> requests.Response:
        return self.ask("GET", f"/organizations/{organization.id}/authorization_tokens?page={page}", **options)

    def create(self, organization: SandboxOrganization, **body: Any) -> requests.Response:
        return self.ask("POST", f"/organizations/{organization.id}/authorization_tokens", json=body)

    def rotate(self, organization: SandboxOrganization, *, timeout: float = 5, **body: Any) -> requests.Response:
        path = f"/organizations/{organization.id}/authorization_tokens/rotate"
        return self.ask("POST", path, json=body, timeout=timeout)


@pytest.fixture
def acme() -> SandboxOrganization:
    """122 tokens over three pages; the first can write, the others only read."""
    return made_up_organization("acme", now=NOW, tokens=122)


@pytest.fixture
def other() -> SandboxOrganization:
    return made_up_organization("other", now=NOW)


@pytest.fixture
def sandbox(acme: SandboxOrganization, other: SandboxOrganization) -> Iterator[Sandbox]:
    with Sandbox(World([acme, other]), now=NOW) as running:
        yield running


@pytest.fixture
def caller(sandbox: Sandbox, acme: SandboxOrganization) -> Iterator[Caller]:
    caller = Caller(sandbox, acme.auditor.token)
    with caller.session:
        yield caller


@pytest.fixture
def reader(sandbox: Sandbox, acme: SandboxOrganization) -> Iterator[Caller]:
    """A caller whose token can only read."""
    acme.tokens += [
        made_up_token("deleter", now=NOW, delete_enabled=True),
        reading := made_up_token("reader", now=NOW),
    ]
    caller = Caller(sandbox, reading.token)
    with caller.session:
        yield caller
