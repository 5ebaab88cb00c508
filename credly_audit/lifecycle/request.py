"""Which token each organization's task is about, where its new value goes, and how that is read back."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from credly_audit.config.credentials import read_credentials
from credly_audit.config.settings import Organization, Settings
from credly_audit.credly.auth import Credential
from credly_audit.credly.credentials import credential_maker
from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.files.paths import working_folder
from credly_audit.lifecycle.outcome import Action
from credly_audit.lifecycle.tasks import ReadBack, Task, lock_name
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
from credly_audit.secrets.sources.interface import SecretStore


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say of every task; `{id}` in a place is filled in."""

    action: Action
    credential: str | None
    store: str | None
    read_back: str | None
    description: str | None

    def __post_init__(self) -> None:
        """UsageError for what cannot be meant; nothing was read or asked yet."""
        if self.credential is not None and not is_reference(self.credential):
            raise UsageError(
                f"--credential: say where the token is, not the token: {list_forms()} "
                "(and replace the token if this one is real: it is in the shell's history)"
            )
        if self.read_back not in {None, "none"} and not is_reference(self.read_back or "", "read back"):
            raise UsageError(f"--read-back: write {list_forms('read back', 'none')}")


class TaskMaker:
    """Makes the tasks: reads the credentials, finds the stores. Paths of options begin in the working directory."""

    def __init__(
        self, settings: Settings, wanted: Wanted, fingerprints: Fingerprints, environ: Mapping[str, str]
    ) -> None:
        self._settings = settings
        self._wanted = wanted
        self._environ = environ
        self._here = working_folder()
        self._who = credential_maker(settings.api, fingerprints)

    def tasks(self) -> list[Task]:
        """One for each organization of the settings; all that is wrong in one ConfigurationError."""
        organizations = self._settings.organizations
        if self._wanted.credential is not None and len(organizations) != 1:
            raise UsageError("--credential is a token of one organization: name it with --organization")
        secrets = (
            {organizations[0].id: read_secret(self._wanted.credential, self._here, self._environ)}
            if self._wanted.credential
            else read_credentials(organizations, self._settings.folder, self._environ)
        )
        tasks, wrong = [], []
        for each in organizations:
            try:
                tasks.append(self._task(each, secrets[each.id]))
            except UsageError as error:
                wrong.append(f"{each.called}: {error}")
        wrong += _shared(tasks, lambda task: task.lock, "has the same credential as another: rotate it for one of them")
        wrong += _shared(tasks, lambda task: task.store, "has the same store as another: write {id} in the place")
        if wrong:
            raise ConfigurationError(wrong)
        return tasks

    def again(self, task: Task) -> Secret | None:
        """The task's value, read anew; None where it cannot be had, or there is none."""
        reference, folder = self._source(task.organization)
        with suppress(SecretError):
            return read_secret(reference, folder, self._environ) if reference and task.value else None
        return None

    def _task(self, organization: Organization, secret: Secret | ClientCredentials | Unavailable) -> Task:
        if isinstance(secret, Unavailable):
            raise UsageError(secret.reason)
        if isinstance(secret, ClientCredentials) and self._wanted.action == "rotate":
            raise UsageError("asks by OAuth, which has no token to rotate: name a token with --credential")
        store = self._store(organization)
        own = secret.client_secret if isinstance(secret, ClientCredentials) else secret
        return Task(
            self._wanted.action,
            organization,
            self._who(secret),
            secret if isinstance(secret, Secret) else None,
            lock_name(own),
            store,
            self._read_back(organization, store),
            self._fallback(organization, own),
            self._wanted.description,
        )

    def _source(self, organization: Organization) -> tuple[str | None, Path]:
        """Where the credential is read from, and where a path there begins."""
        if self._wanted.credential is not None:
            return self._wanted.credential, self._here
        return organization.token, self._settings.folder

    def _is_own(self, organization: Organization) -> bool:
        """Whether it is the configured token, whose `store` and `read_back` the configuration names."""
        return self._wanted.action == "rotate" and self._wanted.credential in {None, organization.token}

    def _store(self, organization: Organization) -> SecretStore:
        if self._wanted.store is not None:
            return _require_store(self._wanted.store.replace("{id}", organization.id), self._here, self._environ)
        if self._is_own(organization) and organization.store is not None:
            return _require_store(organization.store, self._settings.folder, self._environ)
        reference, folder = self._source(organization)
        store = find_store(reference, folder, self._environ) if reference else None
        if store is None or store.read is None:
            where = f"from {mask_reference(reference)}" if reference else "by OAuth"
            raise UsageError(
                f"its credential comes {where}, where no new value can be put: name a place with --store "
                f"({list_forms('store')})"
            )
        return store

    def _read_back(self, organization: Organization, store: SecretStore) -> ReadBack | None:
        """A place beside the store; the store itself is always read back where it can be."""
        told = self._wanted.read_back
        if told is not None:
            return None if told == "none" else self._place(told.replace("{id}", organization.id), self._here)
        own = organization.read_back if self._is_own(organization) else None
        if own is not None and (self._wanted.store is None or store.read is None):
            return None if own == "none" else self._place(own, self._settings.folder)
        reference, folder = self._source(organization)
        if store.read is not None:
            return None
        if self._wanted.action == "rotate" and reference is not None and is_reference(reference, "read back"):
            return self._place(reference, folder)
        raise UsageError(
            f"what {store.name} took cannot be read back: say where with --read-back {list_forms('read back')}, "
            "or say --read-back none if that is meant"
        )

    def _place(self, reference: str, folder: Path) -> ReadBack:
        check_sources([reference], folder)
        return ReadBack(mask_reference(reference), lambda: read_secret(reference, folder, self._environ))

    def _fallback(self, organization: Organization, own: Secret) -> Credential | None:
        """A second credential, to look for a value that an answer lacked: fallback_token, else the configured one."""
        folder = self._settings.folder
        if organization.fallback_token is not None:
            second: Secret | ClientCredentials = read_secret(organization.fallback_token, folder, self._environ)
        elif self._wanted.credential is None or self._is_own(organization):
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
        wrong = find_mistake(reference) or f"write {list_forms('store')}"
        raise UsageError(f"--store: {wrong}")
    return store


def _shared(tasks: list[Task], of: Callable[[Task], str | SecretStore], said: str) -> list[str]:
    """Who has what another has too: the one would overwrite or kill the other's."""
    many = Counter(of(task) for task in tasks)
    return [f"{task.organization.called}: {said}" for task in tasks if many[of(task)] > 1]
