"""Make the tasks: each rotates or creates one token, and knows its organization, its store and its progress."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from credly_audit.config.credentials import read_credentials
from credly_audit.config.settings import Organization, Settings
from credly_audit.credly.auth import Credential
from credly_audit.credly.client import Client
from credly_audit.credly.make_credentials import make_credential_maker
from credly_audit.credly.wire import TokenRow
from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.files.paths import working_folder
from credly_audit.lifecycle.journal import Journal
from credly_audit.lifecycle.outcome import Ending, Outcome, State
from credly_audit.lifecycle.request import Request
from credly_audit.lifecycle.token_endpoints import Look, TokensApi, read_time
from credly_audit.secrets import (
    ClientCredentials,
    Secret,
    SecretError,
    Unavailable,
    check_sources,
    find_mistake,
    find_store,
    is_reference,
    list_forms,
    mask_reference,
    read_secret,
    read_stored,
)
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.sources.interface import Reader, SecretStore

if TYPE_CHECKING:
    from credly_audit.lifecycle.renewal import Renewal
    from credly_audit.lifecycle.replace import Replacement

Then = Callable[[Outcome], None]
"""Runs the command of `--then`; StoreFailed where it fails."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A place from which the new value must be readable after it is stored."""

    name: str
    read: Reader


@dataclass(slots=True, eq=False)
class Task:
    """The work on one token, and its progress."""

    request: Request
    organization: Organization
    api: TokensApi
    credential: Credential
    """What the requests authenticate with; for `rotate` the token that is rotated. For `create --for-expired` it is the
    stored token, until that has turned out to have expired and another credential is chosen."""
    value: Secret | None = field(repr=False)
    """The credential's value; None for OAuth, which has none to rotate."""
    reread: Callable[[], Secret | None]
    """Read the value again; None where it cannot be read or does not exist."""
    lock: str
    store: SecretStore
    read_back: ReadBack | None
    """A place to read the value back from, besides the store."""
    fallback: Credential | None

    before: Look | None = None
    """The listing as it was before the POST."""
    journal: Journal | None = None
    """The journal of an earlier run that may have changed something; later, the journal of this run."""
    resumes: bool = False
    """Whether to finish the rotation of an earlier run instead of starting a new one."""
    in_doubt: bool = False
    """Whether the request of an earlier run for this token may have taken effect."""
    began: float = field(default_factory=monotonic)
    """The earliest time at which the old value may have stopped working."""
    restore_trouble: str | None = None
    """Why the old value could not be restored in the store after a new one was refused."""
    not_due: str | None = None
    """Why nothing has to be done."""
    outcome: Outcome | None = None
    hold: Callable[[str], None] = lambda _: None
    """Acquires one more lock until the command ends."""
    then: Then | None = None
    description: str | None = None
    """Of the token to create, or the new one of the token to rotate."""
    replacement: "Replacement | None" = None
    """The replacement that a token to create belongs to; None where it replaces none."""
    renewal: "Renewal | None" = None
    """The search for an expired token whose place a token to create takes; None where it takes none's."""
    on_proved: Callable[[Outcome], None] = lambda _: None
    """What has to be recorded before the copy of a proved value is removed; CannotWrite where it cannot be."""

    @property
    def own_journal(self) -> Journal:
        """The journal of this run, from step 4 on."""
        assert self.journal is not None  # noqa: S101 - no request is sent without one
        return self.journal

    @property
    def is_pending(self) -> bool:
        """Whether the token has yet to be rotated, created or finished."""
        return self.outcome is None and self.not_due is None

    @property
    def row(self) -> TokenRow | None:
        """The token's row in the listing before the POST."""
        return self.before.find_row(self.credential.fingerprint) if self.before else None

    @property
    def expires_at(self) -> datetime | None:
        """When the token expires; None where the listing does not show it."""
        return read_time(self.row.expires_at) if self.row else None

    @property
    def readers(self) -> list[ReadBack]:
        """All places that must return the new value."""
        return _list_readers(self.store, self.read_back)

    @property
    def replaces(self) -> str | None:
        """The id of the token that the one to create replaces; None where it replaces none."""
        if self.replacement is not None:
            return self.replacement.old_token_id
        return self.renewal.expired.id if self.renewal and self.renewal.expired else None

    def is_new(self, value: Secret) -> bool:
        """Return whether a value differs from the old one and from those listed before."""
        return value != self.value and (self.before is None or value not in self.before.values.values())

    def draft_outcome(self) -> Outcome:
        """Return a draft of the outcome, without a state."""
        before = self.credential.fingerprint if self.request.action == "rotate" else None
        return Outcome(
            self.organization.id,
            self.organization.called,
            self.request.action,
            State.UNKNOWN,
            "",
            fingerprint_before=before,
            replaces=self.replaces,
        )

    def end(self, ending: Ending, **facts: object) -> Outcome:
        """Return the outcome of a token with this ending, without facts of the token."""
        return self.draft_outcome().end(ending, **facts)


