"""`env:NAME`: a secret in an environment variable."""

from collections.abc import Mapping
from pathlib import Path

from credly_audit.secrets.secret import SecretError
from credly_audit.secrets.sources.interface import SecretSource


class EnvironmentSource(SecretSource):
    """An environment variable."""

    prefix, form = "env", "NAME"
    origin = "an environment variable"
    is_fixed = True

    def fetch(self, place: str, folder: Path, environ: Mapping[str, str]) -> bytes:  # noqa: ARG002
        """Return the variable's value."""
        if place not in environ:
            raise SecretError(f"environment variable {self.mask(place).removeprefix('env:')} is not set")
        return environ[place].encode("utf-8", "surrogateescape")
