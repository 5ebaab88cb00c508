"""One token that is to be rotated or made: whose it is, where its new value goes, and how that is read back."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from credly_audit.config.settings import Organization
from credly_audit.credly.auth import Credential
from credly_audit.lifecycle.api import Asker, Seen
from credly_audit.lifecycle.journal import EmergencyCopy
from credly_audit.lifecycle.outcome import Action, Outcome, State
from credly_audit.secrets import Secret
from credly_audit.secrets.sources.interface import Reader, SecretStore


@dataclass(frozen=True, slots=True)
class ReadBack:
    """A place beside the store from which the value must be readable in the end."""

    name: str
    read: Reader


@dataclass(frozen=True, slots=True)
class Task:
    """What the operator asked for, for one token."""

    action: Action
    organization: Organization
    credential: Credential
    """Who asks; for `rotate` the token that is rotated."""
    value: Secret | None = field(repr=False)
    """The credential's value; None under OAuth, which has none to rotate."""
    lock: str
    store: SecretStore
    read_back: ReadBack | None
    fallback: Credential | None
    description: str | None

    def readers(self) -> list[ReadBack]:
        """All that have to give the new value back."""
        own = [] if self.store.read is None else [ReadBack(self.store.name, self.store.read)]
        return own + ([] if self.read_back is None else [self.read_back])

    def outcome(self, state: State, message: str, next_step: str | None = None) -> Outcome:
        """The beginning of an outcome."""
        return Outcome(
            self.organization.id,
            self.organization.called,
            self.action,
            state,
            message,
            next_step,
            fingerprint_before=self.credential.fingerprint if self.action == "rotate" else None,
        )


@dataclass(slots=True)
class Attempt:
    """One task from its POST on."""

    task: Task
    asker: Asker
    copy: EmergencyCopy
    before: Seen | None = None
    """The listing as it was before the POST."""
    in_doubt: bool = False
    """Whether an earlier run's request for this token may have been done, too."""
    began: float = field(default_factory=monotonic)
    """When the old value died at the earliest."""
    unrestored: str | None = None
    """Why the store could not be given back its old value, where a refused one was in it."""

    def is_new(self, value: Secret) -> bool:
        """Whether a value is neither the old one nor one that was listed before."""
        return value != self.task.value and (self.before is None or value not in self.before.values.values())


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds and tries; the tests have less of it."""

    read_back: float = 60.0
    pause: float = 2.0
    """Between two looks."""
    tries: int = 3
    """How often the store, or a proof, is tried: neither changes anything at Credly."""
    settling: float = 5.0
    """How long a request that nobody answered may still be under way before the second look."""


Then = Callable[[Outcome], None]
"""What `--then` runs; StoreFailed where it fails."""


def lock_name(value: Secret) -> str:
    """Return a credential's own name here; not a fingerprint, so that it can be compared with none in a report."""
    return hashlib.sha256(b"credly-audit lock\0" + value.reveal().encode()).hexdigest()[:32]
