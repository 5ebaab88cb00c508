"""Where the history is: a file in the user's state directory, or whatever `[history] url` names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from credly_audit.config.database_address import BadAddress, DatabaseAddress, read_address
from credly_audit.errors import UsageError
from credly_audit.files.paths import BadPath, local_path, state_folder
from credly_audit.process.extras import must_have
from credly_audit.secrets import is_reference, mask_reference, read_secret

FILE = "history.sqlite"


@dataclass(frozen=True, slots=True, repr=False)
class DatabasePlace:
    """Where a history is; `name` is how it is called, without a password."""

    address: DatabaseAddress
    name: str

    @classmethod
    def of(cls, url: str | None, folder: Path, environ: Mapping[str, str]) -> "DatabasePlace":
        """Read `[history] url`: an address, or a reference to one; None: a file in the state directory.

        UsageError where it is none, or of a kind that cannot hold a history. A relative path begins at `folder`.
        """
        if url is None:
            return cls._in_file(str(state_folder() / FILE), folder)
        known = mask_reference(url) if is_reference(url) else None
        try:
            address = read_address(read_secret(url, folder, environ).reveal() if known else url)
        except BadAddress as error:
            raise UsageError(f"[history] url: {f'what {known} holds' if known else 'it'} {error}") from None
        if address.kind == "sqlite":
            return cls._in_file(address.path, folder)
        must_have("postgresql", "[history] url: PostgreSQL")
        return cls(address, f"at {known or address.server}")

    @classmethod
    def _in_file(cls, name: str, folder: Path) -> "DatabasePlace":
        try:
            path = local_path(name, folder)
        except BadPath as error:
            raise UsageError(f"[history] url: {error}") from None
        if path.is_dir():
            raise UsageError(f"[history] url: {path} is a folder; name a file in it")
        return cls(DatabaseAddress("sqlite", path=str(path)), str(path))

    @property
    def file(self) -> Path | None:
        """The file of an SQLite history."""
        return Path(self.address.path) if self.address.kind == "sqlite" else None
