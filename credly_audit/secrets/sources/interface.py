"""What a source of secrets and a store for new values are."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol

from credly_audit.errors import AuditError
from credly_audit.secrets import limits
from credly_audit.secrets.secret import Secret, SecretError, parse_value
from credly_audit.secrets.shape import mask_shapes


class StoreFailed(AuditError):  # noqa: N818 - named as it is told
    """The store did not take the value; the text names the place and never the value."""


Reader = Callable[[], Secret]
"""Reads a stored value; SecretError where there is none."""


class SecretStore(Protocol):
    """A place for a new value."""

    @property
    def name(self) -> str:
        """The reference as it may be shown."""

    @property
    def read(self) -> Reader | None:
        """The function that reads back what is stored; None where the store can only be written."""

    def check(self) -> None:
        """Raise UsageError for what is wrong with the store and can be seen without writing."""

    def write(self, value: Secret) -> None:
        """Store the value in place of what is there; StoreFailed where that did not work."""

    def try_write(self) -> None:
        """Try the store without a new value, so that what it holds stays; StoreFailed where that did not work."""


class SecretSource(ABC):
    """One kind of reference, `PREFIX:PLACE`."""

    prefix: str
    form: str
    """How the place is written: `NAME`."""

    origin: str
    """Where the secret is read from, for the documentation."""

    can_store = False
    """Whether new values can be stored there."""

    is_fixed = False
    """Whether what it holds cannot change while the tool runs, so that no stored value can be read back there."""

    has_own_failures = False
    """Whether a failure is the source's and costs its organizations only; else it is a mistake of the configuration."""

    runs_code = False
    """Whether a program, or code of another package, is run for it."""

    def mask(self, place: str) -> str:
        """Return the reference as it may be shown, without what looks like a value."""
        return f"{self.prefix}:{mask_shapes(place)}"

    def find_mistake(self, place: str) -> str | None:  # noqa: ARG002 - most sources take every place
        """Return why a place cannot be one of this source, as the end of a sentence; None where it can."""
        return None

    def check(self, places: Collection[str], folder: Path) -> None:  # noqa: B027 - most have nothing to check
        """Raise UsageError for what is wrong and can be seen before anything is read or collected."""

    def is_exposed(self, place: str, folder: Path) -> bool:  # noqa: ARG002 - only files can be
        """Return whether other users of this machine may read the secret."""
        return False

    def read(self, place: str, folder: Path, environ: Mapping[str, str]) -> Secret:
        """Return the secret at a place; relative paths begin at `folder`. SecretError where there is none."""
        content = self.fetch(place.strip(), folder, environ)
        if len(content) > limits.MOST:
            raise SecretError(f"{self.mask(place)} {limits.TOO_MUCH}")
        return parse_value(content, self.mask(place))

    @abstractmethod
    def fetch(self, place: str, folder: Path, environ: Mapping[str, str]) -> bytes:
        """Return what is at a place, at most little more than `limits.MOST` bytes of it; SecretError."""

    def store(self, place: str, folder: Path, environ: Mapping[str, str]) -> SecretStore | None:  # noqa: ARG002
        """Return the place as a store for a new value; None where it can only be read. UsageError."""
        return None
