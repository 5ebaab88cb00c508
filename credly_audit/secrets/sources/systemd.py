"""`systemd:NAME`: a credential that systemd hands to a service."""

import re
from collections.abc import Mapping
from pathlib import Path

from credly_audit.secrets.secret import SecretError
from credly_audit.secrets.sources.file import read_file
from credly_audit.secrets.sources.interface import SecretSource

DIRECTORY = "CREDENTIALS_DIRECTORY"

NO_NAME = re.compile(r"\.?|.*(?:/|\.\.|[\x00-\x1f\x7f]).*", re.DOTALL)


class SystemdSource(SecretSource):
    """A file in the folder of credentials that systemd makes for a service, and that nothing can be stored in."""

    prefix, form = "systemd", "NAME"
    origin = "the credential `NAME` of a systemd service (`LoadCredential=`, `SetCredentialEncrypted=` …)"
    is_fixed = True

    def find_mistake(self, place: str) -> str | None:
        """Return why a place is not the name of a credential."""
        if NO_NAME.fullmatch(place.strip()):
            return "must name a credential of the service without a slash and `..`: write systemd:NAME"
        return None

    def fetch(self, place: str, folder: Path, environ: Mapping[str, str]) -> bytes:  # noqa: ARG002
        """Return what the credential's file holds."""
        name = self.mask(place)
        directory = environ.get(DIRECTORY, "")
        if not Path(directory).is_absolute():
            raise SecretError(
                f"{name} cannot be read ({DIRECTORY} is {'not an absolute path' if directory else 'not set'}): systemd "
                "sets it for a service whose unit has LoadCredential= or SetCredentialEncrypted="
            )
        try:
            return read_file(Path(directory) / place, name)
        except FileNotFoundError:
            raise SecretError(
                f"{name} does not exist: add LoadCredential= or SetCredentialEncrypted= with that name to the unit"
            ) from None
        except (OSError, ValueError) as error:
            raise SecretError(f"{name} cannot be read ({getattr(error, 'strerror', None) or 'no file name'})") from None
