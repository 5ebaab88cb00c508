"""OAuth client credentials over real sockets: how an access token is had, renewed once, and refused in words."""

import json
import logging
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from socket import socket
from threading import Barrier, Thread
from time import monotonic, sleep
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus

import pytest

from credly_audit.config.settings import Api
from credly_audit.credly.oauth_credential import OAuthCredential, TokenEndpoint
from credly_audit.credly.transport_errors import NoAnswer
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import OAuthApplication, SandboxOrganization
from credly_audit.secrets import ClientCredentials, Secret
from credly_audit.secrets.fingerprint import Fingerprints
from tests.credly.conftest import MakeClient, Raw

UID = "MADE-UP-uid+of/an&application"
SECRET = "MADE-UP-client=secret&of%20an+application"
ACCESS = "MADE-UP-access-token-0123456789"

MakeRaw = Callable[[bytes], Raw]


def credential(base_url: str, *, secret: str = SECRET, **api: Any) -> OAuthCredential:
    settings = Api(base_url=base_url, **{"timeout": 5.0, "max_retries": 0} | api)
    client = ClientCredentials(Secret(UID), Secret(secret))
    return OAuthCredential(client, TokenEndpoint(settings), Fingerprints())


def bearer(who: OAuthCredential) -> str:
    headers: dict[str, str] = {}
    who.authenticate(headers)
    return headers["Authorization"].removeprefix("Bearer ")


