"""`keyring:SERVICE/USER`: an entry of the system's keyring (the extra `keyring`)."""

import secrets
from collections.abc import Collection, Mapping
from pathlib import Path

from credly_audit.process.extras import must_have
from credly_audit.secrets.plugin import SourceError, SourcePlugin
from credly_audit.secrets.sources.isolated import IsolatedSource


class KeyringSource(IsolatedSource):
    """The system's keyring, asked in a process of its own."""

    prefix, form = "keyring", "SERVICE/USER"
    origin = "the system's keyring (`pip install 'credly-audit[keyring]'`)"
    can_store = True
    hint = "; is the keyring unlocked?"

    def find_mistake(self, place: str) -> str | None:
        """Return why a place names no entry."""
        service, user = split_entry(place)
        return None if service and user else "must name a service and a user: write keyring:SERVICE/USER"

    def check(self, places: Collection[str], folder: Path) -> None:  # noqa: ARG002
        """Raise MissingExtra where the extra is not installed."""
        for place in places:
            must_have("keyring", self.mask(place))

    def fetch(self, place: str, folder: Path, environ: Mapping[str, str]) -> bytes:
        """Return the entry."""
        self.check([place], folder)
        return super().fetch(place, folder, environ)

    def load(self) -> SourcePlugin:
        """Return the plug-in that calls the library."""
        return Keyring()


def split_entry(place: str) -> tuple[str, str]:
    """Return service and user of `SERVICE/USER`, empty where missing; the service may hold slashes."""
    service, _, user = place.strip().rpartition("/")
    return service, user


class Keyring:
    """The library `keyring` as a plug-in: it runs in the process where nothing that a backend does reaches the tool."""

    def check(self, place: str) -> None:
        """Do nothing: KeyringSource has checked all that can be."""

    def read(self, place: str) -> str | None:
        """Return the entry."""
        import keyring  # noqa: PLC0415 - an extra, and only in the other process

        return keyring.get_password(*split_entry(place))

    def write(self, place: str, value: str) -> None:
        """Make or replace the entry."""
        import keyring  # noqa: PLC0415

        keyring.set_password(*split_entry(place), value)

    def try_write(self, place: str) -> None:
        """Make an entry of a made-up user of the same service, and remove it."""
        import keyring  # noqa: PLC0415

        service, user = split_entry(place)
        trial = f"{user}-credly-audit-trial-{secrets.token_hex(4)}"
        keyring.set_password(service, trial, "a trial of credly-audit")
        try:
            keyring.delete_password(service, trial)
        except keyring.errors.KeyringError as error:
            raise SourceError(f"the trial entry {trial} could not be removed: {type(error).__name__}") from None
