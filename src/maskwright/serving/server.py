"""The application on a socket: silent connections are ended, what was accepted is finished."""

import asyncio
import contextlib
import ipaddress
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.responses import JSONResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from maskwright.errors import ConfigError
from maskwright.serving.limits import Limits
from maskwright.serving.security import AccessRecord, write_line

_MOST_HEAD_BYTES = 2**16  # of request line and headers; the parser itself knows no end
_BACKLOG = 2048
_AFTER_S = 5  # that answers may take longer to be sent than to be made, when the server ends


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bound(host: str, port: int) -> socket.socket:
    """Socket that has an address; who asks there is refused until `answer` listens.

    Raises:
        ConfigError: If the address cannot be had.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind)
        try:
            # A port whose last connections are still being closed can be had again.
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind(address)
        except OSError:
            taken.close()
            raise
    except OSError as error:
        raise ConfigError(
            f"The server cannot answer at {host}, port {port} ({error.strerror}); name another "
            f"with --host and --port."
        ) from None
    return taken


def answer(
    app: FastAPI,
    taken: socket.socket,
    limits: Limits,
    ready: Callable[[], None] = lambda: None,
    on_message: Callable[[AccessRecord], None] = write_line,
) -> None:
    """Answer until SIGINT or SIGTERM; what was accepted by then is finished first.

    Args:
        app: From `create_app`.
        taken: From `bound`.
        limits: Of connections and of the time that headers may take.
        ready: Called once when the first request can come.
        on_message: Called with what became of connections that never came to a request.
    """
    _Server(_config(app, limits, on_message), ready, app.state.end).run([taken])


@contextlib.contextmanager
def running(
    app: FastAPI,
    taken: socket.socket,
    limits: Limits,
    on_message: Callable[[AccessRecord], None] = write_line,
) -> Iterator[int]:
    """Answer within, in a thread; gives the port. Arguments are those of `answer`."""
    started = threading.Event()
    server = _Server(_config(app, limits, on_message), started.set, app.state.end)
    thread = threading.Thread(target=server.run, args=([taken],))
    thread.start()
    try:
        started.wait()
        yield taken.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


def _config(
    app: FastAPI, limits: Limits, on_message: Callable[[AccessRecord], None]
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_protocol(limits, on_message),
        ws="none",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        log_level="critical",  # every request has its line already
        timeout_graceful_shutdown=int(limits.seconds) + _AFTER_S,
    )


class _Server(uvicorn.Server):
    """Uvicorn, which a signal ends without an error."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], end: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._end = end

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._end()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # who runs it in a thread ends it otherwise
            return
        ends = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in ends}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _protocol(limits: Limits, on_message: Callable[[AccessRecord], None]) -> type[asyncio.Protocol]:
    """Kind of connection that holds the limits, made anew because uvicorn takes a class."""

    class Connection(HttpToolsProtocol):
        """A connection whose headers must come in time, and within their size."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._timer: asyncio.TimerHandle | None = None
            self._head_bytes = 0  # of headers that are not complete
            self._in_head = True
            self._said = False  # the beginning of a request
            self._began = 0.0
            self._looking: asyncio.TimerHandle | None = None
            self._unsent = 0  # bytes of answers, when it was last looked

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)  # type: ignore[arg-type]
            if len(self.connections) > limits.connections:
                self._end(503, "The server has as many connections as it takes; try again.")
                return
            self._wait_for_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._head_is_there()
            self._stop_looking()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self._in_head:
                self._head_bytes += len(data)
            super().data_received(data)
            if self._in_head and self._head_bytes > _MOST_HEAD_BYTES and not self._ended:
                self._end(431, f"Expected headers of at most {_MOST_HEAD_BYTES:,} bytes.")

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._wait_for_head()
            self._said = True

        def on_headers_complete(self) -> None:
            self._head_is_there()
            super().on_headers_complete()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._look_later()

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop_looking()

        def _look_later(self) -> None:
            self._unsent = self.transport.get_write_buffer_size()
            self._looking = self.loop.call_later(limits.pause_seconds, self._look)

        def _look(self) -> None:
            """Let go of who takes nothing of the answer that it asked for."""
            if self.transport.get_write_buffer_size() == self._unsent:
                self.transport.abort()
            else:
                self._look_later()

        def _stop_looking(self) -> None:
            if self._looking is not None:
                self._looking.cancel()
                self._looking = None

        def send_400_response(self, msg: str) -> None:
            if not self._ended:
                self._end(400, "Expected a request of HTTP/1.1; this is none.")

        @property
        def _ended(self) -> bool:
            return self.transport.is_closing()

        def _wait_for_head(self) -> None:
            if self._timer is None:
                self._in_head = True
                self._began = time.perf_counter()
                self._timer = self.loop.call_later(limits.header_seconds, self._late)

        def _head_is_there(self) -> None:
            self._in_head = self._said = False
            self._head_bytes = 0
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

        def _late(self) -> None:
            self._timer = None
            if self._ended:
                return
            if self.cycle is not None and not self.cycle.response_complete:
                self._wait_for_head()  # the answer to the request before comes first
            elif self._said or self._head_bytes:
                self._end(408, "The headers of the request did not come in time.")
            else:
                self.transport.close()  # who says nothing gets no answer

        def _end(self, status: int, sentence: str) -> None:
            """Answer what is no request, and close."""
            headers = {"connection": "close"} | ({"retry-after": "1"} if status == 503 else {})
            response = JSONResponse({"detail": sentence}, status, headers)
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
            lines += [name + b": " + value for name, value in response.raw_headers]
            self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
            self.transport.close()
            seconds = time.perf_counter() - self._began if self._began else 0.0
            peer = self.client[0] if self.client else "-"
            told = AccessRecord(peer, "-", "-", "", status, len(response.body), seconds, sentence)
            on_message(told)

    return Connection
