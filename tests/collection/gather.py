"""Collects from a sandbox as `run` does, with short patience."""

from collections.abc import Sequence
from threading import Event
from typing import Any

from credly_audit.collection.collect_snapshot import Ask, collect
from credly_audit.collection.progress import Lines, Observer
from credly_audit.config import settings
from credly_audit.credly.auth import TokenCredential
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization
from credly_audit.secrets import Secret, Unavailable
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.snapshot import Snapshot

FINGERPRINTS = Fingerprints()


def ask(organization: SandboxOrganization, value: str | None = None, *, name: str | None = "", **said: Any) -> Ask:
    """An organization of the sandbox with its auditor's token, or that of another `value`."""
    value = organization.auditor.token if value is None else value
    return Ask(
        settings.Organization(id=organization.id, name=organization.name if name == "" else name, **said),
        TokenCredential(Secret(value), FINGERPRINTS.of(value)),
    )


def without(organization: SandboxOrganization, reason: str) -> Ask:
    """Return an organization whose credential could not be read."""
    return Ask(settings.Organization(id=organization.id, name=organization.name), Unavailable(reason))


def gathered(
    sandbox: Sandbox | str,
    asks: Sequence[Ask],
    *,
    observer: Observer | None = None,
    stop: Event | None = None,
    **api: Any,
) -> Snapshot:
    """What a collection over these organizations saw."""
    base_url = sandbox if isinstance(sandbox, str) else sandbox.base_url
    patience = {"workers": 4, "timeout": 5.0, "max_retries": 0, "max_throttled_seconds": 1.0} | api
    return collect(
        asks, settings.Api(base_url=base_url, **patience), FINGERPRINTS, observer=observer or Lines(), stop=stop
    )


def row(snapshot: Snapshot, organization: SandboxOrganization) -> dict[str, Any]:
    """What the organizations frame says of one."""
    frame = snapshot.organizations
    found: list[dict[str, Any]] = frame[frame["organization_id"] == organization.id].to_dict("records")
    assert len(found) == 1
    return found[0]


def ids(snapshot: Snapshot, organization: SandboxOrganization) -> list[str]:
    """The tokens collected of one, in order."""
    tokens = snapshot.tokens
    found: list[str] = tokens.loc[tokens["organization_id"] == organization.id, "token_id"].to_list()
    return found
