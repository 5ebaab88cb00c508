"""What the client asks, how often, how fast, and what it makes of the answer."""

import contextlib
import gzip
import json
import logging
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from socket import socket
from threading import Event, Thread

import pytest

from credly_audit import __version__
from credly_audit.config.settings import Api
from credly_audit.credly.auth import TokenCredential
from credly_audit.credly.client import Client, Effort, Line
from credly_audit.credly.pace import Stopped, Throttled
from credly_audit.credly.refusals import explain_refusal
from credly_audit.credly.transport_errors import NoAnswer
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization
from credly_audit.secrets import Secret
from tests.credly.conftest import MakeClient, Raw

VALUE = "MADE-UP-Zz9Yx8Ww7Vv6Uu5Tt4Ss3Rr2Qq1-_"

Server = Callable[[Callable[[socket], None] | bytes], Raw]


@pytest.fixture
def path(acme: SandboxOrganization) -> str:
    return f"/organizations/{acme.id}/authorization_tokens"


def answer(status: str, body: bytes = b"{}", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_it_says_who_asks_and_what_it_accepts(
    sandbox: Sandbox, client_of: MakeClient, credential: TokenCredential, path: str
) -> None:
    assert client_of(sandbox.base_url).get(path, credential).status == 200

    (asked,) = sandbox.requests
    assert asked.scheme == "Basic"
    assert asked.user_agent == f"credly-audit/{__version__}"
    assert asked.accept == "application/json"


def test_no_cache_on_the_way_may_answer_with_an_old_page(
    raw: Server, client_of: MakeClient, credential: TokenCredential
) -> None:
    server = raw(answer("200 OK"))

    client_of(server.base_url).get("/a", credential)

    assert b"\r\nCache-Control: no-cache\r\n" in server.heard[0]


def test_it_keeps_its_connection(
    sandbox: Sandbox, client_of: MakeClient, credential: TokenCredential, path: str
) -> None:
    client = client_of(sandbox.base_url)

    for _ in range(5):
        client.get(path, credential)

    assert len({asked.connection for asked in sandbox.requests}) == 1


@pytest.mark.parametrize(
    "fault", ["status=408", "status=500", "status=502", "status=503", "status=504", "reset", "cut"]
)
def test_a_get_is_tried_again(
    sandbox: Sandbox, client_of: MakeClient, credential: TokenCredential, path: str, fault: str
) -> None:
    sandbox.faults = [f"{fault}x1"]
    effort = Effort()

    assert client_of(sandbox.base_url, max_retries=2).get(path, credential, effort).status == 200

    assert (effort.requests, effort.retries) == (2, 1)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
def test_a_get_that_was_refused_is_not_tried_again(
    sandbox: Sandbox, client_of: MakeClient, credential: TokenCredential, path: str, status: int
) -> None:
    sandbox.faults = [f"status={status}"]

    assert client_of(sandbox.base_url, max_retries=5).get(path, credential).status == status

    assert len(sandbox.requests) == 1


FAULTS_OF_A_POST = ["status=429", "status=500", "status=503", "reset", "lost-before", "lost-after", "cut", "stall"]


@pytest.mark.parametrize("fault", FAULTS_OF_A_POST)
def test_a_post_is_never_repeated(
    sandbox: Sandbox, client_of: MakeClient, credential: TokenCredential, path: str, fault: str
) -> None:
    sandbox.faults = [fault]

    with contextlib.suppress(NoAnswer):
        client_of(sandbox.base_url, max_retries=5).post(path, credential, {"description": "a made-up token"})

    assert [asked.method for asked in sandbox.requests] == ["POST"]


def test_a_post_follows_no_redirect(
    sandbox: Sandbox, client_of: MakeClient, credential: TokenCredential, path: str
) -> None:
    sandbox.faults = ["redirect=/v1/organizations"]

    assert client_of(sandbox.base_url).post(path, credential, {}).status == 307

    assert len(sandbox.requests) == 1


def test_the_budget_of_retries_is_one_for_the_run(raw: Server, credential: TokenCredential) -> None:
    server = raw(answer("500 Oops"))
    line = Line(Api(base_url=server.base_url, max_retries=100, timeout=1), Event())
    line.budget._retries = 198
    line.pace.sleep = lambda _: None  # type: ignore[method-assign]  # the waits are tested elsewhere

    with Client(line) as client:
        effort = Effort()
        client.get("/a", credential, effort)
        client.get("/b", credential, effort)

    assert (effort.requests, effort.retries) == (4, 2)


def test_retry_after_is_obeyed(sandbox: Sandbox, client_of: MakeClient, credential: TokenCredential, path: str) -> None:
    sandbox.faults = ["status=503x1", "retry-after=1"]
    began = time.monotonic()

    client_of(sandbox.base_url, max_retries=1).get(path, credential)

    assert 1.0 <= time.monotonic() - began < 20


OF_NO_USE = ["0", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "", "1.5e3"]


@pytest.mark.parametrize("header", OF_NO_USE)
def test_a_retry_after_that_says_now_or_nothing_leaves_the_back_off(
    raw: Server, client_of: MakeClient, credential: TokenCredential, monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    monkeypatch.setattr("random.uniform", lambda _, most: most / 5)
    server = raw(answer("503 Unavailable", b"{}", f"Retry-After: {header}"))
    began = time.monotonic()

    client_of(server.base_url, max_retries=3).get("/a", credential)

    assert len(server.heard) == 4
    assert time.monotonic() - began >= 0.1 + 0.2 + 0.4


def test_a_wait_of_an_hour_is_cut_to_a_minute_and_ends_when_somebody_stops(
    sandbox: Sandbox, client_of: MakeClient, credential: TokenCredential, path: str
) -> None:
    sandbox.faults = ["status=503", "retry-after=3600"]
    stop = Event()
    Thread(target=lambda: (time.sleep(0.2), stop.set())).start()

    with pytest.raises(Stopped):
        client_of(sandbox.base_url, stop, max_retries=5).get(path, credential)

    assert len(sandbox.requests) == 1


def test_nothing_but_429_ends_it(
    sandbox: Sandbox, client_of: MakeClient, credential: TokenCredential, path: str
) -> None:
    sandbox.faults = ["status=429", "retry-after=60"]
    began = time.monotonic()

    with pytest.raises(Throttled, match=r"429 .* for 0\.5 seconds"):
        client_of(sandbox.base_url, max_throttled_seconds=0.5).get(path, credential)

    assert time.monotonic() - began < 20


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_origin_is_followed(
    raw: Server, client_of: MakeClient, credential: TokenCredential, status: int
) -> None:
    places = iter([answer(f"{status} Moved", b"", "Location: /v1/b?page=2"), answer("200 OK", b"[1]")])
    server = raw(lambda connection: connection.sendall(next(places)))

    assert client_of(server.base_url).get("/a", credential).body == b"[1]"

    assert [heard.split(b" ")[:2] for heard in server.heard] == [[b"GET", b"/v1/a"], [b"GET", b"/v1/b?page=2"]]
    assert all(b"Authorization: Basic" in heard for heard in server.heard)


def test_redirects_in_circles_end(raw: Server, client_of: MakeClient, credential: TokenCredential) -> None:
    server = raw(answer("302 Found", b"", "Location: /v1/a"))

    with pytest.raises(NoAnswer, match="in a loop"):
        client_of(server.base_url).get("/a", credential)

    assert len(server.heard) == 6


ELSEWHERE = ["https://evil.example/", "//evil.example/", "http://127.0.0.1:1/v1/a", "http://localhost/v1/a", "ftp://x/"]


@pytest.mark.parametrize("location", ELSEWHERE)
def test_a_credential_goes_to_the_configured_origin_alone(
    raw: Server, client_of: MakeClient, credential: TokenCredential, location: str
) -> None:
    server = raw(answer("307 Temporary Redirect", b"", f"Location: {location}"))

    with pytest.raises(NoAnswer, match="not followed"):
        client_of(server.base_url, max_retries=3).get("/a", credential)

    assert len(server.heard) == 1


def drip(connection: socket, *parts: bytes, seconds: float = 0.05) -> None:
    for part in parts:
        connection.sendall(part)
        time.sleep(seconds)


@pytest.mark.parametrize("place", ["status", "headers", "body", "chunks"])
def test_a_server_that_drips_ends(raw: Server, client_of: MakeClient, credential: TokenCredential, place: str) -> None:
    head = {
        "status": b"",
        "headers": b"HTTP/1.1 200 OK\r\nX-Long: ",
        "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
    }[place]
    server = raw(lambda connection: drip(connection, head, *[b"x"] * 100))
    began = time.monotonic()

    with pytest.raises(NoAnswer, match="did not answer in time"):
        client_of(server.base_url, timeout=0.3).get("/a", credential)

    assert time.monotonic() - began < 4  # 100 parts take five seconds


GARBAGE = {
    b"": "ended the connection",
    b"\x00\x01\x02 nonsense\r\n\r\n": "not valid HTTP|ended the connection",
    b"HTTP/1.1 999999 x\r\n\r\n": "not valid HTTP|ended the connection",
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort": "was cut off",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nshort": "was cut off",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": "was cut off|not HTTP",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!": "could not be decompressed",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n": "not valid HTTP|ended the connection",
}


@pytest.mark.parametrize("said", GARBAGE)
def test_no_error_of_the_transport_is_left_unnamed(
    raw: Server, client_of: MakeClient, credential: TokenCredential, said: bytes
) -> None:
    server = raw(said)

    with pytest.raises(NoAnswer, match=GARBAGE[said]) as raised:
        client_of(server.base_url).get("/a", credential)

    assert raised.value.__context__ is None
    assert raised.value.__cause__ is None


def test_an_answer_without_end_is_cut(raw: Server, client_of: MakeClient, credential: TokenCredential) -> None:
    bomb = gzip.compress(bytes(1 << 26))
    server = raw(answer("200 OK", bomb, "Content-Encoding: gzip"))

    with pytest.raises(NoAnswer, match="larger than 32 MB"):
        client_of(server.base_url, timeout=10).get("/a", credential)


def test_what_was_packed_is_unpacked(raw: Server, client_of: MakeClient, credential: TokenCredential) -> None:
    server = raw(answer("200 OK", gzip.compress(b"[1]"), "Content-Encoding: gzip"))

    assert client_of(server.base_url).get("/a", credential).body == b"[1]"


BASIC = b64encode(f"{VALUE}:".encode()).decode()
ECHOES = {
    "itself": VALUE,
    "in capitals": VALUE.upper(),
    "reversed": VALUE[::-1],
    "the header": f"Basic {BASIC}",
    "the header in other case": BASIC.swapcase(),
    "hex": VALUE.encode().hex(),
    "HEX, parted": VALUE.encode().hex(":").upper(),
    "base64": b64encode(VALUE.encode()).decode(),
    "base64 of more": b64encode(f"x{VALUE}".encode()).decode(),
    "url": "".join(f"%{byte:02x}" for byte in VALUE.encode()),
    "json in json": "".join(f"\\u{ord(letter):04x}" for letter in VALUE),
    "html": "".join(f"&#{ord(letter)};" for letter in VALUE),
    "parted": "\u200b".join(VALUE),
}


@pytest.mark.parametrize("echo", ECHOES)
def test_words_that_repeat_the_credential_in_any_form_are_not_quoted(
    raw: Server, client_of: MakeClient, echo: str
) -> None:
    server = raw(answer("403 Forbidden", json.dumps({"data": {"message": f"No entry for {ECHOES[echo]}!"}}).encode()))

    found = client_of(server.base_url).get("/a", TokenCredential(Secret(VALUE), None))

    assert str(explain_refusal(found, "Acme", str)) == (
        "403: the credential of Acme lacks the permission to list its tokens: use one with write permission"
    )


def test_other_words_are_quoted(raw: Server, client_of: MakeClient) -> None:
    server = raw(answer("403 Forbidden", b'{"data": {"message": "MADE-UP tokens are not welcome"}}'))

    found = client_of(server.base_url).get("/a", TokenCredential(Secret(VALUE), None))

    assert "(Credly says: MADE-UP tokens are not welcome)" in str(explain_refusal(found, "Acme", str))


@pytest.mark.parametrize("location", [f"https://{VALUE}.elsewhere.example/", f"/v1/b?seen={VALUE}"])
def test_a_redirect_that_repeats_the_credential_is_neither_followed_nor_told(
    raw: Server, client_of: MakeClient, location: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = raw(answer("307 Temporary Redirect", b"", f"Location: {location}"))

    found = client_of(server.base_url).get("/a", TokenCredential(Secret(VALUE), None))

    assert "redirected the request for Acme" in str(explain_refusal(found, "Acme", str))
    assert len(server.heard) == 1
    assert VALUE.lower() not in caplog.text.lower()


def test_cookies_do_not_travel_from_one_organization_to_the_next(
    raw: Server, client_of: MakeClient, credential: TokenCredential
) -> None:
    server = raw(answer("200 OK", b"{}", "Set-Cookie: session=of-acme; Path=/"))
    client = client_of(server.base_url)

    client.get("/a", credential)
    client.get("/b", credential)

    assert b"cookie" not in server.heard[1].lower()


def test_netrc_is_never_read(
    raw: Server,
    client_of: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password MADE-UP-PASSWORD\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server = raw(answer("200 OK"))

    class Silent:
        """Adds nothing, so that whatever is there came from elsewhere."""

        kind = "token"
        fingerprint = None
        traces = ()

        def authenticate(self, headers: object) -> None:
            pass

        def renew(self) -> bool:
            return False

    client_of(server.base_url).get("/a", Silent())

    assert b"uthorization" not in server.heard[0]


def test_the_log_tells_method_path_status_and_time_and_no_more(
    sandbox: Sandbox,
    client_of: MakeClient,
    acme: SandboxOrganization,
    path: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    credential = TokenCredential(Secret(acme.auditor.token), None)

    client_of(sandbox.base_url).get(f"{path}?page=1", credential)

    ours = [record.getMessage() for record in caplog.records if record.name == "credly_audit.credly.client"]
    assert len(ours) == 1
    assert ours[0].startswith(f"GET {path}?page=1 200 ")
    assert ours[0].endswith(" ms")
    assert acme.auditor.token not in caplog.text
    assert "Basic" not in caplog.text


ORGANIZATION = "88cf96b7-e4ca-4a17-b938-a72bf2b9c273"
ANOTHER = "99cf96b7-e4ca-4a17-b938-a72bf2b9c273"
TOKENS = f"/organizations/{ORGANIZATION}/authorization_tokens"


@pytest.mark.parametrize(
    "location",
    [
        f"/v1/organizations/{ANOTHER}/authorization_tokens?page=1",
        f"../{ANOTHER}/authorization_tokens",
        f"/v1/organizations/{ORGANIZATION}/%2e%2e/{ANOTHER}/authorization_tokens",
        f"/v1/organizations/{ORGANIZATION}%2f..%2f{ANOTHER}/authorization_tokens",
        f"/v1/organizations/{ANOTHER}/organizations/{ORGANIZATION}/authorization_tokens",
        f"/v1/organizations/{ORGANIZATION};{ANOTHER}/authorization_tokens",
        f"/v1/organizations/{ORGANIZATION}/oauth_applications",
        "/v1/authorization_tokens",
        "/login",
        "/",
    ],
)
def test_a_redirect_to_another_organization_or_list_is_not_followed(
    raw: Server, client_of: MakeClient, credential: TokenCredential, location: str
) -> None:
    server = raw(answer("307 Temporary Redirect", b"", f"Location: {location}"))

    with pytest.raises(NoAnswer, match="another organization or list: not followed"):
        client_of(server.base_url, max_retries=3).get(f"{TOKENS}?page=1", credential)

    assert len(server.heard) == 1


@pytest.mark.parametrize(
    "location",
    [
        f"/api/v1{TOKENS}?page=1",
        f"/v1{TOKENS}/?page=1",
        f"/v1/organizations/{ORGANIZATION.upper()}/authorization_tokens?page=1",
        "?page=1",
    ],
)
def test_a_redirect_to_the_same_organization_and_list_is_followed(
    raw: Server, client_of: MakeClient, credential: TokenCredential, location: str
) -> None:
    places = iter([answer("307 Temporary Redirect", b"", f"Location: {location}"), answer("200 OK", b"[1]")])
    server = raw(lambda connection: connection.sendall(next(places)))

    assert client_of(server.base_url).get(f"{TOKENS}?page=1", credential).body == b"[1]"
