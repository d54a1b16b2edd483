"""Connections that are cut off if they are slow, malformed or too many.

uvicorn has no limit for the time and the size of headers. Its `Config(http=…)` takes a protocol of
asyncio; the one here watches the bytes and hands them on to uvicorn's own.
"""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httptools
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http import auto

from maskwright.serving.limits import ServerLimits
from maskwright.serving.metrics import AccessRecord
from maskwright.serving.problems import problem

_MOST_HEAD_BYTES = 2**16  # of request line and headers
_STATE = "connection"  # key in the ASGI scope's `state`


class ConnectionLimiter:
    """What connections share; `on_record` gets the record of one that came to no request."""

    def __init__(self, limits: ServerLimits, on_record: Callable[[AccessRecord], None]) -> None:
        self.limits = limits
        self.on_record = on_record
        self.open = 0

    def __call__(self, **given: Any) -> asyncio.Protocol:
        """Connection with uvicorn's arguments."""
        return _Connection(self, **given)


def counting_responses(app: ASGIApp) -> ASGIApp:
    """The application, whose connections are told when a response is complete."""

    async def counted(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        finally:
            connection = scope.get("state", {}).get(_STATE)
            if connection is not None:
                connection.pending -= 1

    return counted


class _Connection(asyncio.Protocol):
    """Watches requests with a parser of its own, and lets uvicorn's protocol answer them."""

    def __init__(self, limiter: ConnectionLimiter, app_state: dict[str, Any], **given: Any) -> None:
        self.pending = 0  # requests without a complete response
        self._limiter = limiter
        protocol: Any = auto.AutoHTTPProtocol
        self._http = protocol(app_state={**app_state, _STATE: self}, **given)
        self._parser = httptools.HttpRequestParser(self)
        # As uvicorn: a client may send on after `Connection: close`.
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._loop = asyncio.get_running_loop()
        self._url = b""
        self._in_head = True
        self._head_bytes = 0  # of headers that are not complete
        self._head_began = 0.0
        self._head_timer: asyncio.TimerHandle | None = None
        self._accepted = False
        self._unsent = 0  # bytes of responses, at the last look
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept a connection, or refuse one too many."""
        self._transport: Any = transport
        self._accepted = self._limiter.open < self._limiter.limits.connections
        self._limiter.open += 1
        if not self._accepted:
            self._refuse(503, "The server has as many connections as it takes; try again.")
            return
        self._http.connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._limiter.open -= 1
        self._end_head()
        self._stop_stall_timer()
        if self._accepted:
            self._http.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """Pass on the end of what the client sends."""
        return self._http.eof_received()

    def data_received(self, data: bytes) -> None:
        """Check bytes, and pass them on."""
        if self._transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            self._refuse(400, "Expected a request of HTTP/1.1; this is none.")
            return
        if self._in_head and self._head_bytes > _MOST_HEAD_BYTES:
            self._refuse(431, f"Expected headers of at most {_MOST_HEAD_BYTES:,} bytes.")
            return
        self._http.data_received(data)

    def on_message_begin(self) -> None:
        """Called by the parser at the first byte of a request."""
        self._url = b""
        self._head_bytes = max(self._head_bytes, 1)
        self._expect_head()

    def on_url(self, url: bytes) -> None:
        """Called by the parser with parts of the URL."""
        self._url += url

    def on_headers_complete(self) -> None:
        """Called by the parser; an error here makes the request malformed."""
        httptools.parse_url(self._url).path.decode("ascii")
        self._end_head()
        self.pending += 1

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._in_head = True
            self._head_began = time.perf_counter()
            seconds = self._limiter.limits.header_seconds
            self._head_timer = self._loop.call_later(seconds, self._head_is_late)

    def _end_head(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._transport.is_closing():
            return
        if self.pending:
            self._expect_head()  # the response to the request before comes first
        elif self._head_bytes:
            self._refuse(408, "The headers of the request did not come in time.")
        else:
            self._transport.close()  # a client that sent nothing gets no answer

    def pause_writing(self) -> None:
        """Watch a client that does not take its response."""
        self._http.pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """Stop watching."""
        self._http.resume_writing()
        self._stop_stall_timer()

    def _watch_stall(self) -> None:
        self._unsent = self._transport.get_write_buffer_size()
        seconds = self._limiter.limits.pause_seconds
        self._stall_timer = self._loop.call_later(seconds, self._check_stall)

    def _check_stall(self) -> None:
        if self._transport.get_write_buffer_size() == self._unsent:
            self._transport.abort()
        else:
            self._watch_stall()

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _refuse(self, status: int, message: str) -> None:
        """Answer what is no request, and close."""
        headers = {"connection": "close"} | ({"retry-after": "1"} if status == 503 else {})
        response = JSONResponse(problem("", message, status), status, headers)
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self._transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self._transport.close()
        seconds = time.perf_counter() - self._head_began if self._head_began else 0.0
        peer = (self._transport.get_extra_info("peername") or "-")[0]
        size = len(response.body)
        record = AccessRecord(peer, "-", "-", "", status, size, seconds, message)
        self._limiter.on_record(record)
