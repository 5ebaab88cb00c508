"""`file:PATH`: a secret in a file, and a store that replaces the file."""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from credly_audit.errors import CannotWrite, UsageError
from credly_audit.files.attributes import keep_attributes
from credly_audit.files.destinations import place_of
from credly_audit.files.paths import BadPath, local_path, sync_folder
from credly_audit.files.writing import replace_file
from credly_audit.secrets import limits
from credly_audit.secrets.secret import Secret, SecretError
from credly_audit.secrets.shape import mask_shapes
from credly_audit.secrets.sources.interface import Reader, SecretSource, SecretStore, StoreFailed


class FileSource(SecretSource):
    """A file; a relative path begins at the folder of the configuration."""

    prefix, form = "file", "PATH"
    origin = "a file; a relative path starts at the configuration's folder"
    can_store = True

    def fetch(self, place: str, folder: Path, environ: Mapping[str, str]) -> bytes:  # noqa: ARG002
        """Return what the file holds."""
        try:
            return read_file(local_path(place, folder), self.mask(place))
        except BadPath as error:
            raise SecretError(mask_shapes(f"file:{error}")) from None
        except OSError as error:
            raise SecretError(f"{self.mask(place)} cannot be read ({error.strerror})") from None

    def is_exposed(self, place: str, folder: Path) -> bool:
        """Return whether the file's mode lets others than its owner read it."""
        try:
            return os.name == "posix" and bool(local_path(place.strip(), folder).stat().st_mode & 0o077)
        except (OSError, BadPath):
            return False

    def store(self, place: str, folder: Path, environ: Mapping[str, str]) -> SecretStore:  # noqa: ARG002
        """Return the file as a store; UsageError where the path can be none."""
        try:
            return FileStore(local_path(place.strip(), folder))
        except BadPath as error:
            raise UsageError(f"file:{error}") from None


def read_file(path: Path, name: str) -> bytes:
    """Return the beginning of a file; a pipe or a device gets as long as a program does.

    OSError; ValueError where the path can be none; SecretError where nothing came in time.
    """
    return _read_beginning(path) if path.is_file() else _read_in_time(path, name)


def _read_beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(limits.MOST + 1)


def _read_in_time(path: Path, name: str) -> bytes:
    """Return what is read within the time limit; a thread that waits longer is abandoned, and ends with the tool."""
    outcome: list[bytes | OSError | ValueError] = []

    def work() -> None:
        try:
            outcome.append(_read_beginning(path))
        except (OSError, ValueError) as error:
            outcome.append(error)

    reader = Thread(target=work, daemon=True)
    reader.start()
    reader.join(limits.PATIENCE)
    if not outcome:
        raise SecretError(f"{name} returned nothing within {limits.PATIENCE:.0f} seconds")
    if not isinstance(outcome[0], bytes):
        raise outcome[0]
    return outcome[0]


@dataclass(frozen=True, slots=True)
class FileStore:
    """A file, replaced atomically. Owner, mode, access control list and end of line stay; a new one has mode 0600."""

    path: Path

    @property
    def name(self) -> str:
        """The reference as it may be shown."""
        return FileSource().mask(str(self.path))

    @property
    def read(self) -> Reader:
        """The function that reads the file."""
        return lambda: FileSource().read(str(self._target), Path(), {})

    def check(self) -> None:
        """Raise UsageError where the folder is missing, or where the file has a second name."""
        try:
            target = place_of(self.path).path
        except OSError as error:
            raise UsageError(f"{self.name}: cannot be written ({error.strerror}); correct the path") from None
        if not target.parent.is_dir():
            raise UsageError(f"{self.name}: folder {target.parent} does not exist; create it, or correct the path")
        if target.exists() and not target.is_file():
            raise UsageError(f"{self.name}: is not a file; name a file")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise UsageError(f"{self.name}: no file can be written in {target.parent}; change its permissions")
        names = target.stat().st_nlink if target.exists() else 1
        if names > 1:
            raise UsageError(
                f"{self.name}: the file has {names} names (hard links), and the others would keep the old value: "
                "remove them, or make them symbolic links to it"
            )

    def write(self, value: Secret) -> None:
        """Replace the file completely or not at all."""
        end = next((each for each in (b"\r\n", b"\n") if self._content().endswith(each)), b"")
        self._replace(value.reveal().encode() + end)

    def try_write(self) -> None:
        """Replace the file by itself; where there is none, make one in its folder and remove it at once."""
        if self._target.exists():
            self._replace(self._content())
            return
        try:
            with tempfile.NamedTemporaryFile(prefix=".credly-audit-trial-", dir=self._target.parent) as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreFailed(f"no file can be written beside {self.path} ({error.strerror})") from None

    def _content(self) -> bytes:
        """Return what is in the file; nothing where there is none."""
        try:
            return self._target.read_bytes() if self._target.exists() else b""
        except OSError as error:
            raise StoreFailed(f"{self.name} could not be read ({error.strerror})") from None

    def _replace(self, content: bytes) -> None:
        target = self._target
        if not target.parent.is_dir():
            raise StoreFailed(f"{self.name} could not be written (folder {target.parent} no longer exists)")
        try:
            with replace_file(target, draft_name=f".{target.name}.credly-audit") as file:
                if target.exists():
                    keep_attributes(target, file.fileno())
                file.write(content)
            sync_folder(target.parent)
        except CannotWrite as error:
            raise StoreFailed(str(error)) from None
        except OSError as error:
            raise StoreFailed(f"{self.name} could not be written ({error.strerror})") from None

    @property
    def _target(self) -> Path:
        """Return where a link leads: the link stays."""
        return self.path.resolve()
