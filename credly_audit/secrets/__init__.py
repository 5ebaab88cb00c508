"""Where a secret is kept, and how it is carried: `env:`, `file:`, `exec:`, `keyring:`; never in the open."""

import codecs
import hmac
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import NoReturn

from credly_audit import programs
from credly_audit.errors import UsageError
from credly_audit.extras import must_have
from credly_audit.files.paths import BadPath, local_path
from credly_audit.secrets import keyring_calls
from credly_audit.secrets.shape import without_shapes

KINDS = ("env", "file", "exec", "keyring")

PLACES = ("file", "exec", "keyring")
"""Where a new value can be put."""

PATIENCE = 30.0
"""Seconds that a program, a keyring, or a file that others fill gets to hand a secret over."""

MOST = 1 << 16
"""Bytes of a secret at most: more is no secret, but a program or a device without an end."""

ASSIGNMENT = re.compile(r"""\s*["']?[A-Za-z_][A-Za-z0-9_]*=""")

AROUND = re.compile(
    r"\A[\s\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U000e0000-\U000e0fff]+"
)
"""White space, and what nobody sees, at the beginning of a text."""

DOUBTS = {
    r".*[\n\r]": "has several lines",
    r"""(?s).*["'`]""": "has quotes in it",
    r"(?i)(export\s+)?[a-z_][a-z0-9_]*=(?!=*\Z)": "begins with NAME=",
    r"(?i)(authorization\s*:|bearer\b|basic\s|token\s)": "begins with a word of a header",
    r"(?s).*\s": "has white space in it",
    r"(?s).*(\*{3}|\u2022|\.\.\.|\u2026)": "is masked or cut short",
    r"(?s).*[^A-Za-z0-9._~+/=-]": "has characters in it that no token has",
}
"""What speaks against a text being a token's value, and how that is said; the first counts."""


class Secret:
    """A value that shows itself only to who asks for it by name; `doubt` says why it may be none, and where it was."""

    __slots__ = ("_value", "doubt")

    def __init__(self, value: str, doubt: str | None = None) -> None:
        self._value = value
        self.doubt = doubt

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
    if kind not in kinds or not place.strip() or sets_a_variable(text):
        return False
    return kind != "keyring" or keyring_entry(place) is not None


def sets_a_variable(text: str) -> bool:
    """Whether a command begins with NAME=value, which only a shell would understand, and which could be a secret."""
    kind, _, command = text.partition(":")
    return kind == "exec" and ASSIGNMENT.match(command) is not None


def keyring_entry(place: str) -> tuple[str, str] | None:
    """Service and user of `SERVICE/USER`; the service may hold slashes. None where one of them is missing."""
    service, _, user = place.strip().rpartition("/")
    return (service, user) if service and user else None


def shown(reference: str) -> str:
    """Return the reference as it may be shown: of a command the program alone, nothing that looks like a value."""
    kind, _, place = reference.partition(":")
    words = place.split()
    return f"{kind}:{without_shapes(words[0] if kind == 'exec' and words else place)}"


def read(reference: str, folder: Path, environ: Mapping[str, str]) -> Secret:
    """Return the secret that a reference names, without what people paste around it: white space, a mark, a colon.

    SecretError, naming the reference's kind and place, where there is none; MissingExtra where it needs one. Relative
    paths begin at `folder`.
    """
    kind, _, place = reference.partition(":")
    must_have_for(reference)
    content = SOURCES[kind](place.strip(), folder, environ)
    if len(content) > MOST:
        raise SecretError(f"{shown(reference)} gave more than {MOST >> 10} KiB, which is no secret")
    try:
        value = _bare(content.decode(_encoding_of(content)))
    except UnicodeDecodeError:
        raise SecretError(f"{shown(reference)} is not text in UTF-8") from None
    if not value:
        raise SecretError(f"{shown(reference)} is empty")
    doubt = next((said for pattern, said in DOUBTS.items() if re.match(pattern, value)), None)
    return Secret(value, doubt and f"the value of {shown(reference)} {doubt}")


def must_have_for(reference: str) -> None:
    """MissingExtra where a reference needs one that is not installed."""
    if reference.startswith("keyring:"):
        must_have("keyring", shown(reference))


def _encoding_of(content: bytes) -> str:
    """UTF-8; what some Windows programs write says by its first two bytes that it is UTF-16."""
    return "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"


def _bare(text: str) -> str:
    text = _without_ends(text)
    return _without_ends(text[:-1]) if text.endswith(":") else text


def _without_ends(text: str) -> str:
    return AROUND.sub("", AROUND.sub("", text)[::-1])[::-1]


def _from_environment(name: str, _folder: Path, environ: Mapping[str, str]) -> bytes:
    if name not in environ:
        raise SecretError(f"{shown(f'env:{name}')} is not set")
    return environ[name].encode("utf-8", "surrogateescape")


def _from_file(name: str, folder: Path, _environ: Mapping[str, str]) -> bytes:
    """What a file holds; what is none, such as a pipe, gets as long as a program does."""
    try:
        path = local_path(name, folder)
        if path.is_file():
            return _beginning_of(path)
        return _in_time(lambda: _beginning_of(path), f"file:{name}")
    except BadPath as error:
        raise SecretError(without_shapes(f"file:{error}")) from None
    except OSError as error:
        raise SecretError(f"{shown(f'file:{name}')} cannot be read ({error.strerror})") from None


def _beginning_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST + 1)


def _in_time(reading: Callable[[], bytes], reference: str) -> bytes:
    """What is read within the time limit; a thread that waits longer is left behind, and goes with the tool."""
    outcome: list[bytes | OSError] = []

    def work() -> None:
        try:
            outcome.append(reading())
        except OSError as error:
            outcome.append(error)

    reader = Thread(target=work, daemon=True)
    reader.start()
    reader.join(PATIENCE)
    if not outcome:
        raise SecretError(f"{shown(reference)} gave nothing within {PATIENCE:.0f} seconds")
    if isinstance(outcome[0], OSError):
        raise outcome[0]
    return outcome[0]


def _from_program(command: str, folder: Path, environ: Mapping[str, str]) -> bytes:
    """What the program prints. It gets no shell and no input; what it says on standard error is not shown."""
    called = shown(f"exec:{command}")
    try:
        done = programs.run(programs.words_of(command), folder, environ, patience=PATIENCE, most=MOST)
    except BadPath as error:
        raise SecretError(f"exec:{error}") from None
    except ValueError:
        raise SecretError("exec: the command's quotes do not match") from None
    except programs.TooMuch:
        raise SecretError(f"{called} gave more than {MOST >> 10} KiB, which is no secret") from None
    except subprocess.TimeoutExpired:
        raise SecretError(f"{called} gave nothing within {PATIENCE:.0f} seconds") from None
    except OSError as error:
        raise SecretError(f"{called} cannot be run ({error.strerror})") from None
    if done.status != 0:
        raise SecretError(f"{called} ended with exit status {done.status} after {done.seconds:.1f} seconds")
    return done.output


def _from_keyring(place: str, _folder: Path, _environ: Mapping[str, str]) -> bytes:
    entry = keyring_entry(place)
    called = shown(f"keyring:{place}")
    try:
        value = keyring_calls.get(*entry, patience=PATIENCE, most=MOST) if entry else None
    except keyring_calls.KeyringTrouble as error:
        raise SecretError(f"{called} {error}") from None
    if value is None:
        raise SecretError(f"{called} is not there")
    return value.encode("utf-8", "surrogatepass")


SOURCES = {"env": _from_environment, "file": _from_file, "exec": _from_program, "keyring": _from_keyring}
