"""A faulty organization beside a healthy one."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization, World, made_up_organization

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def acme() -> SandboxOrganization:
    """122 tokens on three pages, all sound until a test says otherwise."""
    return made_up_organization("acme", now=NOW, tokens=122, name="Acme")


@pytest.fixture
def healthy() -> SandboxOrganization:
    return made_up_organization("healthy", now=NOW, tokens=60, name="Healthy")


@pytest.fixture
def sandbox(acme: SandboxOrganization, healthy: SandboxOrganization) -> Iterator[Sandbox]:
    with Sandbox(World([acme, healthy]), now=NOW) as running:
        yield running
