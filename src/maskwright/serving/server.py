"""The application on a socket: clients are limited, accepted requests finished at the end."""

import contextlib
import ipaddress
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI

from maskwright.errors import ConfigError
from maskwright.serving.access_record import AccessRecord, write_record
from maskwright.serving.connection import ConnectionLimiter, counting_responses
from maskwright.serving.limits import ServerLimits

_BACKLOG = 2048
_SENDING_S = 5  # that a response may take to be sent when the server ends
_POLL_S = 0.01


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(host: str, port: int) -> socket.socket:
    """Socket with an address; connections are refused until a server listens.

    Raises:
        ConfigError: If the address is not available.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind)
        try:
            # A port whose last connections are still being closed can be bound again.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise ConfigError(
            f"The server cannot answer at {host}, port {port} ({error.strerror}); name another "
            f"with --host and --port."
        ) from None
    return listener


@contextlib.contextmanager
def run_in_thread(
    app: FastAPI,
    listener: socket.socket,
    limits: ServerLimits,
    on_record: Callable[[AccessRecord], None] = write_record,
) -> Iterator[int]:
    """Serve within, in a thread; at the end, accepted requests are finished first.

    Args:
        limits: Of connections and of the time that headers may take.
        on_record: Called with the record of a connection that came to no request.

    Returns:
        The port, when the first request can come.
    """
    # Of uvicorn it is asked what its typed arguments and the server's plain attributes give.
    limiter: Any = ConnectionLimiter(limits, on_record)
    config = uvicorn.Config(
        counting_responses(app),
        http=limiter,
        ws="none",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        log_level="critical",  # every request has its record already
        timeout_graceful_shutdown=int(limits.seconds) + _SENDING_S,
    )
    server = uvicorn.Server(config)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("The server ended before it had started.")
            time.sleep(_POLL_S)
        yield port
    finally:
        server.should_exit = True
        app.state.end()
        thread.join()


def run_until_signal(
    app: FastAPI,
    listener: socket.socket,
    limits: ServerLimits,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM; a second signal ends at once.

    Args:
        ready: Called once when the first request can come.
    """
    stop = threading.Event()
    with run_in_thread(app, listener, limits):
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
        try:
            ready()
            stop.wait()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
