"""OAuth 2.0 client credentials: an access token of two hours in place of an authorization token of 180 days.

oauthlib words the request and reads the answer; our own client carries both, so that the grant obeys the same rules as
every request (no redirect, no .netrc, TLS or loopback alone) and no library's exception or log can show a secret.
"""

import logging
from base64 import b64encode
from collections.abc import MutableMapping
from threading import Event, Lock, local
from time import monotonic
from typing import Literal
from urllib.parse import quote_plus, urlsplit

from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from oauthlib.oauth2.rfc6749.tokens import OAuth2Token

from credly_audit.config.settings import Api
from credly_audit.credly.answers import Answer, short, words
from credly_audit.credly.client import REDIRECTS, TOO_MANY, WORTH_ANOTHER_TRY, Client, Line
from credly_audit.credly.host import Origin
from credly_audit.credly.trouble import NoAnswer
from credly_audit.fingerprint import Fingerprints, Trace
from credly_audit.redaction import REDACTED, Redactor
from credly_audit.secrets import ClientCredentials, Secret

log = logging.getLogger(__name__)

SCOPE = "authorization_tokens"
"""'For creating, managing, and deleting authorization tokens' ([DOC] oauth); there is no read-only one."""

USUAL_LIFE = 7200.0
"""Seconds, where the grant does not say (three public clients rely on it)."""

LONGEST_LIFE = 86_400.0
"""Seconds after which an access token is renewed, whatever the grant says."""

MARGIN = 60.0
"""Seconds before its end from which an access token is not used any more."""

REFUSED = (
    "client id and secret were refused: check that both are of one application of this environment (production, "
    "sandbox), and [api] oauth_client_authentication"
)

MEANINGS = {
    "invalid_client": REFUSED,
    "unauthorized_client": "the application may not use client credentials: check it in Credly (Developers, OAuth "
    "Applications)",
    "invalid_scope": f"the application may not have the scope {SCOPE}: grant it in Credly (Developers, OAuth "
    "Applications)",
}
"""The errors of RFC 6749, 5.2, that a person can mend; the others speak of the request and so of the address."""


class TokenEndpoint:
    """Where access tokens are granted: `[api] oauth_token_url`, else `/oauth/token` on the API's own host.

    Credly's pages disagree on the host (www.credly.com, api.credly.com), so that it can be configured.
    """

    def __init__(self, api: Api) -> None:
        url = api.oauth_token_url or _beside(api.base_url)
        parts = urlsplit(url)
        self.origin = Origin.of(url)
        self.in_form = api.oauth_client_authentication == "form"
        self._path = parts.path or "/"
        self._line = Line(api.model_copy(update={"base_url": f"{parts.scheme}://{parts.netloc}"}), Event())

    def grant(self, client: ClientCredentials, redactor: Redactor) -> tuple[Secret, float]:
        """An access token and how many seconds it lives; NoAnswer, with the reason, where none is granted."""
        wording = BackendApplicationClient(client.client_id.reveal())
        form = wording.prepare_request_body(
            scope=[SCOPE],
            include_client_id=self.in_form,
            **({"client_secret": client.client_secret.reveal()} if self.in_form else {}),
        )
        with Client(self._line) as http:
            answer = http.post_form(self._path, _AsForm() if self.in_form else _AsBasic(client), form)
        said = _read(wording, answer)
        if answer.status not in {200, 201} or not isinstance(said, OAuth2Token):
            error = said.error if isinstance(said, OAuth2Error) and isinstance(said.error, str) else None
            raise self._refusal(answer, error, _own_words(answer, client, redactor))
        granted = _usable(said)
        log.debug("OAuth: %s granted an access token", self.origin)
        return granted

    def _refusal(self, answer: Answer, error: str | None, said: str | None) -> NoAnswer:
        passing = answer.status in WORTH_ANOTHER_TRY or answer.status == TOO_MANY
        if passing:
            why = "no access token was granted: run again later"
        elif answer.status in REDIRECTS:
            why = "the request was sent on to another place, and not followed: check [api] oauth_token_url"
        elif error in MEANINGS:
            why = MEANINGS[error]
        elif answer.status == 403 and said is None:
            why = (
                "the request was blocked before it reached Credly: a firewall or proxy, or an address that Credly does "
                "not serve; ask from another network, or check [api] oauth_token_url"
            )
        elif answer.status in {400, 401} and error in {None, "missing_token"}:
            why = REFUSED
        else:
            why = "no access token was granted: check [api] oauth_token_url"
        quoted = f" (it says: {said})" if said else ""
        return NoAnswer(f"OAuth: {answer.status} from {self.origin}: {why}{quoted}", passing=passing)


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
        trace = fingerprints.trace(client.client_secret.reveal())
        self.traces: tuple[Trace, ...] = () if trace is None else (trace,)
        self._redactor = Redactor(fingerprints.of, self.traces)
        self._lock = Lock()
        self._access_token: Secret | None = None
        self._ends_at = 0.0
        self._latest = local()
        """What each thread sent with its latest request."""

    def authenticate(self, headers: MutableMapping[str, str]) -> None:
        """A bearer; NoAnswer where no access token is granted."""
        with self._lock:
            if self._access_token is None or monotonic() >= self._ends_at:
                self._obtain()
            assert self._access_token is not None  # noqa: S101 - obtained, or it had raised
            self._latest.sent = self._access_token
            headers["Authorization"] = f"Bearer {self._access_token.reveal()}"

    def renew(self) -> bool:
        """After a 401 to this thread's latest request: have another access token, unless another thread already has."""
        with self._lock:
            if self._access_token is self._latest.sent:
                self._obtain()
            return True

    def _obtain(self) -> None:
        self._access_token = None
        self._access_token, life = self._endpoint.grant(self._client, self._redactor)
        self._ends_at = monotonic() + max(life - MARGIN, life / 2)


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


def _read(wording: BackendApplicationClient, answer: Answer) -> OAuth2Token | OAuth2Error | None:
    """What oauthlib makes of the body: a token, the error that it names, or nothing."""
    try:
        return wording.parse_request_body_response(answer.body.decode("utf-8", "replace"))
    except OAuth2Error as error:
        return error
    except Exception:  # noqa: BLE001 - a stranger's body: whatever the library raises, nothing was granted
        return None


def _own_words(answer: Answer, client: ClientCredentials, redactor: Redactor) -> str | None:
    """What the endpoint itself says, without id, secret or anything like one; None where it is no JSON."""
    said = words(answer.body)
    for each in (client.client_secret, client.client_id):
        said = said and said.replace(each.reveal(), REDACTED)
    return said and short(redactor.words(said))


def _usable(said: OAuth2Token) -> tuple[Secret, float]:
    """The access token and its life; NoAnswer where it could not be sent, or would not open the tokens."""
    token = said["access_token"]
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable() or " " in token:
        raise NoAnswer("OAuth: the access token cannot be sent in a header: check [api] oauth_token_url", passing=False)
    if str(said.get("token_type") or "bearer").lower() != "bearer":
        raise NoAnswer("OAuth: the access token is no bearer token: check [api] oauth_token_url", passing=False)
    if said.get("scope") and SCOPE not in said.scopes:
        raise NoAnswer(f"OAuth: the access token came without its scope: {MEANINGS['invalid_scope']}", passing=False)
    life = said.get("expires_in") or 0
    return Secret(token), min(float(life), LONGEST_LIFE) if life > 0 else USUAL_LIFE
