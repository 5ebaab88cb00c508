"""Where a secret is kept, and how it is carried: `env:`, `file:`, `exec:`, `keyring:`; never in the open."""

import hmac
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from credly_audit import programs
from credly_audit.errors import UsageError
from credly_audit.places import BadPath, local_path

KINDS = ("env", "file", "exec", "keyring")

PLACES = ("file", "exec", "keyring")
"""Where a new value can be put."""

PATIENCE = 30.0
"""Seconds that a program gets to hand a secret over."""


class Secret:
    """A value that shows itself only to who asks for it by name."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")


class SecretError(UsageError):
    """A secret could not be had; the text names the reference, never a value."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """What an OAuth application proves itself with."""

    client_id: Secret
    client_secret: Secret


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why an organization's credential could not be had."""

    reason: str


def is_reference(text: str) -> bool:
    """Whether a text says where a secret is, rather than being one."""
    return _is_of(KINDS, text)


def is_place(text: str) -> bool:
    """Whether a text says where a new value can be put."""
    return _is_of(PLACES, text)


def _is_of(kinds: tuple[str, ...], text: str) -> bool:
    kind, _, place = text.partition(":")
    return kind in kinds and bool(place.strip()) and (kind != "keyring" or keyring_entry(place) is not None)


def keyring_entry(place: str) -> tuple[str, str] | None:
    """Service and user of `SERVICE/USER`; the service may hold slashes. None where one of them is missing."""
    service, _, user = place.strip().rpartition("/")
    return (service, user) if service and user else None


def read(reference: str, folder: Path, environ: Mapping[str, str]) -> Secret:
    """The secret that a reference names, without the white space and the colon that people paste with it.

    SecretError, naming the reference's kind and place, where there is none. Relative paths begin at `folder`.
    """
    kind, _, place = reference.partition(":")
    value = SOURCES[kind](place.strip(), folder, environ)
    value = value.strip().removesuffix(":").strip()
    if not value:
        raise SecretError(f"{shown(reference)} is empty")
    return Secret(value)


def shown(reference: str) -> str:
    """The reference as it may be shown: of a command, the program alone."""
    kind, _, place = reference.partition(":")
    return f"exec:{place.split()[0]}" if kind == "exec" else reference


def _from_environment(name: str, _folder: Path, environ: Mapping[str, str]) -> str:
    if name not in environ:
        raise SecretError(f"env:{name} is not set")
    return environ[name]


def _from_file(name: str, folder: Path, _environ: Mapping[str, str]) -> str:
    try:
        return local_path(name, folder).read_text(encoding="utf-8")
    except BadPath as error:
        raise SecretError(f"file:{error}") from None
    except UnicodeDecodeError:
        raise SecretError(f"file:{name} is not text in UTF-8") from None
    except OSError as error:
        raise SecretError(f"file:{name} cannot be read ({error.strerror})") from None


def _from_program(command: str, folder: Path, environ: Mapping[str, str]) -> str:
    """What the program prints. It gets no shell and no input; what it says on standard error is not shown."""
    try:
        words = programs.words_of(command)
        done = programs.run(words, folder, environ, patience=PATIENCE)
    except BadPath as error:
        raise SecretError(f"exec:{error}") from None
    except ValueError:
        raise SecretError("exec: the command's quotes do not match") from None
    except subprocess.TimeoutExpired:
        raise SecretError(f"exec:{words[0]} gave nothing within {PATIENCE:.0f} seconds") from None
    except OSError as error:
        raise SecretError(f"exec:{words[0]} cannot be run ({error.strerror})") from None
    if done.status != 0:
        raise SecretError(f"exec:{words[0]} ended with exit status {done.status} after {done.seconds:.1f} seconds")
    return done.output.decode("utf-8", "replace")


def _from_keyring(place: str, _folder: Path, _environ: Mapping[str, str]) -> str:
    entry = keyring_entry(place)
    try:
        import keyring  # noqa: PLC0415 - an optional extra

        value = keyring.get_password(*entry) if entry else None
    except ImportError:
        raise SecretError(f"keyring:{place} needs the extra: pip install 'credly-audit[keyring]'") from None
    except Exception as error:  # noqa: BLE001 - each backend raises what it likes, and its words are not ours to show
        kind = type(error).__name__
        raise SecretError(f"keyring:{place} cannot be read ({kind}); is the keyring unlocked?") from None
    if value is None:
        raise SecretError(f"keyring:{place} is not there")
    return value


SOURCES = {"env": _from_environment, "file": _from_file, "exec": _from_program, "keyring": _from_keyring}
