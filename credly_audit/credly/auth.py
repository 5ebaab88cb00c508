"""How a request says who asks; the only place that turns a secret into a header."""

from base64 import b64encode
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Trace


class Authenticator(Protocol):
    """What identifies the caller."""

    def authenticate(self, headers: MutableMapping[str, str]) -> None:
        """Add what proves who asks."""


class Credential(Authenticator, Protocol):
    """A credential that may list an organization's tokens."""

    @property
    def kind(self) -> Literal["token", "oauth"]:
        """Which of Credly's two ways of authentication it is."""

    @property
    def fingerprint(self) -> str | None:
        """Of the token's value, by which its own row in the listing is found; None where there is no such row."""

    @property
    def traces(self) -> tuple[Trace, ...]:
        """Of every secret that it holds: what a description must not show."""

    @property
    def doubt(self) -> str | None:
        """Why its secret may be none, told where Credly refuses it."""

    def renew(self) -> bool:
        """After a 401 to this thread's latest request: whether it is worth asking once more."""


@dataclass(frozen=True, slots=True)
class TokenCredential:
    """An authorization token; `fingerprint` is that of its value."""

    secret: Secret = field(repr=False)
    fingerprint: str | None
    kind: Literal["token"] = "token"

    @property
    def traces(self) -> tuple[Trace, ...]:
        """The token's own trace; none where its value is too short to have a fingerprint."""
        return () if self.fingerprint is None else (Trace.of(self.secret.reveal(), self.fingerprint),)

    @property
    def doubt(self) -> str | None:
        """What is odd about the value, as `secrets.read` says it."""
        return self.secret.doubt

    def authenticate(self, headers: MutableMapping[str, str]) -> None:
        """HTTP Basic: the token is the user name, the password is blank ([DOC] authorization tokens)."""
        headers["Authorization"] = "Basic " + b64encode(f"{self.secret.reveal()}:".encode()).decode("ascii")

    def renew(self) -> bool:
        """No: a token that is refused stays refused."""
        return False
