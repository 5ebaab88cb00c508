"""A client, and servers that say exactly what a test wants them to say."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from socket import socket
from threading import Event, Thread
from typing import Any

import pytest

from credly_audit.config.settings import Api
from credly_audit.credly.auth import TokenCredential
from credly_audit.credly.client import Client, Line
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization, World, made_up_organization
from credly_audit.secrets import Secret

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def acme() -> SandboxOrganization:
    return made_up_organization("acme", now=NOW, name="Acme")


@pytest.fixture
def sandbox(acme: SandboxOrganization) -> Iterator[Sandbox]:
    with Sandbox(World([acme]), now=NOW) as running:
        yield running


@pytest.fixture
def credential(acme: SandboxOrganization) -> TokenCredential:
    return TokenCredential(Secret(acme.auditor.token), "f" * 16)


MakeClient = Callable[..., Client]


@pytest.fixture
def client_of() -> Iterator[MakeClient]:
    """A client of a base URL; settings as of `[api]`."""
    made: list[Client] = []

    def make(base_url: str, stop: Event | None = None, **api: Any) -> Client:
        settings = {"timeout": 0.4, "max_retries": 0, "max_throttled_seconds": 5.0} | api
        made.append(Client(Line(Api(base_url=base_url, **settings), stop or Event())))
        return made[-1]

    yield make
    for client in made:
        client.__exit__(None, None, None)


class Raw:
    """A server of one connection at a time that answers with the bytes it is given, and keeps what it was sent."""

    def __init__(self, talk: Callable[[socket], None]) -> None:
        self.heard: list[bytes] = []
        self._talk = talk
        self._over = Event()
        self._listening = socket()
        self._listening.bind(("127.0.0.1", 0))
        self._listening.listen()
        self._listening.settimeout(0.05)
        self.base_url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/v1"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listening.accept()
            except TimeoutError:
                continue
            with closing(connection):
                try:
                    self.heard.append(_request(connection))
                    self._talk(connection)
                except OSError:
                    continue

    def close(self) -> None:
        self._over.set()
        self._thread.join(3)
        self._listening.close()


def _request(connection: socket) -> bytes:
    """The whole of a request, in however many packets: who hangs up on what it has not read sends a reset."""
    heard = b""
    while part := connection.recv(65_536):
        heard += part
        head, found, body = heard.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if found and len(body) >= (int(length[1]) if length else 0):
            break
    return heard


@pytest.fixture
def raw() -> Iterator[Callable[[Callable[[socket], None] | bytes], Raw]]:
    """A server that sends these bytes, or does this with the connection, and hangs up."""
    made: list[Raw] = []

    def make(talk: Callable[[socket], None] | bytes) -> Raw:
        made.append(Raw(talk if callable(talk) else lambda connection: connection.sendall(talk)))
        return made[-1]

    yield make
    for server in made:
        server.close()
