"""Sources that run in a process of their own: one that waits, prints or exits costs a look-up, not the audit."""

import json
import os
import subprocess
import sys
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from credly_audit.process import programs
from credly_audit.secrets import limits
from credly_audit.secrets.plugin import SourcePlugin
from credly_audit.secrets.secret import Secret, SecretError
from credly_audit.secrets.shape import mask_shapes
from credly_audit.secrets.sources.interface import Reader, SecretSource, SecretStore, StoreFailed
from credly_audit.text import one_line

FAILED = {
    "check": "cannot be used",
    "read": "cannot be read",
    "write": "could not be written",
    "try_write": "could not be written",
}

LONGEST_REASON = 300


class CallFailed(Exception):  # noqa: N818 - named as it is told
    """A call came to nothing; the message is the end of a sentence, and holds no value."""


class IsolatedSource(SecretSource):
    """A source whose plug-in is loaded and called in another process."""

    has_own_failures = True
    hint = ""
    """What else to look at where a call fails, after a semicolon."""

    @abstractmethod
    def load(self) -> SourcePlugin:
        """Return the plug-in; called in the other process only."""

    def fetch(self, place: str, folder: Path, environ: Mapping[str, str]) -> bytes:  # noqa: ARG002
        """Return what the plug-in reads."""
        try:
            value = self.call("read", {"place": place}, folder, most=limits.MOST)
        except CallFailed as error:
            raise SecretError(f"{self.mask(place)} {error}") from None
        if value is None:
            raise SecretError(f"{self.mask(place)} does not exist")
        if not isinstance(value, str):
            raise SecretError(f"{self.mask(place)} returned something other than text")
        return value.encode("utf-8", "surrogatepass")

    def store(self, place: str, folder: Path, environ: Mapping[str, str]) -> SecretStore | None:  # noqa: ARG002
        """Return the place as a store."""
        return IsolatedStore(self, place.strip(), folder)

    def call(self, action: str, arguments: Mapping[str, Any], folder: Path, *, most: int = 1 << 16) -> Any:
        """Return what a function of the plug-in returns; CallFailed where it fails, or returns more than `most`."""
        try:
            done = programs.run(
                [sys.executable, "-P", "-m", "credly_audit.secrets.sources.isolated_process"],
                folder,
                _build_environment(),
                patience=limits.PATIENCE,
                given=json.dumps({"prefix": self.prefix, "action": action, "arguments": arguments}).encode(),
                most=most * len("\\u0000") + 100,
            )
        except programs.TooMuch:
            raise CallFailed(limits.TOO_MUCH) from None
        except subprocess.TimeoutExpired:
            raise CallFailed(f"did not answer within {limits.PATIENCE:.0f} seconds{self.hint}") from None
        except OSError as error:
            raise CallFailed(f"cannot be run ({error.strerror})") from None
        return self._understand(done, action)

    def _understand(self, done: programs.Done, action: str) -> Any:
        try:
            answer: dict[str, Any] = json.loads(done.output)
        except ValueError:
            reason = f"it ended with exit status {done.status}"
        else:
            if answer["error"] is None:
                return answer["value"]
            reason = describe_reason(answer["error"])
        raise CallFailed(f"{FAILED[action]} ({reason}){self.hint}") from None


def describe_reason(text: str) -> str:
    """Return what a plug-in says in one bounded line, without what looks like a value."""
    return mask_shapes(one_line(text, LONGEST_REASON))


def _build_environment() -> dict[str, str]:
    """Return this process's environment (D-Bus, HOME), and where Python finds the same packages."""
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(str(Path(each).absolute()) for each in sys.path)}


@dataclass(frozen=True, slots=True)
class IsolatedStore:
    """A place that the plug-in of a source stores values in, and reads back."""

    source: IsolatedSource
    place: str
    folder: Path

    @property
    def name(self) -> str:
        """The reference as it may be shown."""
        return self.source.mask(self.place)

    @property
    def read(self) -> Reader:
        """The function that reads the place."""
        return lambda: self.source.read(self.place, self.folder, {})

    def check(self) -> None:
        """Raise UsageError for what the source itself can see."""
        self.source.check([self.place], self.folder)

    def write(self, value: Secret) -> None:
        """Let the plug-in store the value."""
        self._call("write", {"place": self.place, "value": value.reveal()})

    def try_write(self) -> None:
        """Let the plug-in prove that it could store a value."""
        self._call("try_write", {"place": self.place})

    def _call(self, action: str, arguments: Mapping[str, str]) -> None:
        try:
            self.source.call(action, arguments, self.folder)
        except CallFailed as error:
            raise StoreFailed(f"{self.name} {error}") from None
