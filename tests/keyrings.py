"""A keyring in a folder, for the process that the tool asks it in; what else a real one may do is told by its files."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

FOLDER = "CREDLY_AUDIT_TEST_KEYRING"


class Ring:
    """The test's side: what is kept, and how the keyring is to behave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    @property
    def kept(self) -> dict[str, Any]:
        """The entries by `service/user`."""
        file = self.folder / "kept.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def keep(self, place: str, value: Any) -> None:
        """Add an entry."""
        (self.folder / "kept.json").write_text(json.dumps(self.kept | {place: value}))

    def behave(self, how: str) -> None:
        """`locked`, `hang`, `exit`, `die`, `print` or `bytes`, from the next call on; `locked-after-sets=N`."""
        (self.folder / "behaviour").write_text(how)

    @classmethod
    def used_by(cls, monkeypatch: pytest.MonkeyPatch, folder: Path) -> "Ring":
        """A keyring that the tool finds as it finds every other."""
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "tests.keyrings.InFolder")
        monkeypatch.setenv(FOLDER, str(folder))
        monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
        return cls(folder)


class InFolder(KeyringBackend):
    """The tool's side."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(os.environ[FOLDER])

    def get_password(self, service: str, username: str) -> Any:
        """Return the entry, unless the keyring is to behave otherwise."""
        self._misbehave()
        value = self._kept.get(f"{service}/{username}")
        return value.encode() if self._behaviour == "bytes" and value else value

    def set_password(self, service: str, username: str, password: str) -> None:
        """Make the entry."""
        with (self._folder / "sets").open("a") as file:
            file.write("x")
        self._misbehave()
        self._keep(self._kept | {f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        """Remove the entry."""
        kept = self._kept
        if kept.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("not there")
        self._keep(kept)

    @property
    def _kept(self) -> dict[str, Any]:
        file = self._folder / "kept.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def _keep(self, kept: dict[str, Any]) -> None:
        (self._folder / "kept.json").write_text(json.dumps(kept))

    @property
    def _behaviour(self) -> str:
        file = self._folder / "behaviour"
        return file.read_text() if file.exists() else ""

    def _misbehave(self) -> None:
        how, _, number = self._behaviour.partition("=")
        if how == "hang":
            time.sleep(60)
        if how == "slow":
            time.sleep(float(number))
        if how == "exit":
            sys.exit(0)
        if how == "die":
            os._exit(3)
        if how == "print":
            print(json.dumps({"value": "MADE-UP-chatter"}), flush=True)  # noqa: T201 - that is the point
            os.write(2, b"MADE-UP-chatter\n")
        if how == "locked" or (how == "locked-after-sets" and self._sets > int(number)):
            raise KeyringLocked(f"cannot unlock {self._kept}")

    @property
    def _sets(self) -> int:
        file = self._folder / "sets"
        return len(file.read_text()) if file.exists() else 0
