"""OAuth 2.0 client credentials: an access token of two hours in place of an authorization token of 180 days.

Our own client carries the request, so that a grant obeys the same rules as every request (no redirect, no .netrc, TLS
or loopback only). Of what the endpoint says only the standard's error codes are repeated: its other words could hold
the secret that it was sent, in any form.
"""

import json
import logging
from base64 import b64encode
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from threading import Event, Lock, local
from time import monotonic
from typing import Any, Literal
from urllib.parse import quote_plus, urlencode, urlsplit

from credly_audit.config.settings import Api
from credly_audit.credly.client import REDIRECTS, TOO_MANY, WORTH_ANOTHER_TRY, Client, Line
from credly_audit.credly.host import Origin
from credly_audit.credly.pace import Throttled, back_off
from credly_audit.credly.refusals import Answer
from credly_audit.credly.transport_errors import NoAnswer
from credly_audit.reasons import ReasonCode
from credly_audit.secrets import ClientCredentials, Secret
from credly_audit.secrets.fingerprint import Fingerprints, Trace

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
    "client id and secret were refused: check that both belong to one application of this environment (production, "
    "sandbox), and [api] oauth_client_authentication"
)

CHECK_ADDRESS = "no access token was granted: check [api] oauth_token_url"

MEANINGS = {
    "invalid_client": REFUSED,
    "unauthorized_client": "the application is not permitted to use client credentials: check it in Credly "
    "(Developers, OAuth Applications)",
    "invalid_scope": f"the application is not permitted to use the scope {SCOPE}: grant it in Credly "
    "(Developers, OAuth Applications)",
    "invalid_request": CHECK_ADDRESS,
    "invalid_grant": CHECK_ADDRESS,
    "unsupported_grant_type": CHECK_ADDRESS,
}
"""The errors of RFC 6749, 5.2. Nothing else that the endpoint says is repeated."""


