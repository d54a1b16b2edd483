"""Connections that are cut off if they are slow, malformed or too many.

uvicorn has no limit for the time and the size of headers; this is its protocol with both.
"""

import asyncio
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from maskwright.serving.limits import ServerLimits
from maskwright.serving.metrics import AccessRecord

_MOST_HEAD_BYTES = 2**16  # of request line and headers


class LimitedConnection(HttpToolsProtocol):
    """A connection within limits; `on_record` gets the record if it comes to no request."""

    def __init__(
        self, limits: ServerLimits, on_record: Callable[[AccessRecord], None], **given: Any
    ) -> None:
        super().__init__(**given)
        self._limits, self._on_record = limits, on_record
        self._head_bytes = 0  # of headers that are not complete
        self._head_began = 0.0
        self._head_timer: asyncio.TimerHandle | None = None  # while headers are not complete
        self._unsent = 0  # bytes of responses, at the last look
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, or refuse one too many."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._refuse(503, "The server has as many connections as it takes; try again.")
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timers."""
        self._end_head()
        self._stop_stall_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse bytes, of which headers take a bounded number."""
        if self.transport.is_closing():
            return
        if self._head_timer is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > _MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(431, f"Expected headers of at most {_MOST_HEAD_BYTES:,} bytes.")

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser does not take."""
        self._refuse(400, "Expected a request of HTTP/1.1; this is none.")

    def on_message_begin(self) -> None:
        """Called by the parser at the first byte of a request."""
        super().on_message_begin()
        self._head_bytes = max(self._head_bytes, 1)
        self._expect_head()

    def on_headers_complete(self) -> None:
        """Called by the parser; an error here makes the request malformed."""
        super().on_headers_complete()
        self._end_head()

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._head_began = time.perf_counter()
            seconds = self._limits.header_seconds
            self._head_timer = self.loop.call_later(seconds, self._head_is_late)

    def _end_head(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._expect_head()  # the response to the request before comes first
        elif self._head_bytes:
            self._refuse(408, "The headers of the request did not come in time.")
        else:
            self.transport.close()  # a client that sent nothing gets no answer

    def pause_writing(self) -> None:
        """Watch a client that does not take its response."""
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """Stop watching."""
        super().resume_writing()
        self._stop_stall_timer()

    def _watch_stall(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        seconds = self._limits.pause_seconds
        self._stall_timer = self.loop.call_later(seconds, self._check_stall)

    def _check_stall(self) -> None:
        if self.transport.get_write_buffer_size() == self._unsent:
            self.transport.abort()
        else:
            self._watch_stall()

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _refuse(self, status: int, message: str) -> None:
        """Answer what is no request, and close."""
        headers = {"connection": "close"} | ({"retry-after": "1"} if status == 503 else {})
        response = JSONResponse({"detail": message}, status, headers)
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()
        seconds = time.perf_counter() - self._head_began if self._head_began else 0.0
        peer = self.client[0] if self.client else "-"
        size = len(response.body)
        self._on_record(AccessRecord(peer, "-", "-", "", status, size, seconds, message))
