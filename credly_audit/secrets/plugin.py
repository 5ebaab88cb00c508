"""The interface for sources of other packages: the entry-point group `credly_audit.secret_sources`.

The entry point's name is the prefix of the references; it names a class without arguments, an instance or a module:

    [project.entry-points."credly_audit.secret_sources"]
    acme = "acme_secrets:AcmeSource"

Each call runs in a process of its own, within 30 seconds, without standard input, output and error.
"""

from typing import Protocol, runtime_checkable


class SourceError(Exception):
    """Why a secret cannot be read or stored, as the end of a sentence; the text is shown, and must hold no value."""


@runtime_checkable
class SourcePlugin(Protocol):
    """A source of secrets; the `place` is what follows the prefix in a reference."""

    def check(self, place: str) -> None:
        """Raise SourceError where no secret can be at the place; called before anything is read or collected."""

    def read(self, place: str) -> str | None:
        """Return the secret; None where there is none."""


@runtime_checkable
class StorePlugin(SourcePlugin, Protocol):
    """A source that can also store a new value; `read` reads it back."""

    def write(self, place: str, value: str) -> None:
        """Store the value in place of the one that is there."""

    def try_write(self, place: str) -> None:
        """Prove that a value could be stored, and leave the one that is there."""