def answer(status: int, content: Any, *headers: str, kind: str = "application/json") -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = [f"HTTP/1.1 {status} Word", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def listening(raw: Callable[..., Raw], content: bytes) -> Raw:
    """A server that hears the whole form before it answers."""

    def talk(connection: socket) -> None:
        heard = server.heard
        while int(re.search(rb"Content-Length: (\d+)", heard[-1])[1]) > len(heard[-1].partition(b"\r\n\r\n")[2]):
            heard[-1] += connection.recv(65_536)
        connection.sendall(content)

    server: Raw = raw(talk)
    return server


def granting(**said: Any) -> bytes:
    return answer(200, {"access_token": ACCESS, "token_type": "Bearer", "expires_in": 7200} | said)


@pytest.fixture
def application(acme: SandboxOrganization) -> Iterator[OAuthApplication]:
    application = OAuthApplication(42, "Audit", UID, SECRET, "Audits tokens")
    acme.oauth_applications.append(application)
    return application


@pytest.mark.parametrize("way", ["form", "basic"])
def test_an_access_token_is_had_by_form_or_basic_and_opens_the_listing(
    sandbox: Sandbox, acme: SandboxOrganization, application: OAuthApplication, client_of: MakeClient, way: str
) -> None:
    who = credential(sandbox.base_url, oauth_client_authentication=way)
    assert application.secret

    found = client_of(sandbox.base_url).get(f"/organizations/{acme.id}/authorization_tokens", who)

    assert found.status == 200
    assert [asked.action for asked in sandbox.requests] == ["oauth-token", "list"]
    assert who.kind == "oauth"
    assert who.fingerprint is None


def test_the_form_holds_grant_type_scope_and_the_client_and_no_header_does(raw: MakeRaw) -> None:
    server = listening(raw, granting())

    bearer(credential(server.base_url))

    head, _, body = server.heard[0].decode().partition("\r\n\r\n")
    assert head.startswith("POST /oauth/token HTTP/1.1")
    assert "Content-Type: application/x-www-form-urlencoded" in head
    assert "Authorization" not in head
    assert parse_qs(body, strict_parsing=True) == {
        "grant_type": ["client_credentials"],
        "scope": ["authorization_tokens"],
        "client_id": [UID],
        "client_secret": [SECRET],
    }


def test_as_basic_the_client_is_in_the_header_alone_each_part_form_encoded(raw: MakeRaw) -> None:
    server = listening(raw, granting())

    bearer(credential(server.base_url, oauth_client_authentication="basic"))

    head, _, body = server.heard[0].decode().partition("\r\n\r\n")
    [line] = [line for line in head.splitlines() if line.startswith("Authorization: Basic ")]
    pair = b64decode(line.removeprefix("Authorization: Basic ")).decode().split(":")
    assert [parse_qs(f"x={part}")["x"][0] for part in pair] == [UID, SECRET]
    assert parse_qs(body) == {"grant_type": ["client_credentials"], "scope": ["authorization_tokens"]}


def test_the_endpoint_may_be_on_another_host_and_have_another_path(sandbox: Sandbox, raw: MakeRaw) -> None:
    server = raw(granting())
    url = server.base_url.replace("/v1", "/elsewhere/token")

    assert bearer(credential(sandbox.base_url, oauth_token_url=url)) == ACCESS
    assert server.heard[0].startswith(b"POST /elsewhere/token ")
    assert sandbox.requests == []


def test_one_access_token_serves_many_requests_and_threads(sandbox: Sandbox, application: OAuthApplication) -> None:
    who = credential(sandbox.base_url)
    together = Barrier(8)
    seen: list[str] = []
    assert application.uid

    def ask() -> None:
        together.wait()
        seen.append(bearer(who))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert sandbox.counts["oauth-token"] == 1


def test_after_a_401_in_the_middle_it_is_renewed_once_and_the_request_asked_again(
    sandbox: Sandbox, acme: SandboxOrganization, application: OAuthApplication, client_of: MakeClient
) -> None:
    who = credential(sandbox.base_url)
    client = client_of(sandbox.base_url)
    path = f"/organizations/{acme.id}/authorization_tokens"
    assert application.uid
    assert client.get(path, who).status == 200

    sandbox.faults = ["status=401@list+0x1"]
    assert client.get(path, who).status == 200
    assert sandbox.counts == {"oauth-token": 2, "list": 3}

    sandbox.faults = ["status=401@list"]
    assert client.get(path, who).status == 401
    assert sandbox.counts == {"oauth-token": 3, "list": 5}


@pytest.mark.parametrize("lives", [0, -5, 30])
def test_an_access_token_that_lives_too_short_to_be_worth_keeping_still_serves(raw: MakeRaw, lives: int) -> None:
    server = raw(granting(expires_in=lives))
    who = credential(server.base_url)

    assert [bearer(who), bearer(who)] == [ACCESS, ACCESS]
    assert len(server.heard) == 1


LIVES = [None, "7200", 7200.5, 10**30, "soon", "", True, [], {"seconds": 7200}, float("nan"), float("inf"), "1e9", -1]


@pytest.mark.parametrize("lives", LIVES)
def test_whatever_its_life_is_said_to_be_it_serves(raw: MakeRaw, lives: Any) -> None:
    server = raw(granting(expires_in=lives))
    who = credential(server.base_url)

    assert [bearer(who), bearer(who)] == [ACCESS, ACCESS]
    assert len(server.heard) == 1


ODD = {
    "with a BOM": answer(200, b"\xef\xbb\xbf" + json.dumps({"access_token": ACCESS}).encode()),
    "as UTF-16": answer(200, json.dumps({"access_token": ACCESS}).encode("utf-16")),
    "with a number of 5000 digits": answer(
        200, b'{"access_token": "%s", "expires_in": %s}' % (ACCESS.encode(), b"9" * 5000)
    ),
    "created": answer(201, {"access_token": ACCESS}),
    "with an error that is null": granting(error=None),
    "with blanks": granting(access_token=f" {ACCESS}\n"),
    "BEARER": granting(token_type="BEARER"),
    "no type": granting(token_type=None),
    "more scopes": granting(scope="badge_templates authorization_tokens"),
    "a list of scopes": granting(scope=["authorization_tokens", "events"]),
    "scopes by comma": granting(scope="events,authorization_tokens"),
    "an empty scope": granting(scope=""),
    "a scope of another type": granting(scope=7),
    "more fields": granting(created_at="yesterday", refresh_token=[], id_token=None),
}


@pytest.mark.parametrize("how", ODD)
def test_an_oddly_worded_grant_is_a_grant(raw: MakeRaw, how: str) -> None:
    assert bearer(credential(raw(ODD[how]).base_url)) == ACCESS


ECHOES = [
    SECRET,
    SECRET.upper(),
    SECRET[::-1],
    SECRET.encode().hex(),
    b64encode(SECRET.encode()).decode(),
    quote(SECRET, safe=""),
    "".join(f"%{byte:02X}" for byte in SECRET.encode()),
    f"Basic {b64encode(f'{quote_plus(UID)}:{quote_plus(SECRET)}'.encode()).decode()}",
]


@pytest.mark.parametrize("way", ["form", "basic"])
@pytest.mark.parametrize("status", [200, 307, 400, 401, 403, 429, 500])
@pytest.mark.parametrize("place", ["error", "error_description", "error_uri", "message", "data", "access_token"])
def test_nothing_that_the_endpoint_says_of_the_secret_is_repeated(
    raw: MakeRaw, caplog: pytest.LogCaptureFixture, place: str, status: int, way: str
) -> None:
    said = " | ".join(ECHOES)
    content = {"error": "invalid_client", "access_token": 1} | {place: {"message": said} if place == "data" else said}
    server = raw(answer(status, content, f"Location: https://{said[:9]}.example/?{quote(said)}"))

    with caplog.at_level(logging.DEBUG), pytest.raises(NoAnswer) as refused:
        bearer(credential(server.base_url, oauth_client_authentication=way))

    shown = (str(refused.value) + caplog.text).lower()
    for echo in (*ECHOES, *said.split()):
        assert len(echo) < 5 or echo.lower() not in shown


def test_an_access_token_is_renewed_before_its_end(raw: MakeRaw, monkeypatch: pytest.MonkeyPatch) -> None:
    server = raw(granting())
    who = credential(server.base_url)
    bearer(who)

    ends = who._ends_at + 60
    monkeypatch.setattr("credly_audit.credly.oauth_credential.monotonic", lambda: ends - 61)
    bearer(who)
    assert len(server.heard) == 1

    monkeypatch.setattr("credly_audit.credly.oauth_credential.monotonic", lambda: ends - 59)
    bearer(who)
    assert len(server.heard) == 2


REFUSALS = {
    "invalid-client": (answer(401, {"error": "invalid_client"}), "401 from HOST: client id and secret were refused"),
    "described": (
        answer(401, {"error": "invalid_client", "error_description": "Unknown client"}),
        "environment (production, sandbox), and [api] oauth_client_authentication (error code: invalid_client)",
    ),
    "invalid-scope": (
        answer(400, {"error": "invalid_scope"}),
        "is not permitted to use the scope authorization_tokens: grant it in Credly (Developers, OAuth Applications)",
    ),
    "unauthorized-client": (
        answer(400, {"error": "unauthorized_client"}),
        "is not permitted to use client credentials",
    ),
    "invalid-request": (answer(400, {"error": "invalid_request"}), "check [api] oauth_token_url"),
    "unsupported-grant": (answer(400, {"error": "unsupported_grant_type"}), "check [api] oauth_token_url"),
    "an-error-of-their-own": (answer(400, {"error": "teapot"}), "check [api] oauth_token_url"),
    "an-error-with-200": (
        answer(200, {"error": "invalid_client", "access_token": ACCESS}),
        "200 from HOST: client id and secret",
    ),
    "an-error-that-is-an-object": (answer(401, {"error": {"message": "Locked"}}), "check [api] oauth_token_url"),
    "credlys-envelope": (answer(401, {"data": {"message": "Unauthorized"}}), "refused"),
    "empty-401": (answer(401, b""), "401 from HOST: client id and secret were refused"),
    "html-403": (answer(403, b"<html>", kind="text/html"), "blocked before it reached Credly"),
    "not-found": (answer(404, {"error": "Not Found"}), "404 from HOST: no access token was granted: check [api] oauth"),
    "html-200": (answer(200, b"<html>hello", kind="text/html"), "200 from HOST: no access token was granted: check"),
    "empty-200": (answer(200, b""), "no access token was granted: check [api] oauth_token_url"),
    "a-list": (answer(200, [1]), "no access token was granted: check [api] oauth_token_url"),
    "no-access-token": (answer(200, {"token_type": "Bearer"}), "no access token was granted"),
    "deep": (answer(200, b"[" * 100_000), "no access token was granted"),
    "redirect": (
        answer(307, b"", "Location: https://elsewhere.example/oauth/token"),
        "the request was redirected, which was not followed: check [api] oauth_token_url",
    ),
    "error-500": (answer(500, b"oops"), "500 from HOST: no access token was granted: run again later"),
    "too-many": (answer(429, b"", "Retry-After: 60"), "429 from HOST: no access token was granted: run again later"),
    "cut": (answer(200, b"x").replace(b"Content-Length: 1", b"Content-Length: 99"), "was cut off"),
    "hung-up": (b"", "ended the connection without an answer"),
    "no-http": (b"SSH-2.0-x\r\n\r\n", "is not valid HTTP"),
    "a-line-break": (granting(access_token="a\r\nX-Evil: 1"), "cannot be sent in a header"),
    "a-space": (granting(access_token="a b"), "cannot be sent in a header"),
    "no-ascii": (granting(access_token="tökén"), "cannot be sent in a header"),
    "a-number": (granting(access_token=7), "cannot be sent in a header"),
    "empty-token": (granting(access_token=""), "cannot be sent in a header"),
    "no-bearer": (granting(token_type="mac"), "not a bearer token"),
    "another-scope": (granting(scope="badge_templates events"), "without its scope"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_each_way_to_get_no_access_token_is_one_sentence_that_says_what_to_do(
    raw: MakeRaw, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    content, said = REFUSALS[kind]
    server = raw(content)
    who = credential(server.base_url)

    with caplog.at_level(logging.DEBUG), pytest.raises(NoAnswer) as refused:
        bearer(who)

    sentence = str(refused.value)
    assert said.replace("HOST", server.base_url.split("/")[2]) in sentence
    assert sentence.isprintable()
    assert len(sentence) < 450
    assert len(server.heard) == 1
    assert refused.value.__cause__ is None
    for value in (SECRET, UID, ACCESS):
        assert value not in sentence + caplog.text + repr(who) + repr(vars(who))


def test_a_server_that_stalls_is_given_up_on(raw: Callable[..., Raw]) -> None:
    def until_the_client_goes(connection: socket) -> None:
        while connection.recv(1 << 16):
            pass

    server = raw(until_the_client_goes)

    with pytest.raises(NoAnswer, match="did not answer in time") as refused:
        bearer(credential(server.base_url, timeout=0.3))

    assert not refused.value.passing


def test_plain_http_to_another_machine_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="would send credentials unencrypted to www"):
        Api.model_validate({"oauth_token_url": "http://www.credly.example/oauth/token"})


@pytest.mark.parametrize(("status", "asked"), [(503, 3), (429, 3), (401, 1)])
def test_a_get_is_tried_again_where_the_grant_may_do_better_later(
    sandbox: Sandbox, acme: SandboxOrganization, client_of: MakeClient, status: int, asked: int
) -> None:
    sandbox.faults = [f"status={status}@oauth-token", "retry-after=0"]
    client = client_of(sandbox.base_url, max_retries=2)

    with pytest.raises(NoAnswer, match=f"OAuth: {status} from"):
        client.get(f"/organizations/{acme.id}/authorization_tokens", credential(sandbox.base_url, max_retries=2))

    assert sandbox.counts["oauth-token"] == asked


@pytest.mark.parametrize("status", [429, 503])
def test_a_grant_waits_as_long_as_the_endpoint_asks(
    sandbox: Sandbox, application: OAuthApplication, status: int
) -> None:
    sandbox.faults = [f"status={status}@oauth-tokenx1", "retry-after=1"]
    began = monotonic()
    assert application.uid

    assert bearer(credential(sandbox.base_url, max_retries=1))

    assert 1.0 <= monotonic() - began < 20


def test_what_is_granted_later_is_shared_by_all_that_waited(sandbox: Sandbox, application: OAuthApplication) -> None:
    sandbox.faults = ["status=503@oauth-tokenx1", "latency=0.2"]
    who = credential(sandbox.base_url, max_retries=1)
    assert application.uid

    with ThreadPoolExecutor(16) as threads:
        seen = list(threads.map(lambda _: bearer(who), range(16)))

    assert len(set(seen)) == 1
    assert sandbox.counts["oauth-token"] == 2


def test_an_endpoint_that_stalls_costs_sixteen_threads_what_it_costs_one(sandbox: Sandbox) -> None:
    sandbox.faults = ["stall@oauth-token"]
    who = credential(sandbox.base_url, timeout=0.3, max_retries=1)

    def refused(_: int) -> str:
        with pytest.raises(NoAnswer) as trouble:
            bearer(who)
        assert not trouble.value.passing
        return str(trouble.value)

    began = monotonic()
    with ThreadPoolExecutor(16) as threads:
        sentences = set(threads.map(refused, range(48)))

    assert monotonic() - began < 15  # 48 grants that each wait take longer
    assert len(sentences) == 1
    assert sandbox.counts["oauth-token"] == 2


def test_after_a_failure_that_passes_an_access_token_is_had_again(
    sandbox: Sandbox, application: OAuthApplication
) -> None:
    sandbox.faults = ["status=503@oauth-tokenx1"]
    who = credential(sandbox.base_url)
    assert application.uid
    with pytest.raises(NoAnswer, match="503"):
        bearer(who)

    sleep(0.3)

    assert bearer(who)


def test_a_client_that_was_refused_is_not_tried_again(sandbox: Sandbox) -> None:
    who = credential(sandbox.base_url)

    for _ in range(3):
        with pytest.raises(NoAnswer, match="client id and secret were refused"):
            bearer(who)

    assert sandbox.counts["oauth-token"] == 1


def test_neither_secret_nor_access_token_is_logged_or_shown(
    sandbox: Sandbox,
    acme: SandboxOrganization,
    application: OAuthApplication,
    client_of: MakeClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    who = credential(sandbox.base_url)
    assert application.uid

    with caplog.at_level(logging.DEBUG):
        client_of(sandbox.base_url).get(f"/organizations/{acme.id}/authorization_tokens", who)

    assert "OAuth: 127.0.0.1" in caplog.text
    for value in (SECRET, UID, bearer(who)):
        assert value not in caplog.text + repr(who) + repr(vars(who))
