"""OAuth 2.0 client credentials: an access token of two hours in place of an authorization token of 180 days.

Written on our own client rather than on an OAuth library: the grant then obeys the same rules as every request (no
redirect, no .netrc, TLS or loopback alone), and no library's exception or log can show the secret.
"""

import json
import logging
from base64 import b64encode
from collections.abc import Mapping, MutableMapping
from threading import Event, Lock
from time import monotonic
from typing import Any, Literal
from urllib.parse import quote_plus, urlsplit

from credly_audit.config.settings import Api
from credly_audit.credly.answers import Answer, words
from credly_audit.credly.auth import Trace
from credly_audit.credly.client import Client, Line
from credly_audit.credly.host import Origin
from credly_audit.credly.trouble import NoAnswer
from credly_audit.fingerprint import Fingerprints
from credly_audit.redaction import Redactor
from credly_audit.secrets import ClientCredentials, Secret

log = logging.getLogger(__name__)

SCOPE = "authorization_tokens"
"""'For creating, managing, and deleting authorization tokens' ([DOC] oauth); there is no read-only one."""

USUAL_LIFE = 7200.0
"""Seconds, where the grant does not say (three public clients rely on it)."""

MARGIN = 60.0
"""Seconds before its end from which on an access token is not used any more."""


class TokenEndpoint:
    """Where access tokens are granted: `[api] oauth_token_url`, else `/oauth/token` on the API's own host.

    Credly's pages disagree on the host (www.credly.com, api.credly.com), so that it can be configured.
    """

    def __init__(self, api: Api) -> None:
        url = api.oauth_token_url or _beside(api.base_url)
        parts = urlsplit(url)
        self.origin = Origin.of(url)
        self.authentication = api.oauth_client_authentication
        self._path = parts.path or "/"
        self._line = Line(api.model_copy(update={"base_url": f"{parts.scheme}://{parts.netloc}"}), Event())

    def grant(self, client: ClientCredentials, redactor: Redactor) -> tuple[Secret, float]:
        """An access token and how many seconds it lives; NoAnswer, with the reason, where none is granted."""
        form = {"grant_type": "client_credentials", "scope": SCOPE}
        who: _AsForm | _AsBasic = _AsForm()
        if self.authentication == "basic":
            who = _AsBasic(client)
        else:
            form |= {"client_id": client.client_id.reveal(), "client_secret": client.client_secret.reveal()}
        with Client(self._line) as http:
            answer = http.post_form(self._path, who, form)
        granted = _granted(answer)
        if granted is None:
            raise NoAnswer(self._refusal(answer, redactor), passing=False)
        log.debug("OAuth: %s granted an access token", self.origin)
        return granted

    def _refusal(self, answer: Answer, redactor: Redactor) -> str:
        said = words(answer.body)
        if answer.status in {400, 401}:
            why = (
                "client id and secret were refused: check that both are of one application of this environment, and "
                "[api] oauth_client_authentication"
            )
        elif answer.status >= 500 or answer.status == 429:
            why = "no access token was granted: run again later"
        else:
            why = "no access token was granted: check [api] oauth_token_url"
        return f"OAuth: {answer.status} from {self.origin}: {why}" + (
            f" (it says: {' '.join(redactor.words(said).split())[:200]})" if said else ""
        )


class OAuthCredential:
    """Asks with an access token, which it gets when it is first needed and again before or when it ends.

    Safe to use from many threads; neither the secret nor an access token is in its repr.
    """

    kind: Literal["oauth"] = "oauth"
    fingerprint = None
    """An access token has no row in the listing."""

    def __init__(self, client: ClientCredentials, endpoint: TokenEndpoint, fingerprints: Fingerprints) -> None:
        self._client = client
        self._endpoint = endpoint
        fingerprint = fingerprints.of(client.client_secret.reveal())
        self.traces = () if fingerprint is None else (Trace(fingerprint, len(client.client_secret.reveal())),)
        self._redactor = Redactor(fingerprints.of, self.traces)
        self._lock = Lock()
        self._access_token: Secret | None = None
        self._granted_at = self._ends_at = 0.0

    def authenticate(self, headers: MutableMapping[str, str]) -> None:
        """A bearer; NoAnswer where no access token is granted."""
        with self._lock:
            if self._access_token is None or monotonic() >= self._ends_at:
                self._obtain()
            assert self._access_token is not None  # noqa: S101 - obtained, or it had raised
            headers["Authorization"] = f"Bearer {self._access_token.reveal()}"

    def renew(self, asked_at: float) -> bool:
        """After a 401 to a request of that instant: have another access token, unless another thread already has."""
        with self._lock:
            if self._granted_at <= asked_at:
                self._obtain()
            return True

    def _obtain(self) -> None:
        self._access_token = None
        self._access_token, life = self._endpoint.grant(self._client, self._redactor)
        self._granted_at = monotonic()
        self._ends_at = self._granted_at + max(life - MARGIN, life / 2)


class _AsForm:
    """Id and secret are in the form ([DOC] oauth lists them among its parameters)."""

    def authenticate(self, headers: MutableMapping[str, str]) -> None:
        """Nothing to add."""


class _AsBasic:
    """Id and secret as user and password, each form-encoded (RFC 6749, 2.3.1)."""

    def __init__(self, client: ClientCredentials) -> None:
        self._client = client

    def authenticate(self, headers: MutableMapping[str, str]) -> None:
        """HTTP Basic."""
        pair = ":".join(quote_plus(each.reveal()) for each in (self._client.client_id, self._client.client_secret))
        headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode("ascii")


def _beside(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}/oauth/token"


def _granted(answer: Answer) -> tuple[Secret, float] | None:
    """What the answer grants; None where it grants nothing that could go into a header."""
    if answer.status not in {200, 201}:
        return None
    try:
        content: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, Mapping):
        return None
    token, life = content.get("access_token"), content.get("expires_in")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        return None
    if not isinstance(life, int | float) or isinstance(life, bool) or not 0 <= life < 1 << 31:
        life = USUAL_LIFE
    return Secret(token), float(life)
