"""Why no answer was had, as a sentence: every error of requests, urllib3, http.client and the socket ends here.

Their own texts are not passed on: they hold addresses with a proxy's password, or pieces of an answer.
"""

import http.client
import socket
import ssl
from collections.abc import Iterator

import requests
import urllib3.exceptions

from credly_audit.credly.host import Host
from credly_audit.errors import AuditError

TRANSPORT_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    UnicodeError,
    ValueError,
)


class NoAnswer(AuditError):  # noqa: N818 - named as it is told
    """No answer that can be used arrived; `passing` says whether the same request may do better a little later.

    `retry_after` is when, in seconds, where that was said.
    """

    def __init__(self, sentence: str, *, passing: bool = True, retry_after: float | None = None) -> None:
        super().__init__(sentence)
        self.passing = passing
        self.retry_after = retry_after


def no_answer(error: Exception, host: Host, timeout: float) -> NoAnswer:
    """What an error of the transport means to a person."""
    causes = list(_causes(error))

    def caused_by(*kinds: type[BaseException]) -> BaseException | None:
        return next((cause for cause in causes if isinstance(cause, kinds)), None)

    at = host.origin
    if untrusted := caused_by(ssl.SSLCertVerificationError):
        why = getattr(untrusted, "verify_message", "") or "it could not be verified"
        return NoAnswer(
            f"TLS: the certificate of {at} is not trusted ({why}): if a company's proxy stands between, name its "
            "certificate in [api] ca_bundle",
            passing=False,
        )
    if caused_by(requests.exceptions.InvalidProxyURL, urllib3.exceptions.ProxySchemeUnknown):
        return NoAnswer("the proxy's address cannot be used: mend [api] proxy or HTTPS_PROXY", passing=False)
    if caused_by(urllib3.exceptions.ProxyError, requests.exceptions.ProxyError) or _tunnel_refused(causes):
        return NoAnswer(f"the proxy did not let it through to {at}: check [api] proxy or HTTPS_PROXY, and its password")
    if caused_by(requests.exceptions.InvalidSchema):
        return NoAnswer("a SOCKS proxy is not supported: name an HTTP proxy", passing=False)
    if caused_by(ssl.SSLError):
        return NoAnswer(f"TLS: no secure connection with {at} came about: check that base_url is an https address")
    if caused_by(socket.gaierror, urllib3.exceptions.NameResolutionError):
        return NoAnswer(f"the name {at.host} was not found: check the network and [api] base_url")
    if caused_by(TimeoutError, requests.Timeout, urllib3.exceptions.ReadTimeoutError):
        return NoAnswer(f"{at} did not answer in time ([api] timeout is {timeout:g} seconds): run again later")
    if caused_by(ConnectionRefusedError):
        return NoAnswer(f"{at} refused the connection: check the network and [api] base_url")
    if caused_by(urllib3.exceptions.IncompleteRead, http.client.IncompleteRead):
        return NoAnswer(f"the answer of {at} was cut in the middle: run again later")
    if caused_by(ConnectionError, http.client.RemoteDisconnected):
        return NoAnswer(f"{at} ended the connection without an answer: run again later")
    if caused_by(urllib3.exceptions.DecodeError, requests.exceptions.ContentDecodingError):
        return NoAnswer(f"the answer of {at} could not be unpacked: run again later")
    if caused_by(http.client.HTTPException):
        return NoAnswer(f"the answer of {at} is not HTTP as it should be: check [api] base_url")
    if caused_by(OSError) and not isinstance(error, requests.exceptions.InvalidURL):
        return NoAnswer(f"no connection with {at} came about: check the network")
    return NoAnswer(f"the request to {at} could not be made: check [api] base_url and proxy", passing=False)


def _tunnel_refused(causes: list[BaseException]) -> bool:
    """http.client says it in words alone."""
    return any(isinstance(cause, OSError) and str(cause).startswith("Tunnel connection failed") for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps, in whichever of the four ways the libraries do."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
