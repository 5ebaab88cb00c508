"""One token that is to be rotated or created: whose it is, where its new value goes, and how far it has come."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from credly_audit.config.credentials import read_credentials
from credly_audit.config.settings import Organization, Settings
from credly_audit.credly.auth import Credential
from credly_audit.credly.client import Client
from credly_audit.credly.credentials import credential_maker
from credly_audit.credly.wire import TokenRow
from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.files.paths import working_folder
from credly_audit.lifecycle.api import Look, TokensApi, read_time
from credly_audit.lifecycle.journal import Journal
from credly_audit.lifecycle.outcome import Ending, Outcome, State
from credly_audit.lifecycle.request import Request
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
)
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.sources.interface import Reader, SecretStore

if TYPE_CHECKING:
    from credly_audit.lifecycle.replace import Replacement

Then = Callable[[Outcome], None]
"""What `--then` runs; StoreFailed where it fails."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A place from which the new value must be readable in the end."""

    name: str
    read: Reader


@dataclass(slots=True, eq=False)
class Task:
    """What is to be done with one token, and how far that is."""

    request: Request
    organization: Organization
    api: TokensApi
    credential: Credential
    """Who asks; for `rotate` the token that is rotated."""
    value: Secret | None = field(repr=False)
    """The credential's value; None under OAuth, which has none to rotate."""
    reread: Callable[[], Secret | None]
    """Read the value again; None where it cannot be read, or there is none."""
    lock: str
    store: SecretStore
    read_back: ReadBack | None
    """A place beside the store."""
    fallback: Credential | None

    before: Look | None = None
    """The listing as it was before the POST."""
    journal: Journal | None = None
    """What an earlier run of this credential left, as long as it may have changed something; then this run's own."""
    resumes: bool = False
    """Whether an earlier run's rotation is to be finished instead of a new one begun."""
    in_doubt: bool = False
    """Whether an earlier run's request for this token may have been done, too."""
    began: float = field(default_factory=monotonic)
    """When the old value died at the earliest."""
    unrestored: str | None = None
    """Why the store could not be given back its old value, where a refused one was in it."""
    not_due: str | None = None
    """Why nothing has to be done."""
    outcome: Outcome | None = None
    hold: Callable[[str], None] = lambda _: None
    """Hold one more lock until the command ends."""
    then: Then | None = None
    description: str | None = None
    """Of the token to create, or the new one of the token to rotate."""
    replacement: "Replacement | None" = None
    """Whose successor a token to create is; None: nobody's."""
    on_proved: Callable[[Outcome], None] = lambda _: None
    """What has to be recorded before the copy of a proved value is removed; CannotWrite where it cannot be."""

    @property
    def reserved(self) -> Journal:
        """The journal, from step 4 on."""
        assert self.journal is not None  # noqa: S101 - nothing is asked without one
        return self.journal

    @property
    def is_ahead(self) -> bool:
        """Whether it is still to be rotated, created or finished."""
        return self.outcome is None and self.not_due is None

    @property
    def row(self) -> TokenRow | None:
        """The token as the listing showed it before."""
        return self.before.find_row(self.credential.fingerprint) if self.before else None

    @property
    def expires_at(self) -> datetime | None:
        """When the token expires, as far as the listing shows it."""
        return read_time(self.row.expires_at) if self.row else None

    @property
    def readers(self) -> list[ReadBack]:
        """All places that have to give the new value back."""
        own = [] if self.store.read is None else [ReadBack(self.store.name, self.store.read)]
        return own + ([] if self.read_back is None else [self.read_back])

    def is_new(self, value: Secret) -> bool:
        """Return whether a value is neither the old one nor one that was listed before."""
        return value != self.value and (self.before is None or value not in self.before.values.values())

    def draft_outcome(self) -> Outcome:
        """Return the beginning of the outcome."""
        before = self.credential.fingerprint if self.request.action == "rotate" else None
        return Outcome(
            self.organization.id,
            self.organization.called,
            self.request.action,
            State.UNKNOWN,
            "",
            fingerprint_before=before,
        )

    def end(self, ending: Ending, **facts: object) -> Outcome:
        """Return the outcome of a token that ends like this before anything is known of it."""
        return self.draft_outcome().end(ending, **facts)


def lock_name(value: Secret) -> str:
    """Return a credential's own name here; not a fingerprint, so that it can be compared with none in a report."""
    return hashlib.sha256(b"credly-audit lock\0" + value.reveal().encode()).hexdigest()[:32]


