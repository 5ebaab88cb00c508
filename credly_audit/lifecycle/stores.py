"""Where a new value goes: a file, a program's standard input, an entry of the keyring; tried before it is needed."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from credly_audit import programs
from credly_audit.errors import AuditError, CannotWrite, UsageError
from credly_audit.extras import must_have
from credly_audit.files.attributes import keep_attributes
from credly_audit.files.destinations import place_of
from credly_audit.files.paths import BadPath, local_path, sync_folder
from credly_audit.files.writing import written_whole
from credly_audit.secrets import Secret, SecretError, is_place, keyring_calls, keyring_entry, read, shown

PATIENCE = 60.0
"""Seconds that a program gets to take a value."""

KEYRING_PATIENCE = 30.0
"""The same for a keyring."""


class StoreFailed(AuditError):  # noqa: N818 - named as it is told
    """The store did not take the value; the text names the place and never the value."""


Reader = Callable[[], Secret]
"""Reads a stored value; SecretError where there is none."""


class Store(Protocol):
    """A place for a value."""

    @property
    def name(self) -> str:
        """How it is shown: of a command, the program alone."""

    @property
    def read(self) -> Reader | None:
        """How the store itself is read; None where it can only be written."""

    def check(self) -> None:
        """What can be said without writing; UsageError where it cannot work."""

    def write(self, value: Secret) -> None:
        """Put the value there in place of what is there; StoreFailed where that did not work."""

    def try_first(self) -> None:
        """Try it without a new value, so that what it holds stays; StoreFailed where that did not work."""


def store_of(reference: str, folder: Path, environ: Mapping[str, str]) -> Store:
    """The store that a reference names; relative paths begin at `folder`. UsageError where it names none."""
    kind, _, place = reference.partition(":")
    if not is_place(reference):
        raise UsageError(
            f"--store {kind}: write file:PATH, exec:COMMAND (the value on its standard input) or keyring:SERVICE/USER"
        )
    if kind == "file":
        try:
            return FileStore(local_path(place.strip(), folder))
        except BadPath as error:
            raise UsageError(f"file:{error}") from None
    if kind == "keyring":
        return KeyringStore(place.strip())
    return CommandStore.of(place, folder, environ)


@dataclass(frozen=True, slots=True)
class FileStore:
    """A file, replaced atomically. Owner, mode, access control list and end of line stay; a new one has mode 0600."""

    path: Path

    @property
    def name(self) -> str:
        """`file:PATH`."""
        return shown(f"file:{self.path}")

    @property
    def read(self) -> Reader:
        """The file's text."""
        return lambda: read(f"file:{self._target}", Path(), {})

    def check(self) -> None:
        """The folder must be there, since no program reads a value in a mistyped one; the file must have one name."""
        try:
            target = place_of(self.path).path
        except OSError as error:
            raise UsageError(f"{self.name}: cannot be written ({error.strerror}); mend the path") from None
        if not target.parent.is_dir():
            raise UsageError(f"{self.name}: there is no folder {target.parent}; make it, or mend the path")
        if target.exists() and not target.is_file():
            raise UsageError(f"{self.name}: is no file; name a file")
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise UsageError(f"{self.name}: no file can be written in {target.parent}; mend its permissions")
        names = target.stat().st_nlink if target.exists() else 1
        if names > 1:
            raise UsageError(
                f"{self.name}: the file has {names} names (hard links), and the others would keep the old value: "
                "remove them, or make them symbolic links to it"
            )

    def write(self, value: Secret) -> None:
        """Whole or not at all."""
        end = next((each for each in (b"\r\n", b"\n") if self._content().endswith(each)), b"")
        self._replace(value.reveal().encode() + end)

    def try_first(self) -> None:
        """Replace the file by itself; where there is none, make one in its folder, which is gone again at once."""
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
        """What is in the file; nothing where there is none."""
        try:
            return self._target.read_bytes() if self._target.exists() else b""
        except OSError as error:
            raise StoreFailed(f"{self.name} could not be read ({error.strerror})") from None

    def _replace(self, content: bytes) -> None:
        target = self._target
        if not target.parent.is_dir():
            raise StoreFailed(f"{self.name} could not be written (there is no folder {target.parent} any more)")
        try:
            with written_whole(target, draft_name=f".{target.name}.credly-audit") as file:
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
        """Where a link leads: the link stays."""
        return self.path.resolve()


