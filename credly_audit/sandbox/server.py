"""Serves the sandbox on a loopback socket, and plays the faults that only a socket can have.

with Sandbox(World([made_up_organization(1, now=now)]), now=now) as sandbox:
    requests.get(f"{sandbox.base_url}/organizations", auth=(value, ""))
"""

import os
import socket
import ssl
import struct
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic, sleep, time
from types import TracebackType
from typing import Any, Self

from credly_audit.errors import UsageError
from credly_audit.sandbox.api import ApiRequest, SandboxApi
from credly_audit.sandbox.faults import FaultPlan, Faults
from credly_audit.sandbox.shapes import Reply, refusal
from credly_audit.sandbox.world import World

LOOPBACK = "127.0.0.1"

WEB_PAGE = b"<!DOCTYPE html><html><head><title>Attention Required!</title></head><body>Blocked.</body></html>"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the sandbox remembers it; never its credential."""

    method: str
    path: str
    query: dict[str, str]
    action: str
    organization_id: str
    status: int | None
    """None: it was never answered."""
    at: float
    """When it came, in seconds of `time.monotonic`."""
    scheme: str
    """`Basic`, `Bearer` or nothing."""
    user_agent: str
    accept: str
    connection: int
    """The client's port: requests of one connection share it."""


class Sandbox:
    """Credly on 127.0.0.1 while the block lasts.

    `data` is a world or a folder of sample data; `now` the instant at which its clock stands, or a function that tells
    the time (None: the real clock); `faults` are texts as `faults` describes them. UsageError for an unknown fault, a
    folder that is none, or a port that is taken.
    """

    def __init__(
        self,
        data: Path | World,
        *,
        port: int = 0,
        now: datetime | Callable[[], datetime] | None = None,
        faults: Sequence[str] = (),
        latency: float = 0.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.world = data if isinstance(data, World) else World.load(data)
        self.requests: list[Asked] = []
        self.latency = latency
        self.ssl_context = ssl_context
        self.defects: list[BaseException] = []
        self.closing = Event()
        self.lock = Lock()
        self.faults = faults
        self._port = port
        self._clock = _clock(now)
        for organization in self.world.organizations:
            FaultPlan(organization.faults)

    @property
    def faults(self) -> Sequence[str]:
        """The faults in force for every organization; to set them is to count them anew."""
        return self._faults

    @faults.setter
    def faults(self, texts: Sequence[str]) -> None:
        self.plan = FaultPlan(texts)
        self._faults = tuple(texts)
        self.bucket = Bucket()

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http{'s' if self.ssl_context else ''}://{LOOPBACK}:{self._server.server_address[1]}"

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT/v1`."""
        return f"{self.origin}/v1"

    @property
    def counts(self) -> Counter[str]:
        """How many requests there were of each action."""
        return Counter(asked.action for asked in list(self.requests))

    def __enter__(self) -> Self:
        try:
            self._server = _Server((LOOPBACK, self._port), self)
        except OSError as error:
            raise UsageError(f"port {self._port}: cannot be opened ({error.strerror}); name another") from None
        self.api = SandboxApi(self.world, self._clock, self.origin)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()
        if self.defects and error is None:
            raise self.defects[0]


def _clock(now: datetime | Callable[[], datetime] | None) -> Callable[[], datetime]:
    if now is None:
        return lambda: datetime.now(UTC)
    if isinstance(now, datetime):
        return lambda: now
    return now


class Bucket:
    """Lets so many requests a second through, a tenth of a second's worth at once."""

    def __init__(self) -> None:
        self._left: float | None = None
        self._at = 0.0

    def lets(self, rate: float) -> bool:
        """Whether there is room for one more now; not safe to ask from two threads at once."""
        room, now = max(1.0, rate / 10), monotonic()
        left = room if self._left is None else min(room, self._left + (now - self._at) * rate)
        self._at = now
        self._left = left - 1 if left >= 1 else left
        return left >= 1


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._open: set[socket.socket] = set()
        self._workers: set[Thread] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server for the host's name, as HTTPServer would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        worker = Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._workers = {one for one in self._workers if one.is_alive()} | {worker}
        worker.start()

    def finish_request(self, request: Any, client_address: Any) -> None:
        context = self.sandbox.ssl_context
        if context:
            request = context.wrap_socket(request, server_side=True)
        self._open.add(request)
        try:
            if not self.sandbox.closing.is_set():
                super().finish_request(request, client_address)
        finally:
            self._open.discard(request)
            if context:
                request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - http.server's signature
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.sandbox.defects.append(error)

    def hang_up(self) -> None:
        """End the connections that clients keep open, and wait until their threads have seen it."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for worker in list(self._workers):
            worker.join(2)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        came = monotonic()
        sandbox = self.server.sandbox
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = ApiRequest.read(self.command, self.path, self.headers.get("Authorization", ""), body)
        organization = sandbox.world.organization(request.organization_id)
        its_own = organization.faults if organization else ()
        faults = sandbox.plan.met_by(request.scopes, request.organization_id, its_own)
        sleep(sandbox.latency + float(faults.get("latency", 0)))
        answer = self._answer(request, faults)
        self._remember(request, answer, came)
        if answer is None:
            self._vanish(faults)
        else:
            self._send(answer, faults)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

    def _answer(self, request: ApiRequest, faults: Faults) -> Reply | None:
        """What to answer; None where the fault is that nothing is."""
        sandbox = self.server.sandbox
        if not faults.keys().isdisjoint(("stall", "reset", "lost-before")):
            return None
        instead = _instead(faults)
        if instead:
            return instead
        with sandbox.lock:
            if "rate" in faults and not sandbox.bucket.lets(float(faults["rate"])):
                return _find_status(429, faults)
            answer = sandbox.api.answer(request, faults)
        if "lost-after" in faults or "stall-after" in faults:
            return None
        return _find_status(int(faults["status-after"]), faults) if "status-after" in faults else answer

    def _remember(self, request: ApiRequest, answer: Reply | None, came: float) -> None:
        scheme = request.authorization.partition(" ")[0]
        self.server.sandbox.requests.append(
            Asked(
                request.method,
                request.path,
                dict(request.query),
                request.action,
                request.organization_id,
                answer.status if answer else None,
                came,
                scheme if scheme in {"Basic", "Bearer"} else "",
                self.headers.get("User-Agent", ""),
                self.headers.get("Accept", ""),
                self.client_address[1],
            )
        )

    def _vanish(self, faults: Faults) -> None:
        if "stall" in faults or "stall-after" in faults:
            self.server.sandbox.closing.wait()
        if "reset" in faults:
            # With lingering for no time, closing sends a reset instead of an end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())
        self.close_connection = True

    def _send(self, answer: Reply, faults: Faults) -> None:
        body = answer.body()
        if "bad-utf8" in faults:
            body = body.replace(b'"description":"', b'"description":"\xff\xfe', 1)
        headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers, "Content-Length": len(body)}
        lines = [f"HTTP/1.1 {answer.status} {_find_phrase(answer.status)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if "cut" in faults:
            self.wfile.write(head + body[: len(body) // 2])
            self.close_connection = True
        elif "drip" in faults:
            self.wfile.write(head)
            self._drip(body, float(faults["drip"]))
        else:
            self.wfile.write(head + body)

    def _drip(self, body: bytes, seconds: float) -> None:
        for place in range(len(body)):
            if self.server.sandbox.closing.wait(seconds):
                break
            self.wfile.write(body[place : place + 1])

    def log_message(self, *_: object) -> None:
        """Say nothing: the sandbox remembers its requests instead."""


def _instead(faults: Faults) -> Reply | None:
    """The answer that a fault puts in the place of anything done."""
    if "redirect" in faults:
        # 307 tempts a client to send method, body and credential on.
        return Reply(307, b"", {"Location": faults["redirect"]})
    if "empty-401" in faults:
        return Reply(401, b"")
    if "html" in faults:
        return Reply(200, WEB_PAGE, {"Content-Type": "text/html"})
    if "forbidden-html" in faults:
        return Reply(403, WEB_PAGE, {"Content-Type": "text/html"})
    return _find_status(int(faults["status"]), faults) if "status" in faults else None


def _find_status(status: int, faults: Faults) -> Reply:
    answer = refusal(status, _find_phrase(status))
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        if "retry-after" in faults:
            return refusal(status, _find_phrase(status), Retry_After=faults["retry-after"])
        if "retry-after-date" in faults:
            ahead = formatdate(time() + int(faults["retry-after-date"]), usegmt=True)
            return refusal(status, _find_phrase(status), Retry_After=ahead)
    return answer


def _find_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
