"""Errors of the transport: each kind has its sentence, however the libraries wrap it, and none of their own texts."""

import http.client
import socket
import ssl

import pytest
import requests
import urllib3.exceptions

from credly_audit.config.settings import Api
from credly_audit.credly.host import Host
from credly_audit.credly.transport_errors import explain_transport_error

HOST = Host.of(Api())

SENTENCES = {
    "certificate of api.credly.com is not trusted (it could not be verified)": [ssl.SSLCertVerificationError("odd")],
    "no secure connection": [ssl.SSLError("odd")],
    "proxy's address cannot be used": [
        requests.exceptions.InvalidProxyURL("odd"),
        urllib3.exceptions.ProxySchemeUnknown("odd"),
    ],
    "the proxy did not forward it": [
        urllib3.exceptions.ProxyError("odd", OSError("odd")),
        OSError("Tunnel connection failed: 407 odd"),
    ],
    "SOCKS proxy is not supported": [requests.exceptions.InvalidSchema("odd")],
    "the name api.credly.com was not found": [socket.gaierror(-2, "odd")],
    "did not answer in time ([api] timeout is 30 seconds)": [TimeoutError("odd"), requests.Timeout("odd")],
    "refused the connection": [ConnectionRefusedError("odd")],
    "was cut off": [http.client.IncompleteRead(b"odd"), urllib3.exceptions.IncompleteRead(3, 9)],
    "ended the connection without an answer": [ConnectionResetError("odd"), http.client.RemoteDisconnected("odd")],
    "could not be decompressed": [urllib3.exceptions.DecodeError("odd")],
    "is not valid HTTP": [http.client.BadStatusLine("odd")],
    "no connection with api.credly.com could be established": [OSError("odd")],
    "could not be made": [requests.exceptions.InvalidURL("odd"), UnicodeError("odd"), ValueError("odd")],
}
LASTING = {"is not trusted", "address cannot be used", "SOCKS proxy", "could not be made"}
"""What the same request meets a little later as well."""


@pytest.mark.parametrize(
    ("sentence", "error"), [(sentence, error) for sentence, errors in SENTENCES.items() for error in errors]
)
def test_each_kind_of_error_has_its_sentence(sentence: str, error: Exception) -> None:
    said = explain_transport_error(error, HOST, 30)
    assert sentence in str(said)
    assert "odd" not in str(said)
    assert said.passing == (not any(each in str(said) for each in LASTING))


@pytest.mark.parametrize(
    "error", [each for errors in SENTENCES.values() for each in errors if type(each) is not ValueError]
)
def test_an_error_inside_others_has_the_same_sentence(error: Exception) -> None:
    caused = urllib3.exceptions.HTTPError("outer")
    caused.__cause__ = error
    for wrapped in (
        caused,
        urllib3.exceptions.HTTPError(error),
        urllib3.exceptions.MaxRetryError(None, "/", error),
    ):
        assert str(explain_transport_error(wrapped, HOST, 30)) == str(explain_transport_error(error, HOST, 30))