@dataclass(frozen=True, slots=True)
class CommandStore:
    """A program that takes the value on its standard input. It gets no shell; what it says is not shown."""

    words: tuple[str, ...] = field(repr=False)
    folder: Path
    environ: Mapping[str, str] = field(repr=False, compare=False)

    @classmethod
    def of(cls, command: str, folder: Path, environ: Mapping[str, str]) -> "CommandStore":
        """UsageError where the quotes do not match."""
        try:
            return cls(tuple(programs.words_of(command)), folder, environ)
        except BadPath as error:
            raise UsageError(f"exec:{error}") from None
        except ValueError:
            raise UsageError("exec: the command's quotes do not match; mend them") from None

    @property
    def name(self) -> str:
        """`exec:PROGRAM`; its arguments are not shown."""
        return shown(f"exec:{self.words[0]}")

    @property
    def read(self) -> None:
        """It can only be written."""

    def check(self) -> None:
        """The program must be there."""
        path = self.environ.get("PATH", os.defpath)
        here = self.folder / self.words[0] if os.sep in self.words[0] else self.words[0]
        if shutil.which(here, path=path) is None:
            raise UsageError(f"{self.name}: there is no such program; mend its name or PATH")

    def write(self, value: Secret) -> None:
        """Run it, and give it the value; it has a session of its own, so that Ctrl-C does not end it half-way."""
        run(self.words, self.folder, self.environ, value.reveal().encode())

    def try_first(self) -> None:
        """Nothing: only the value itself could be given to it, and that would replace what it keeps."""


@dataclass(frozen=True, slots=True)
class KeyringStore:
    """An entry of the user's keyring (the extra `keyring`)."""

    place: str

    @property
    def name(self) -> str:
        """`keyring:SERVICE/USER`."""
        return shown(f"keyring:{self.place}")

    @property
    def read(self) -> Reader:
        """The entry."""
        return lambda: read(f"keyring:{self.place}", Path(), {})

    def check(self) -> None:
        """The extra must be installed."""
        must_have("keyring", self.name)

    def write(self, value: Secret) -> None:
        """Set the entry."""
        self._set(*self._entry, value.reveal())

    def try_first(self) -> None:
        """An entry of a made-up user of the same service, which is gone again at once."""
        service, user = self._entry
        trial = f"{user}-credly-audit-trial-{secrets.token_hex(4)}"
        self._set(service, trial, "a trial of credly-audit")
        try:
            keyring_calls.remove(service, trial, patience=KEYRING_PATIENCE)
        except keyring_calls.KeyringTrouble as error:
            raise StoreFailed(f"{self.name}: the trial entry {trial} {error}") from None

    @property
    def _entry(self) -> tuple[str, str]:
        entry = keyring_entry(self.place)
        assert entry is not None  # noqa: S101 - `store_of` has judged it
        return entry

    def _set(self, service: str, user: str, text: str) -> None:
        try:
            keyring_calls.put(service, user, text, patience=KEYRING_PATIENCE)
        except keyring_calls.KeyringTrouble as error:
            raise StoreFailed(f"{self.name} {error}") from None


def run(words: tuple[str, ...], folder: Path, environ: Mapping[str, str], given: bytes = b"") -> None:
    """A program to its end; StoreFailed, naming program, exit status and seconds, where that is not a good one."""
    called = shown(f"exec:{words[0]}")
    try:
        done = programs.run(words, folder, environ, patience=PATIENCE, given=given)
    except subprocess.TimeoutExpired:
        raise StoreFailed(f"{called} did not end within {PATIENCE:.0f} seconds") from None
    except OSError as error:
        raise StoreFailed(f"{called} cannot be run ({error.strerror})") from None
    if done.status != 0:
        raise StoreFailed(f"{called} ended with exit status {done.status} after {done.seconds:.1f} seconds")


def now_in(reader: Reader) -> Secret | None:
    """What is stored; None where there is nothing, or nothing that can be read."""
    try:
        return reader()
    except SecretError:
        return None