def name_lock(value: Secret) -> str:
    """Return the name of a credential's lock; it differs from the fingerprint, so no report can reveal the pair."""
    return hashlib.sha256(b"credly-audit lock\0" + value.reveal().encode()).hexdigest()[:32]


class TaskMaker:
    """Makes the tasks: reads credentials and chooses stores. Paths in options are relative to the working directory."""

    def __init__(
        self,
        request: Request,
        settings: Settings,
        client: Client,
        fingerprints: Fingerprints,
        environ: Mapping[str, str],
    ) -> None:
        self._request = request
        self._settings = settings
        self._client = client
        self._fingerprints = fingerprints
        self._environ = environ
        self._here = working_folder()
        self._who = make_credential_maker(settings.api, fingerprints)

    def make_tasks(self) -> list[Task]:
        """Make a task for each organization of the settings, or raise one ConfigurationError with all mistakes."""
        organizations = self._settings.organizations
        if self._request.credential is not None and len(organizations) != 1:
            raise UsageError("--credential is a token of one organization: name it with --organization")
        secrets = (
            {organizations[0].id: read_secret(self._request.credential, self._here, self._environ)}
            if self._request.credential
            else read_credentials(organizations, self._settings.folder, self._environ)
        )
        self._secrets = secrets
        make = self._make_renewing_task if self._request.for_expired else self._make_task
        tasks, wrong = [], []
        for each in organizations:
            secret = secrets[each.id]
            try:
                if isinstance(secret, Unavailable):
                    raise UsageError(secret.reason)
                tasks.append(make(each, secret))
            except UsageError as error:
                wrong.append(f"{each.called}: {error}")
        wrong += _list_shared(
            tasks, lambda task: task.lock, "has the same credential as another: rotate it for one of them only"
        )
        wrong += _list_shared(tasks, lambda task: task.store, "has the same store as another: use {id} in the store")
        if wrong:
            raise ConfigurationError(wrong)
        return tasks

    def _reread(self, organization: Organization) -> Secret | None:
        reference, folder = self._find_source(organization)
        with suppress(SecretError):
            return read_secret(reference, folder, self._environ) if reference else None
        return None

    def list_other_credentials(self, task: Task) -> list[Credential | str]:
        """Return the credentials of a task's organization besides its token; a text where one cannot be read."""
        organization, own = task.organization, self._secrets[task.organization.id]
        others: list[Credential | str] = [self._who(own)] if isinstance(own, ClientCredentials) else []
        if organization.fallback_token is not None:
            try:
                fallback = read_secret(organization.fallback_token, self._settings.folder, self._environ)
            except SecretError as error:
                others.append(f"fallback_token could not be read: {error}")
            else:
                others += [self._who(fallback)] if fallback != task.value else []
        return others

    def _make_renewing_task(self, organization: Organization, secret: Secret | ClientCredentials) -> Task:
        """Make a task about the token in the organization's store, which is the configured one unless that is OAuth."""
        store = self._choose_store(organization)
        read_back = self._choose_read_back(organization, store)
        reread = partial(self._reread, organization)
        if isinstance(secret, ClientCredentials):
            places = _list_readers(store, read_back)
            if not places:
                raise UsageError(f"{store.name} cannot be read: set `read_back` to where its token can be read")
            secret = places[0].read()
            reread = partial(read_stored, places[0].read)
        api = TokensApi(self._client, organization, self._fingerprints)
        who, lock = self._who(secret), name_lock(secret)
        return Task(self._request, organization, api, who, secret, reread, lock, store, read_back, fallback=None)

    def _make_task(self, organization: Organization, secret: Secret | ClientCredentials) -> Task:
        if isinstance(secret, ClientCredentials) and self._request.action == "rotate":
            raise UsageError("authenticates with OAuth, which has no token to rotate: name a token with --credential")
        store = self._choose_store(organization)
        own = secret.client_secret if isinstance(secret, ClientCredentials) else secret
        return Task(
            self._request,
            organization,
            TokensApi(self._client, organization, self._fingerprints),
            self._who(secret),
            secret if isinstance(secret, Secret) else None,
            (lambda: self._reread(organization)) if isinstance(secret, Secret) else (lambda: None),
            name_lock(own),
            store,
            self._choose_read_back(organization, store),
            self._make_fallback(organization, own),
            description=self._request.description,
        )

    def _find_source(self, organization: Organization) -> tuple[str | None, Path]:
        """Return the reference of the credential, and the folder that its path is relative to."""
        if self._request.credential is not None:
            return self._request.credential, self._here
        return organization.token, self._settings.folder

    def _is_own(self, organization: Organization) -> bool:
        """Return whether the credential is the configured token, so that its `store` and `read_back` apply."""
        return self._request.renews and self._request.credential in {None, organization.token}

    def _choose_store(self, organization: Organization) -> SecretStore:
        if self._request.store is not None:
            return _require_store(self._request.store.replace("{id}", organization.id), self._here, self._environ)
        if self._is_own(organization) and organization.store is not None:
            return _require_store(organization.store, self._settings.folder, self._environ)
        reference, folder = self._find_source(organization)
        store = find_readable_store(reference, folder, self._environ)
        if store is None:
            where = mask_reference(reference) if reference else "OAuth"
            named = "set `store`" if self._request.for_expired else "name a store with --store"
            raise UsageError(
                f"its credential comes from {where}, which cannot store a new value: {named} ({list_forms('store')})"
            )
        return store

    def _choose_read_back(self, organization: Organization, store: SecretStore) -> ReadBack | None:
        """Choose a place to read back from, besides the store itself, which is always read back where possible."""
        place = self._request.read_back
        if place is not None:
            return None if place == "none" else self._make_read_back(place.replace("{id}", organization.id), self._here)
        own = organization.read_back if self._is_own(organization) else None
        if own is not None and (self._request.store is None or store.read is None):
            return None if own == "none" else self._make_read_back(own, self._settings.folder)
        reference, folder = self._find_source(organization)
        if store.read is not None:
            return None
        if self._request.renews and reference is not None and is_reference(reference, "read back"):
            return self._make_read_back(reference, folder)
        named = "set `read_back` to a place" if self._request.for_expired else "name a place with --read-back"
        skip = "`none`" if self._request.for_expired else "--read-back none"
        raise UsageError(
            f"{store.name} cannot be read back: {named} {list_forms('read back')}, or use {skip} to skip that check"
        )

    def _make_read_back(self, reference: str, folder: Path) -> ReadBack:
        check_sources([reference], folder)
        return ReadBack(mask_reference(reference), lambda: read_secret(reference, folder, self._environ))

    def _make_fallback(self, organization: Organization, own: Secret) -> Credential | None:
        """Make the second credential, which looks up a missing value: fallback_token, else the configured one."""
        folder = self._settings.folder
        if organization.fallback_token is not None:
            second: Secret | ClientCredentials = read_secret(organization.fallback_token, folder, self._environ)
        elif self._request.credential is None or self._is_own(organization):
            return None
        else:
            try:
                found = read_credentials((organization,), folder, self._environ)[organization.id]
            except (ConfigurationError, KeyError):
                return None
            if isinstance(found, Unavailable):
                return None
            second = found
        return None if second == own else self._who(second)


