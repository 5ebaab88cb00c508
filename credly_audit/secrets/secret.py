"""A secret value in memory, and how it is made from what a source returned."""

import codecs
import hmac
import re
from dataclasses import dataclass
from typing import NoReturn

from credly_audit.errors import UsageError

AROUND = re.compile(
    r"\A[\s\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U000e0000-\U000e0fff]+"
)
"""White space and invisible characters at the beginning of a text."""

DOUBTS = {
    r".*[\n\r]": "has several lines",
    r"""(?s).*["'`]""": "contains quotes",
    r"(?i)(export\s+)?[a-z_][a-z0-9_]*=(?!=*\Z)": "begins with NAME=",
    r"(?i)(authorization\s*:|bearer\b|basic\s|token\s)": "begins with a word of a header",
    r"(?s).*\s": "contains white space",
    r"(?s).*(\*{3}|\u2022|\.\.\.|\u2026)": "is masked or truncated",
    r"(?s).*[^A-Za-z0-9._~+/=-]": "contains characters that tokens never contain",
}
"""Patterns that a token's value does not match, each with its description; the first match counts."""


class Secret:
    """A secret value, hidden from `repr`, `str` and pickle; `doubt` says why it may not be a token's value."""

    __slots__ = ("_value", "doubt")

    def __init__(self, value: str, doubt: str | None = None) -> None:
        self._value = value
        self.doubt = doubt

    def reveal(self) -> str:
        """Return the value."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be serialized")


class SecretError(UsageError):
    """A secret could not be read; the text names the reference, never a value."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The client id and the client secret of an OAuth application."""

    client_id: Secret
    client_secret: Secret


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why an organization's credential could not be read."""

    reason: str


def parse_value(content: bytes, name: str) -> Secret:
    """Return the secret in what the source `name` returned, without what people paste around it.

    That is white space, invisible characters and a colon. SecretError where nothing is left, or where it is not text.
    """
    try:
        value = _strip(content.decode(_detect_encoding(content)))
    except UnicodeDecodeError:
        raise SecretError(f"{name} is not text in UTF-8") from None
    if not value:
        raise SecretError(f"{name} is empty")
    doubt = next((text for pattern, text in DOUBTS.items() if re.match(pattern, value)), None)
    return Secret(value, doubt and f"the value of {name} {doubt}")


def _detect_encoding(content: bytes) -> str:
    """Return UTF-16 for content that begins with its byte order mark, as some Windows programs write it."""
    return "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"


def _strip(text: str) -> str:
    text = _strip_ends(text)
    return _strip_ends(text[:-1]) if text.endswith(":") else text


def _strip_ends(text: str) -> str:
    return AROUND.sub("", AROUND.sub("", text)[::-1])[::-1]
