"""A deadline and a count of bytes on the socket itself, below HTTP: what a server drips before or between its answers.

The limits of an HTTP library apply to what it has made of the bytes: each read may take the whole time again, and an
endless `100 Continue`, header or chunk extension never becomes an answer. Here every read and write is timed and
counted against what is left of one request. httpcore does all of a request's work in the thread that asks, so what is
left is kept by thread.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore

if TYPE_CHECKING:
    import httpx

PIECE = 4096
"""Bytes written at a time, so that the clock is looked at between them."""


class TooManyBytesError(Exception):
    """The server has sent more than the request allows."""


@dataclass
class _Left:
    """What is left of the request in flight: until when (monotonic seconds), how many bytes."""

    until: float
    bytes: int

    def seconds(self, wanted: float | None, error: type[Exception]) -> float:
        seconds = self.until - time.monotonic()
        if seconds <= 0:
            raise error("the time for the whole answer is over")
        return seconds if wanted is None else min(seconds, wanted)


class Guard:
    """Limits of the requests that a client makes; `within` sets those of one, for the calling thread."""

    def __init__(self) -> None:
        self._thread = threading.local()

    @contextmanager
    def within(self, until: float, most: int) -> Iterator[None]:
        """One request: to its last byte before `until`, at most `most` bytes from the server, headers included."""
        self._thread.left = _Left(until, most)
        try:
            yield
        finally:
            del self._thread.left

    def watch(self, client: httpx.Client) -> None:
        """Put the guard under every transport of the client, proxies' too.

        httpx offers no public way to the backend of its pools; a test pins that this one is used. Transports without a
        pool (those of tests) have no sockets.
        """
        for transport in (client._transport, *client._mounts.values()):
            pool = getattr(transport, "_pool", None)
            if pool is not None:
                pool._network_backend = _Backend(pool._network_backend, self)

    @property
    def left(self) -> _Left:
        """What is left of this thread's request."""
        left: _Left = self._thread.left
        return left


class _Backend(httpcore.NetworkBackend):
    """Connects within the time that is left."""

    def __init__(self, inner: httpcore.NetworkBackend, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        """A connection to the first address of the host that answers; all of them share the time."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        for number, address in enumerate(addresses, 1):
            seconds = self._guard.left.seconds(timeout, httpcore.ConnectTimeout)
            try:
                stream = self._inner.connect_tcp(address, port, seconds, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses):
                    raise
                continue
            return _Stream(stream, self._guard)
        raise httpcore.ConnectError(f"{host} has no address")


class _Stream(httpcore.NetworkStream):
    """Reads and writes within the time and the bytes that are left."""

    def __init__(self, inner: httpcore.NetworkStream, guard: Guard) -> None:
        self._inner = inner
        self._guard = guard

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._guard.left
        data = self._inner.read(max_bytes, left.seconds(timeout, httpcore.ReadTimeout))
        left.bytes -= len(data)
        if left.bytes < 0:
            raise TooManyBytesError
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            seconds = self._guard.left.seconds(timeout, httpcore.WriteTimeout)
            self._inner.write(buffer[start : start + PIECE], seconds)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = self._guard.left.seconds(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, seconds), self._guard)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