def find_readable_store(reference: str | None, folder: Path, environ: Mapping[str, str]) -> SecretStore | None:
    """Return the place of a credential as a store for a new value, where it can be written and read."""
    store = find_store(reference, folder, environ) if reference else None
    return None if store is None or store.read is None else store


def _list_readers(store: SecretStore, read_back: ReadBack | None) -> list[ReadBack]:
    """Return the places that must return what a store took."""
    own = [] if store.read is None else [ReadBack(store.name, store.read)]
    return own + ([] if read_back is None else [read_back])


def _require_store(reference: str, folder: Path, environ: Mapping[str, str]) -> SecretStore:
    """Return the store that a reference names; UsageError where it names none."""
    store = find_store(reference, folder, environ) if is_reference(reference, "store") else None
    if store is None:
        read_only = f"{mask_reference(reference)} cannot store values; " if is_reference(reference) else ""
        raise UsageError(f"--store: {find_mistake(reference) or read_only + 'write ' + list_forms('store')}")
    return store


def _list_shared(tasks: list[Task], of: Callable[[Task], str | SecretStore], problem: str) -> list[str]:
    """Return a mistake for each task that shares a value or a store, which one rotation would break for the other."""
    many = Counter(of(task) for task in tasks)
    return [f"{task.organization.called}: {problem}" for task in tasks if many[of(task)] > 1]