class TaskMaker:
    """Makes the tasks: reads the credentials, finds the stores. Paths of options begin in the working directory."""

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
        self._who = credential_maker(settings.api, fingerprints)

    def make_tasks(self) -> list[Task]:
        """Make one for each organization of the settings; all that is wrong in one ConfigurationError."""
        organizations = self._settings.organizations
        if self._request.credential is not None and len(organizations) != 1:
            raise UsageError("--credential is a token of one organization: name it with --organization")
        secrets = (
            {organizations[0].id: read_secret(self._request.credential, self._here, self._environ)}
            if self._request.credential
            else read_credentials(organizations, self._settings.folder, self._environ)
        )
        tasks, wrong = [], []
        for each in organizations:
            try:
                tasks.append(self._make_task(each, secrets[each.id]))
            except UsageError as error:
                wrong.append(f"{each.called}: {error}")
        wrong += _list_shared(
            tasks, lambda task: task.lock, "has the same credential as another: rotate it for one of them"
        )
        wrong += _list_shared(tasks, lambda task: task.store, "has the same store as another: write {id} in the place")
        if wrong:
            raise ConfigurationError(wrong)
        return tasks

    def _reread(self, organization: Organization) -> Secret | None:
        reference, folder = self._find_source(organization)
        with suppress(SecretError):
            return read_secret(reference, folder, self._environ) if reference else None
        return None

    def _make_task(self, organization: Organization, secret: Secret | ClientCredentials | Unavailable) -> Task:
        if isinstance(secret, Unavailable):
            raise UsageError(secret.reason)
        if isinstance(secret, ClientCredentials) and self._request.action == "rotate":
            raise UsageError("asks by OAuth, which has no token to rotate: name a token with --credential")
        store = self._choose_store(organization)
        own = secret.client_secret if isinstance(secret, ClientCredentials) else secret
        return Task(
            self._request,
            organization,
            TokensApi(self._client, organization, self._fingerprints),
            self._who(secret),
            secret if isinstance(secret, Secret) else None,
            (lambda: self._reread(organization)) if isinstance(secret, Secret) else (lambda: None),
            lock_name(own),
            store,
            self._choose_read_back(organization, store),
            self._make_fallback(organization, own),
            description=self._request.description,
        )

    def _find_source(self, organization: Organization) -> tuple[str | None, Path]:
        """Return where the credential is read from, and where a path there begins."""
        if self._request.credential is not None:
            return self._request.credential, self._here
        return organization.token, self._settings.folder

    def _is_own(self, organization: Organization) -> bool:
        """Return whether it is the configured token, whose `store` and `read_back` the configuration names."""
        return self._request.action == "rotate" and self._request.credential in {None, organization.token}

    def _choose_store(self, organization: Organization) -> SecretStore:
        if self._request.store is not None:
            return _require_store(self._request.store.replace("{id}", organization.id), self._here, self._environ)
        if self._is_own(organization) and organization.store is not None:
            return _require_store(organization.store, self._settings.folder, self._environ)
        reference, folder = self._find_source(organization)
        store = find_store(reference, folder, self._environ) if reference else None
        if store is None or store.read is None:
            where = f"from {mask_reference(reference)}" if reference else "by OAuth"
            raise UsageError(
                f"its credential comes {where}, where no new value can be put: name a place with --store "
                f"({list_forms('store')})"
            )
        return store

    def _choose_read_back(self, organization: Organization, store: SecretStore) -> ReadBack | None:
        """Choose a place beside the store; the store itself is always read back where it can be."""
        place = self._request.read_back
        if place is not None:
            return None if place == "none" else self._make_read_back(place.replace("{id}", organization.id), self._here)
        own = organization.read_back if self._is_own(organization) else None
        if own is not None and (self._request.store is None or store.read is None):
            return None if own == "none" else self._make_read_back(own, self._settings.folder)
        reference, folder = self._find_source(organization)
        if store.read is not None:
            return None
        if self._request.action == "rotate" and reference is not None and is_reference(reference, "read back"):
            return self._make_read_back(reference, folder)
        raise UsageError(
            f"what {store.name} took cannot be read back: say where with --read-back {list_forms('read back')}, "
            "or say --read-back none if that is meant"
        )

    def _make_read_back(self, reference: str, folder: Path) -> ReadBack:
        check_sources([reference], folder)
        return ReadBack(mask_reference(reference), lambda: read_secret(reference, folder, self._environ))

    def _make_fallback(self, organization: Organization, own: Secret) -> Credential | None:
        """Make a second credential, for a value that an answer lacked: of fallback_token, else the configured one."""
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


def _require_store(reference: str, folder: Path, environ: Mapping[str, str]) -> SecretStore:
    """Return the store that a reference names; UsageError where it names none."""
    store = find_store(reference, folder, environ) if is_reference(reference, "store") else None
    if store is None:
        read_only = f"{mask_reference(reference)} takes no new values; " if is_reference(reference) else ""
        raise UsageError(f"--store: {find_mistake(reference) or read_only + 'write ' + list_forms('store')}")
    return store


def _list_shared(tasks: list[Task], of: Callable[[Task], str | SecretStore], problem: str) -> list[str]:
    """Return who has what another has too: the one would overwrite or kill the other's."""
    many = Counter(of(task) for task in tasks)
    return [f"{task.organization.called}: {problem}" for task in tasks if many[of(task)] > 1]
