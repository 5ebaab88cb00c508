"""The client of the API: one request at a time, at the run's rate, repeated where that can do no harm.

Only GETs are repeated. A POST goes out once, whatever comes back: `rotate` kills the old value with the request.
"""

import logging
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from threading import Event
from time import monotonic
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urljoin, urlsplit

import requests

from credly_audit import __version__
from credly_audit.config.settings import Api
from credly_audit.credly.auth import Authenticator, Credential
from credly_audit.credly.deadline import ClockedAdapter, deadline
from credly_audit.credly.host import Host, Origin
from credly_audit.credly.pace import Pace, RetryBudget, back_off
from credly_audit.credly.refusals import Answer, find_words, retry_after
from credly_audit.credly.transport_errors import TRANSPORT_ERRORS, NoAnswer, explain_transport_error
from credly_audit.reasons import ReasonCode
from credly_audit.secrets.fingerprint import Trace
from credly_audit.secrets.known_values import KnownValues

log = logging.getLogger(__name__)

HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "Cache-Control": "no-cache",
    "User-Agent": f"credly-audit/{__version__}",
}

WORTH_ANOTHER_TRY = frozenset({408, 500, 502, 503, 504})

TOO_MANY = 429

REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 5

LARGEST_BODY = 1 << 25
"""Bytes, unpacked: a page of 50 tokens has some 25,000."""

CHUNK = 1 << 16

SHORTEST_ECHO = 8
"""Characters of a credential's part from which on an answer is searched for it."""


@dataclass(slots=True)
class Effort:
    """What the requests have cost so far."""

    requests: int = 0
    retries: int = 0
    seconds: float = 0.0

    def add(self, other: "Effort") -> None:
        """Add the effort of another client."""
        self.requests += other.requests
        self.retries += other.retries
        self.seconds += other.seconds


PARTED = re.compile(r"[\s:.,]+")
"""What stands between the digits of a value in hex."""


class Line:
    """What the clients of one run share: the host, the pace, the budget of retries, the wish to stop."""

    def __init__(self, api: Api, stop: Event) -> None:
        self.host = Host.of(api)
        self.timeout = float(api.timeout)
        self.max_retries = api.max_retries
        self.pace = Pace(float(api.requests_per_second), float(api.max_throttled_seconds), stop)
        self.budget = RetryBudget()


