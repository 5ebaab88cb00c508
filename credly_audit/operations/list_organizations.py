"""List the organizations that credentials can access: those of a configuration, or references given with an option."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from credly_audit.config.credentials import read_credentials, resolve_proxy
from credly_audit.config.load import load
from credly_audit.config.settings import Api, OAuth
from credly_audit.config.source import DEFAULT_CONFIG
from credly_audit.credly.client import Client, Line
from credly_audit.credly.make_credentials import make_credential_maker
from credly_audit.credly.organizations import ListedOrganization, organizations, owner
from credly_audit.credly.pace import Throttled
from credly_audit.credly.transport_errors import NoAnswer
from credly_audit.errors import UsageError
from credly_audit.secrets import (
    ClientCredentials,
    Secret,
    Unavailable,
    find_mistake,
    is_reference,
    list_forms,
    mask_reference,
    read_secret,
)
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.redaction import Redactor
from credly_audit.text import one_line


@dataclass(frozen=True, slots=True)
class NamedCredential:
    """A credential, how it is written, and the id of the organization that it is configured for, if any."""

    written: str | OAuth
    secret: Secret | ClientCredentials | Unavailable
    configured: str | None

    @property
    def called(self) -> str:
        """The reference as it may be shown."""
        if isinstance(self.written, OAuth):
            return f"oauth {mask_reference(self.written.client_id)}"
        return mask_reference(self.written)


@dataclass(frozen=True, slots=True)
class AccessibleOrganizations:
    """The organizations, each once with the first credential that can access it, and what went wrong, in sentences."""

    rows: list[tuple[ListedOrganization, NamedCredential]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def list_organizations(
    config: Path | None, references: tuple[str, ...], environ: Mapping[str, str], warn: Callable[[str], None]
) -> AccessibleOrganizations:
    """List what the credentials can access; `warn` gets a sentence for each organization that several can access.

    With references no configuration is needed. UsageError where one is no reference, or its secret is missing.
    """
    path = config or (DEFAULT_CONFIG if DEFAULT_CONFIG.exists() or not references else None)
    api, credentials = _read_credentials(path, references, environ)
    found: dict[str, tuple[ListedOrganization, NamedCredential]] = {}
    troubles: list[str] = []
    for each, accessible in _query(api, credentials):
        if isinstance(accessible, str):
            troubles.append(f"{each.called}: {accessible}")
            continue
        for one in accessible:
            first = found.setdefault(one.id, (one, each))[1]
            if first is not each:
                warn(f"{each.called} can access {name_organization(one)} too; {first.called} is kept")
        troubles += _find_mismatch(each, accessible)
    return AccessibleOrganizations(list(found.values()), troubles)


def name_organization(organization: ListedOrganization) -> str:
    """Return name and id of an organization, for a sentence."""
    return f"{one_line(organization.name or '?', 60)} ({organization.id})"


def _read_credentials(
    path: Path | None, references: tuple[str, ...], environ: Mapping[str, str]
) -> tuple[Api, list[NamedCredential]]:
    settings = load(path, environ, for_collecting=not references) if path else None
    if settings:
        settings = resolve_proxy(settings, environ)
    url = environ.get("CREDLY_API_URL")
    api = settings.api if settings else Api.model_validate({"base_url": url} if url else {})
    if references:
        if not all(map(is_reference, references)):
            mistake = next(filter(None, map(find_mistake, references)), f"no reference; write {list_forms()}")
            raise UsageError(f"--credential: {mistake}")
        named = [NamedCredential(each, read_secret(each, Path(), environ), None) for each in dict.fromkeys(references)]
        return api, named
    assert settings is not None  # noqa: S101 - without a reference a configuration was loaded
    secrets = read_credentials(settings.organizations, settings.folder, environ)
    return api, [
        NamedCredential(each.oauth or each.token or "", secrets[each.id], each.id) for each in settings.organizations
    ]


def _query(
    api: Api, credentials: Sequence[NamedCredential]
) -> Iterator[tuple[NamedCredential, list[ListedOrganization] | str]]:
    """Yield what each credential can access, or why that is not known."""
    fingerprints = Fingerprints()
    make_credential = make_credential_maker(api, fingerprints)
    with Client(Line(api, Event())) as client:
        for each in credentials:
            if isinstance(each.secret, Unavailable):
                yield each, each.secret.reason
                continue
            credential = make_credential(each.secret)
            redactor = Redactor(fingerprints.of, credential.traces)
            try:
                if credential.kind == "oauth" and each.configured:
                    yield each, owner(client, credential, each.configured, redactor)
                else:
                    yield each, organizations(client, credential, redactor)
            except (NoAnswer, Throttled) as error:
                yield each, str(error)


def _find_mismatch(credential: NamedCredential, accessible: list[ListedOrganization]) -> Iterator[str]:
    if credential.configured and credential.configured not in {each.id for each in accessible}:
        others = ", ".join(map(name_organization, accessible)) or "none that is known"
        yield (
            f"{credential.called} is configured for organization {credential.configured}, but belongs to {others}: "
            "correct the id, or name the credential of that organization"
        )
