"""Why no answer was had, as a sentence: every error of requests, urllib3, http.client and the socket ends here.

Their own texts are not passed on: they hold addresses with a proxy's password, or pieces of an answer.
"""

import http.client
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple

import requests
import urllib3.exceptions

from credly_audit.credly.host import Host
from credly_audit.errors import AuditError
from credly_audit.reasons import ReasonCode

TRANSPORT_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    UnicodeError,
    ValueError,
)

RUN_AGAIN = ": run again later"


class NoAnswer(AuditError):  # noqa: N818 - named as it is told
    """No answer that can be used arrived; `what` says in words what happened, `code` for programs.

    `passing` says whether the same request may do better a little later, `retry_after` when, in seconds. `later` adds
    the advice to run again, which holds for requests that may be repeated; `aside` stands in brackets at the end.
    """

    def __init__(
        self,
        code: ReasonCode,
        what: str,
        *,
        aside: str = "",
        later: bool = False,
        passing: bool = True,
        retry_after: float | None = None,
    ) -> None:
        aside = f" ({aside})" if aside else ""
        super().__init__(what + (RUN_AGAIN if later else "") + aside)
        self.code = code
        self.what = what + aside
        self.later = later
        self.passing = passing
        self.retry_after = retry_after

    def conclude(self, doubt: str | None = None) -> "NoAnswer":
        """Return the same for requests that are not tried again, with a doubt about the credential."""
        what = f"{self.what}; {doubt}" if doubt else self.what
        return NoAnswer(self.code, what, later=self.later, passing=False)


class ErrorMeaning(NamedTuple):
    """What errors of some types mean to a person, and whether the same request may do better a little later."""

    types: tuple[type[BaseException], ...]
    code: ReasonCode
    what: str
    passing: bool = True
    later: bool = False
    """Whether to advise to run again."""
    begins: str = ""
    """How the text of such an error begins, where its type alone says too little."""


PROXY_REFUSED = "the proxy did not forward it to {at}: check [api] proxy or HTTPS_PROXY, and its password"
NOT_MADE = "the request to {at} could not be made: check [api] base_url and proxy"

MEANINGS = (
    ErrorMeaning(
        (ssl.SSLCertVerificationError,),
        ReasonCode.TLS_UNTRUSTED,
        "TLS: the certificate of {at} is not trusted ({why}): if a company proxy inspects the connection, name its "
        "certificate in [api] ca_bundle",
        passing=False,
    ),
    ErrorMeaning(
        (requests.exceptions.InvalidProxyURL, urllib3.exceptions.ProxySchemeUnknown),
        ReasonCode.PROXY_FAILED,
        "the proxy's address cannot be used: correct [api] proxy or HTTPS_PROXY",
        passing=False,
    ),
    ErrorMeaning(
        (urllib3.exceptions.ProxyError, requests.exceptions.ProxyError), ReasonCode.PROXY_FAILED, PROXY_REFUSED
    ),
    ErrorMeaning(
        (OSError,), ReasonCode.PROXY_FAILED, PROXY_REFUSED, begins="Tunnel connection failed"
    ),  # http.client has no type for it
    ErrorMeaning(
        (requests.exceptions.InvalidSchema,),
        ReasonCode.PROXY_FAILED,
        "a SOCKS proxy is not supported: name an HTTP proxy",
        passing=False,
    ),
    ErrorMeaning(
        (ssl.SSLError,),
        ReasonCode.TLS_FAILED,
        "TLS: no secure connection with {at} could be established: check that base_url is an https address",
    ),
    ErrorMeaning(
        (socket.gaierror, urllib3.exceptions.NameResolutionError),
        ReasonCode.HOST_NOT_FOUND,
        "the name {at.host} was not found: check the network and [api] base_url",
    ),
    ErrorMeaning(
        (TimeoutError, requests.Timeout, urllib3.exceptions.ReadTimeoutError),
        ReasonCode.TIMEOUT,
        "{at} did not answer in time ([api] timeout is {timeout:g} seconds)",
        later=True,
    ),
    ErrorMeaning(
        (ConnectionRefusedError,),
        ReasonCode.CONNECTION_FAILED,
        "{at} refused the connection: check the network and [api] base_url",
    ),
    ErrorMeaning(
        (urllib3.exceptions.IncompleteRead, http.client.IncompleteRead),
        ReasonCode.CONNECTION_FAILED,
        "the answer of {at} was cut off",
        later=True,
    ),
    ErrorMeaning(
        (ConnectionError, http.client.RemoteDisconnected),
        ReasonCode.CONNECTION_FAILED,
        "{at} ended the connection without an answer",
        later=True,
    ),
    ErrorMeaning(
        (urllib3.exceptions.DecodeError, requests.exceptions.ContentDecodingError),
        ReasonCode.ANSWER_UNREADABLE,
        "the answer of {at} could not be decompressed",
        later=True,
    ),
    ErrorMeaning(
        (http.client.HTTPException,),
        ReasonCode.ANSWER_UNREADABLE,
        "the answer of {at} is not valid HTTP: check [api] base_url",
    ),
    ErrorMeaning((requests.exceptions.InvalidURL,), ReasonCode.REQUEST_IMPOSSIBLE, NOT_MADE, passing=False),
    ErrorMeaning(
        (OSError,), ReasonCode.CONNECTION_FAILED, "no connection with {at} could be established: check the network"
    ),
    ErrorMeaning((BaseException,), ReasonCode.REQUEST_IMPOSSIBLE, NOT_MADE, passing=False),
)
"""The first row counts that an error, or one that it wraps, belongs to; requests' own errors are OSErrors."""


def explain_transport_error(error: Exception, host: Host, timeout: float) -> NoAnswer:
    """Return what an error of the transport means to a person."""
    causes = list(_walk_causes(error))
    meaning, cause = next(
        (meaning, cause)
        for meaning in MEANINGS
        for cause in causes
        if isinstance(cause, meaning.types) and str(cause).startswith(meaning.begins)
    )
    why = getattr(cause, "verify_message", "") or "it could not be verified"
    what = meaning.what.format(at=host.origin, timeout=timeout, why=why)
    return NoAnswer(meaning.code, what, later=meaning.later, passing=meaning.passing)


def _walk_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all that it wraps, in whichever of the four ways the libraries do."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