class Client:
    """One worker's connection to the host. Not to be shared between threads; `line` is.

    It sends through requests' adapter and not through a session: that would keep one organization's cookies for the
    next, look for credentials in .netrc, and follow redirects.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._adapter = ClockedAdapter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._adapter.close()

    def get(self, path: str, credential: Credential, effort: Effort | None = None) -> Answer:
        """Return the answer to a GET, whatever its status is in the end; `path` begins with a slash, after base_url.

        NoAnswer where there was none, Throttled where only 429 came for too long, Stopped where the run is to end.
        """
        effort = effort or Effort()
        tries = 0
        while True:
            try:
                answer = self._get_renewing_token(path, credential, effort)
                trouble = None
            except NoAnswer as error:
                answer, trouble = None, error
            again = trouble.passing if trouble else answer is not None and answer.status in WORTH_ANOTHER_TRY
            if not again or tries >= self._line.max_retries or not self._line.budget.spend():
                if trouble:
                    raise trouble
                assert answer is not None  # noqa: S101 - there is the one or the other
                return answer
            self._line.pace.sleep(back_off(tries, answer.retry_after if answer else None))
            tries += 1
            effort.retries += 1

    def post(
        self, path: str, credential: Credential, content: Mapping[str, Any], effort: Effort | None = None
    ) -> Answer:
        """Return the answer to a POST of JSON, sent once and never again; the errors of `get`."""
        self._line.pace.wait_turn()
        request = requests.Request("POST", self._line.host.base_url + path, HEADERS, json=content)
        return self._send_once(request, credential, effort or Effort())

    def post_form(self, path: str, who: Authenticator, form: str) -> Answer:
        """Return the answer to a POST of a form that is encoded already."""
        self._line.pace.wait_turn()
        url, headers = self._line.host.base_url + path, HEADERS | {"Content-Type": "application/x-www-form-urlencoded"}
        return self._send_once(requests.Request("POST", url, headers, data=form), who, Effort())

    def _get_renewing_token(self, path: str, credential: Credential, effort: Effort) -> Answer:
        """Send a GET, and once more with another access token where the credential's first one has ended."""
        answer = self._get_following_redirects(path, credential, effort)
        if answer.status == 401 and credential.renew():
            return self._get_following_redirects(path, credential, effort)
        return answer

    def _get_following_redirects(self, path: str, credential: Credential, effort: Effort) -> Answer:
        """Send a GET, and follow it as far as it leads within the same origin and organization."""
        url = self._line.host.base_url + path
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._get_waiting_out_429(url, credential, effort)
            if answer.status not in REDIRECTS or answer.location is None:
                return answer
            url = self._resolve_redirect(url, answer.location)
        raise NoAnswer(
            ReasonCode.REDIRECT_REFUSED,
            f"{self._line.host.origin} redirected the request in a loop: check [api] base_url",
            passing=False,
        )

    def _resolve_redirect(self, url: str, location: str) -> str:
        """Return where a redirect leads; NoAnswer where that is another origin or another organization."""
        try:
            target = urljoin(url, location)
            origin = Origin.of(target)
        except ValueError:
            origin, target = None, ""
        if origin != self._line.host.origin:
            elsewhere = f"{origin.scheme}://{origin}" if origin else "another place"
            raise NoAnswer(
                ReasonCode.REDIRECT_REFUSED,
                f"{self._line.host.origin} redirected the request to {_make_printable(elsewhere)}: not followed, "
                "because the credential is sent only to the configured host; check [api] base_url",
                passing=False,
            )
        if _split_api_path(target) != _split_api_path(url):
            raise NoAnswer(
                ReasonCode.REDIRECT_REFUSED,
                f"{self._line.host.origin} redirected the request to another organization or list: not followed; "
                "check the organization's id, the organization of the credential, and [api] base_url",
                passing=False,
            )
        return target

    def _get_waiting_out_429(self, url: str, credential: Credential, effort: Effort) -> Answer:
        """Send a GET until the answer is not 429, which slows down the whole run and is no fault of the request."""
        pace = self._line.pace
        while True:
            sent_at = pace.wait_turn()
            answer = self._send_once(requests.Request("GET", url, HEADERS), credential, effort)
            if answer.status != TOO_MANY:
                return answer
            pace.throttled(sent_at, answer.retry_after)

    def _send_once(self, asked: requests.Request, who: Authenticator, effort: Effort) -> Answer:
        """Send a request once: the only place where one leaves."""
        line = self._line
        line.budget.count_request()
        effort.requests += 1
        began = monotonic()
        came = self._exchange(asked, who)
        took = monotonic() - began
        effort.seconds += took
        path = (asked.url or "").removeprefix(line.host.base_url)
        outcome = came.status if isinstance(came, Answer) else "no answer"
        log.debug("%s %s %s %.0f ms", asked.method, path, outcome, took * 1000)
        if isinstance(came, NoAnswer):
            raise came
        if came.status != TOO_MANY:
            line.pace.answered()
        return came

    def _exchange(self, asked: requests.Request, who: Authenticator) -> Answer | NoAnswer:
        """Return the answer or the trouble, which is not raised: the libraries' errors hold the request's headers."""
        try:
            request = asked.prepare()
            who.authenticate(request.headers)
            with deadline(2 * self._line.timeout):
                answer = self._receive(request)
            return _mark_echo(answer, request)
        except NoAnswer as trouble:
            return trouble
        except TRANSPORT_ERRORS as error:
            return explain_transport_error(error, self._line.host, self._line.timeout)

    def _receive(self, request: requests.PreparedRequest) -> Answer:
        host, timeout = self._line.host, self._line.timeout
        with self._adapter.send(
            request, stream=True, timeout=timeout, verify=host.verify, proxies=host.proxies
        ) as response:
            return Answer(
                response.status_code,
                _read_body(response),
                retry_after(response.headers.get("Retry-After")),
                response.headers.get("Location"),
            )


def _read_body(response: requests.Response) -> bytes:
    """Return the body, unpacked; read as it comes, so that the deadline is seen between two pieces."""
    parts: list[bytes] = []
    size = 0
    while part := response.raw.read1(CHUNK, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > LARGEST_BODY:
            raise NoAnswer(
                ReasonCode.ANSWER_UNREADABLE,
                f"the answer is larger than {LARGEST_BODY >> 20} MB: that is not a list of tokens",
                passing=False,
            )
    return b"".join(parts)


def _mark_echo(answer: Answer, request: requests.PreparedRequest) -> Answer:
    """Return the answer with a mark where its words repeat the credential, and without a place that does.

    People are shown both. Reversed and in other capitals it is known too, which no redactor looks for later.
    """
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return answer
    sent = request.headers.get("Authorization", "").partition(" ")[2]
    values = [each for each in (sent, *_decode_basic(sent).split(":")) if len(each) >= SHORTEST_ECHO]
    known = KnownValues(str.casefold, [Trace(value.casefold(), len(value)) for value in values])

    def repeats(text: str) -> bool:
        forms = (text, text[::-1], text.swapcase(), PARTED.sub("", text))
        return any(known.find(form) or any(value.casefold() in form.casefold() for value in values) for form in forms)

    location = None if repeats(answer.location or "") else answer.location
    return replace(answer, location=location, repeats_credential=repeats(find_words(answer.body) or ""))


def _decode_basic(sent: str) -> str:
    """Return user and password of HTTP Basic."""
    try:
        return b64decode(sent, validate=True).decode()
    except ValueError:
        return ""


def _split_api_path(url: str) -> list[str]:
    """Return the parts of the path from `organizations` on, by which the API knows what is asked of whom.

    Dots that lead elsewhere count as parts of their own, so that no two paths are equal that are not one place.
    """
    parts = [part.lower() for part in unquote(urlsplit(url).path).split("/") if part]
    return parts[parts.index("organizations") :] if "organizations" in parts else []


def _make_printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "·" for letter in text)[:200]
