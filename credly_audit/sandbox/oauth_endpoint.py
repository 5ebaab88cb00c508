"""OAuth 2.0 client credentials as Doorkeeper grants them, which Credly's applications have the marks of."""

import secrets
from base64 import b64decode
from binascii import Error as NotBase64
from dataclasses import dataclass
from time import monotonic, time
from urllib.parse import parse_qs, unquote_plus

from credly_audit.sandbox.faults import Faults
from credly_audit.sandbox.shapes import Reply, refusal
from credly_audit.sandbox.world import SandboxOrganization, World

LIVES_SECONDS = 7200

SCOPES = frozenset(
    (
        "authorization_tokens",
        "badge_templates",
        "events",
        "invitations",
        "issued_badges",
        "memberships",
        "recommendations",
        "workforce",
    )
)

INVALID_TOKEN = refusal(401, "The access token is invalid or has expired", WWW_Authenticate='Bearer realm="Doorkeeper"')


@dataclass(frozen=True, slots=True)
class Bearer:
    """What an access token opens, and until when (the process's own clock, as a sandbox's may stand still)."""

    organizations: frozenset[str]
    scopes: frozenset[str]
    ends: float


class Bearers:
    """The access tokens that were granted."""

    def __init__(self) -> None:
        self._granted: dict[str, Bearer] = {}

    def known(self, access_token: str) -> Bearer | None:
        """What that access token opens, if it still opens anything."""
        bearer = self._granted.get(access_token)
        return bearer if bearer and bearer.ends > monotonic() else None

    def grant(self, authorization: str, body: bytes, world: World, faults: Faults) -> Reply:
        """`POST /oauth/token`: client id and secret as Basic credentials or in the form."""
        form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        if "grant_type" not in form:
            return _fault(400, "invalid_request", "Missing required parameter: grant_type.")
        if form["grant_type"] != "client_credentials":
            return _fault(400, "unsupported_grant_type", "The grant type is not supported.")
        client_id, secret = _read_basic(authorization) or (form.get("client_id", ""), form.get("client_secret", ""))
        organizations = frozenset(one.id for one in world.organizations if _opens(one, client_id, secret))
        if not organizations:
            return _fault(401, "invalid_client", "Client authentication failed due to unknown client.")
        scopes = frozenset(form.get("scope", "").split())
        if not scopes <= SCOPES:
            return _fault(400, "invalid_scope", "The requested scope is invalid, unknown, or malformed.")
        lives = int(faults.get("oauth-expires", LIVES_SECONDS))
        access_token = "MADE-UP-" + secrets.token_urlsafe(32)
        self._granted[access_token] = Bearer(organizations, scopes, monotonic() + lives)
        return Reply(
            200,
            {
                "access_token": access_token,
                "token_type": "Bearer",
                "expires_in": lives,
                "scope": " ".join(sorted(scopes)),
                "created_at": int(time()),
            },
            {"Cache-Control": "no-store"},
        )


def _opens(organization: SandboxOrganization, client_id: str, secret: str) -> bool:
    return any(one.uid == client_id and one.secret == secret for one in organization.oauth_applications)


def _read_basic(authorization: str) -> tuple[str, str] | None:
    """Client id and secret from Basic credentials, each form-encoded as RFC 6749 asks (section 2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except (NotBase64, UnicodeDecodeError):
        return None
    return unquote_plus(client_id), unquote_plus(secret)


def _fault(status: int, error: str, description: str) -> Reply:
    return Reply(status, {"error": error, "error_description": description})
