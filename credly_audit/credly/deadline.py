"""Connections whose answers have to be whole by an instant, so that a server that drips or stalls cannot hold a worker.

A socket's own timeout starts anew with every byte; here each read gets what is left until the deadline of its thread.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from socket import socket
from time import monotonic
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

BUFFER = 1 << 16

_thread = threading.local()


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Everything that this thread reads in the block has to be there within so many seconds."""
    _thread.deadline = monotonic() + seconds
    try:
        yield
    finally:
        del _thread.deadline


class _ClockedReads(RawIOBase):
    """A socket's bytes; TimeoutError once the thread's deadline is past."""

    def __init__(self, connection: socket) -> None:
        self._socket = connection
        self._raw = connection.makefile("rb", buffering=0)
        self._patience = connection.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = getattr(_thread, "deadline", float("inf")) - monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not complete in time")
        self._socket.settimeout(left if self._patience is None else min(left, self._patience))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _ClockedResponse(HTTPResponse):
    """An answer, its status line and headers included, that is read against the clock."""

    def __init__(self, sock: socket, *options: Any, **more: Any) -> None:
        super().__init__(sock, *options, **more)
        self.fp.close()
        self.fp = BufferedReader(_ClockedReads(sock), BUFFER)


class _Connection(HTTPConnection):
    response_class = _ClockedResponse


class _SecureConnection(HTTPSConnection):
    response_class = _ClockedResponse


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}


class ClockedAdapter(HTTPAdapter):
    """requests over such connections; urllib3 retries nothing, since only the client knows what may be retried."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *options: Any, **more: Any) -> None:
        """As requests does, with our pools."""
        super().init_poolmanager(*options, **more)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def proxy_manager_for(self, *options: Any, **more: Any) -> Any:
        """As requests does, with our pools."""
        manager = super().proxy_manager_for(*options, **more)
        if not type(manager).__name__.startswith("SOCKS"):
            manager.pool_classes_by_scheme = POOLS
        return manager