class TokenEndpoint:
    """Where access tokens are granted: `[api] oauth_token_url`, else `/oauth/token` on the API's own host.

    Credly's pages disagree on the host (www.credly.com, api.credly.com), so that it can be configured.
    """

    def __init__(self, api: Api) -> None:
        url = api.oauth_token_url or _make_default_url(api.base_url)
        parts = urlsplit(url)
        self.origin = Origin.of(url)
        self.in_form = api.oauth_client_authentication == "form"
        self._path = parts.path or "/"
        self._line = Line(api.model_copy(update={"base_url": f"{parts.scheme}://{parts.netloc}"}), Event())

    def grant(self, client: ClientCredentials) -> tuple[Secret, float]:
        """Return an access token and how many seconds it lives; NoAnswer, with the reason, where none is granted.

        It is asked for again where that may help: another access token takes nothing from anybody.
        """
        tries = 0
        while True:
            try:
                return self._ask(client)
            except NoAnswer as trouble:
                if not trouble.passing or tries >= self._line.max_retries or not self._line.budget.spend():
                    raise
                wait = back_off(tries, trouble.retry_after)
            self._line.pace.sleep(wait)
            tries += 1

    def _ask(self, client: ClientCredentials) -> tuple[Secret, float]:
        form = {"grant_type": "client_credentials", "scope": SCOPE}
        if self.in_form:
            form |= {"client_id": client.client_id.reveal(), "client_secret": client.client_secret.reveal()}
        began = monotonic()
        with Client(self._line) as http:
            answer = http.post_form(self._path, _AsForm() if self.in_form else _AsBasic(client), urlencode(form))
        if answer.status == TOO_MANY:
            with suppress(Throttled):  # the number of tries is what bounds it
                self._line.pace.throttled(began, answer.retry_after)
        content = _decode_content(answer.body)
        if not 200 <= answer.status < 300 or not content or content.get("error") or "access_token" not in content:
            raise self._refusal(answer, content)
        granted = _check_grant(content)
        log.debug("OAuth: %s granted an access token", self.origin)
        return granted

    def _refusal(self, answer: Answer, content: dict[str, Any] | None) -> NoAnswer:
        said = (content or {}).get("error")
        error = said if isinstance(said, str) and said in MEANINGS else None
        passing = answer.status in WORTH_ANOTHER_TRY or answer.status == TOO_MANY
        if passing:
            why = "no access token was granted"
        elif answer.status in REDIRECTS:
            why = "the request was redirected, which was not followed: check [api] oauth_token_url"
        elif error:
            why = f"{MEANINGS[error]} (error code: {error})"
        elif answer.status == 403 and content is None:
            why = (
                "the request was blocked before it reached Credly: a firewall or proxy, or an address that Credly does "
                "not serve; try another network, or check [api] oauth_token_url"
            )
        else:
            why = REFUSED if answer.status in {400, 401} and said is None else CHECK_ADDRESS
        return NoAnswer(
            ReasonCode.OAUTH_REFUSED if answer.status in {400, 401, 403} else ReasonCode.OAUTH_FAILED,
            f"OAuth: {answer.status} from {self.origin}: {why}",
            later=passing,
            passing=passing,
            retry_after=answer.retry_after,
        )


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why no access token was granted, when that was known, and until when it is not tried again."""

    trouble: NoAnswer
    at: float
    until: float


class OAuthCredential:
    """Asks with an access token, which it gets when it is first needed and again before or when it ends.

    All organizations of one client share it, from any thread. One thread at a time gets an access token; the others
    wait for what comes of that, be it a failure. Neither the secret nor an access token is in its repr.
    """

    kind: Literal["oauth"] = "oauth"
    fingerprint = None
    """An access token has no row in the listing."""

    def __init__(self, client: ClientCredentials, endpoint: TokenEndpoint, fingerprints: Fingerprints) -> None:
        self._client = client
        self._endpoint = endpoint
        self.doubt = client.client_secret.doubt or client.client_id.doubt
        self._fingerprints = fingerprints
        self.traces: tuple[Trace, ...] = ()
        """Of the secret, and of every access token that it was granted."""
        self._remember(client.client_secret)
        self._lock = Lock()
        self._access_token: Secret | None = None
        self._ends_at = 0.0
        self._failure: _Failure | None = None
        self._latest = local()
        """What each thread sent with its latest request."""

    def authenticate(self, headers: MutableMapping[str, str]) -> None:
        """Add a bearer; NoAnswer where no access token is granted."""
        self._latest.sent = self._token(refused=None)
        headers["Authorization"] = f"Bearer {self._latest.sent.reveal()}"

    def renew(self) -> bool:
        """After a 401 to this thread's latest request, have another access token, unless another thread has one."""
        self._token(refused=self._latest.sent)
        return True

    def _token(self, refused: Secret | None) -> Secret:
        """Return an access token that lives and was not refused."""
        asked_at = monotonic()
        with self._lock:
            current = self._access_token
            if current is None or current is refused or monotonic() >= self._ends_at:
                current = self._obtain(asked_at)
            return current

    def _obtain(self, asked_at: float) -> Secret:
        """Have an access token granted; what failed while this thread waited, or just before, fails for it too.

        After a failure that may pass it rests for as long as that took to show, so that an endpoint that does not
        answer costs the same whatever the number of workers and organizations.
        """
        failure = self._failure
        if failure is not None and (failure.at >= asked_at or monotonic() < failure.until):
            raise failure.trouble.conclude()
        self._access_token = None
        began = monotonic()
        try:
            token, life = self._endpoint.grant(self._client)
        except NoAnswer as trouble:
            ended = monotonic()
            final = trouble.conclude(None if trouble.passing else self.doubt)
            self._failure = _Failure(final, ended, 2 * ended - began if trouble.passing else inf)
            raise final from None
        self._remember(token)
        self._ends_at = monotonic() + max(life - MARGIN, life / 2)
        self._access_token = token
        return token

    def _remember(self, secret: Secret) -> None:
        trace = self._fingerprints.trace(secret.reveal())
        self.traces += () if trace is None else (trace,)


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


def _make_default_url(base_url: str) -> str:
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}/oauth/token"


def _decode_content(body: bytes) -> dict[str, Any] | None:
    """Return the JSON object of an answer, with a BOM or without; empty where it is another JSON, None where none."""
    try:
        content = json.loads(body, parse_int=float)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else {}


def _check_grant(said: dict[str, Any]) -> tuple[Secret, float]:
    """Return the access token and its life; NoAnswer where it could not be sent, or would not open the tokens."""
    token = said["access_token"].strip() if isinstance(said["access_token"], str) else ""
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise _reject_grant("cannot be sent in a header: check [api] oauth_token_url")
    if str(said.get("token_type") or "bearer").strip().lower() != "bearer":
        raise _reject_grant("is not a bearer token: check [api] oauth_token_url")
    scope = said.get("scope")
    scopes = scope.replace(",", " ").split() if isinstance(scope, str) else scope
    if isinstance(scopes, list) and scopes and SCOPE not in scopes:
        raise _reject_grant(f"came without its scope: {MEANINGS['invalid_scope']}")
    return Secret(token), _read_lifetime(said.get("expires_in"))


def _reject_grant(what: str) -> NoAnswer:
    return NoAnswer(ReasonCode.OAUTH_UNUSABLE, f"OAuth: the access token {what}", passing=False)


def _read_lifetime(said: object) -> float:
    """Return how many seconds an access token lives: the usual number where the grant names none that can be read."""
    try:
        life = float(said) if isinstance(said, float | str) else 0.0
    except ValueError:
        life = 0.0
    return min(life, LONGEST_LIFE) if life > 0 else USUAL_LIFE
