"""A mail server and a web server on loopback that keep what they are sent."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

USER, PASSWORD = "auditor", "MADE-UP-mail-password"


@dataclass
class Mailbox:
    """A real SMTP server; `refuses` says whether it takes no mail today, `unknown` whom it does not know."""

    port: int = 0
    refuses: bool = False
    unknown: set[str] = field(default_factory=set)
    hangs_up_on: set[str] = field(default_factory=set)
    full: set[str] = field(default_factory=set)
    """Whose mail it refuses only when it has it."""
    takes_utf8: bool = True
    on_mail: Callable[[], None] | None = None
    """What happens when a mail has arrived, before the sender is told."""

    envelopes: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address in self.hangs_up_on:
            server.transport.close()
        if address in self.unknown:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuses:
            return "554 no mail today"
        if self.full.intersection(envelope.rcpt_tos):
            return "552 mailbox full"
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.envelopes.append((envelope.rcpt_tos, mail))
        if self.on_mail is not None:
            self.on_mail()
        return "250 OK"

    def login(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.logins.append(given.login.decode())
        return AuthResult(success=given.password == PASSWORD.encode(), handled=False)

    @property
    def url(self) -> str:
        """The server as apprise takes it, without a recipient."""
        return f"mailto://{USER}:{PASSWORD}@127.0.0.1:{self.port}?from=audit@example.org"

    @property
    def recipients(self) -> list[str]:
        return sorted(address for addresses, _ in self.envelopes for address in addresses)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    loop = asyncio.new_event_loop()
    asked = {"authenticator": box.login, "auth_require_tls": False, "loop": loop, "hostname": "mail.example.org"}
    listening = loop.create_server(lambda: SMTP(box, **asked, enable_SMTPUTF8=box.takes_utf8), "127.0.0.1", 0)
    server = loop.run_until_complete(listening)
    box.port = server.sockets[0].getsockname()[1]
    thread = Thread(target=loop.run_forever)
    thread.start()
    yield box
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@dataclass
class Receiver:
    """A real HTTP server that answers everything with `status`."""

    port: int = 0
    status: int = 200
    asked: list[tuple[str, str, bytes, dict[str, str]]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Keeping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept.asked.append((self.command, self.path, body, dict(self.headers)))
            self.send_response(kept.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keeping) as server:
        kept.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield kept
        server.shutdown()
        thread.join()
