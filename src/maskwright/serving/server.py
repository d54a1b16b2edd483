"""The application on a socket, and `serve`, which starts it from the names of its models."""

import contextlib
import ipaddress
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

import uvicorn
from fastapi import FastAPI

from maskwright.arguments import check_options, checked
from maskwright.errors import ConfigError
from maskwright.serving.connection import ConnectionLimiter, counting_responses
from maskwright.serving.jobs.job_queue import ENDING_S
from maskwright.serving.jobs.model_registry import open_models
from maskwright.serving.limits import ServerLimits
from maskwright.serving.metrics import AccessRecord, write_record
from maskwright.serving.routes.app import create_app
from maskwright.serving.security import LOOPBACK
from maskwright.serving.sign_in import check_token
from maskwright.serving.store.label_findings import open_findings

_BACKLOG = 2048
_SENDING_S = 5  # that a response may take to be sent when the server ends
_POLL_S = 0.01
_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_ORIGIN = re.compile(
    rf"(?P<scheme>https?)://({_LABEL}(\.{_LABEL})*|\[[0-9a-f:]+\])(:(?P<port>\d{{1,5}}))?"
)
_USUAL_PORTS = {"http": 80, "https": 443}  # that browsers leave out
_PROXIES = ["127.0.0.1", "::1"]  # may say, with a public address, for whom they ask
_SIGNAL_POLL_S = 0.1


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def bind(host: str, port: int) -> socket.socket:
    """Socket with an address; connections are refused until a server listens.

    Raises `ConfigError` if the address is not available.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with contextlib.ExitStack() as on_error:
            listener = on_error.enter_context(socket.socket(family, kind))
            # A port whose last connections are still being closed can be bound again.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            on_error.pop_all()
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
    """Serve within, in a thread, at a port; at the end, accepted requests are finished first.

    `on_record` is called with the record of a connection that came to no request.
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
        timeout_graceful_shutdown=int(ENDING_S) + _SENDING_S,
        proxy_headers=limits.public_url is not None,
        forwarded_allow_ips=_PROXIES,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("The server ended before it had started.")
            time.sleep(_POLL_S)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        app.state.end()
        thread.join()


@contextlib.contextmanager
def _catch_signals() -> Iterator[list[int]]:
    """Numbers of the signals SIGINT and SIGTERM as they come; after it, they end the process."""
    # No `threading.Event`: a handler that interrupts its `wait` could wait for its lock for ever.
    received: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [
        signal.signal(number, lambda number, _: received.append(number)) for number in numbers
    ]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class ServeFolders(TypedDict, total=False):
    """Folders that the page uses.

    Args:
        keep: Folder for images that the page stores for training. `None` means `kept` where this
            machine alone can ask; else nothing is stored.
        audit: Folder that `maskwright audit` wrote, whose masks the page offers to correct.
    """

    keep: str | Path | None
    audit: str | Path | None


@checked
def serve(
    models: str | Path | Sequence[str | Path],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    limits: ServerLimits | None = None,
    on_message: Callable[[str], None] = print,
    ready: Callable[[str], None] = lambda _: None,
    **folders: Unpack[ServeFolders],
) -> None:
    """Serve models over HTTP, with a page and routes for programs, until SIGINT or SIGTERM.

    Args:
        models: One or several, as `open_models` takes them.
        host: Address to listen at; any but a loopback address needs a token.
        port: Port to listen at; 0 takes a free one.
        token: Token that every request must bring, at least 16 ASCII characters; `None` for none.
        on_message: Called with what is done to open the models, and the address.
        ready: Called with the address when the first request can come.
        folders: Of `ServeFolders`.

    Raises:
        ConfigError: If the address is not available or not safe, two models have one name, or the
            audit cannot be used with any of them.
        ModelError: If a model cannot be opened.
        DataError: If the data of the audit cannot be read.
    """
    check_options("serve", folders, ServeFolders)
    limits, keep, audit = limits or ServerLimits(), folders.get("keep"), folders.get("audit")
    loopback = is_loopback(host)
    public_url = limits.public_url
    if public_url is not None and not _is_origin(public_url):
        raise ConfigError(
            f"Expected a public address such as https://masks.example.org, in lower case, without "
            f"a path and without the usual port of its scheme, received {public_url!r}."
        )
    is_public = not loopback or public_url is not None
    if token is not None:
        check_token(token)
    if token is None and is_public:
        raise ConfigError(
            f"Others can reach {public_url or host}, so a token is needed: give --token-file FILE "
            f"or set MASKWRIGHT_TOKEN, or leave out --host and --public-url to answer this machine "
            f"alone."
        )
    if keep is None and not is_public:
        keep = "kept"
    sources = [models] if isinstance(models, str | Path) else models
    with bind(host, port) as listener:
        findings = None if audit is None else open_findings(Path(audit))
        opened = open_models([str(model) for model in sources], on_message, limits.allow_code)
        if findings is not None and opened:
            findings.require_any(opened.values())
        folder = None if keep is None else Path(keep)
        hosts = LOOPBACK if loopback else None
        app = create_app(opened, limits, token=token, hosts=hosts, keep=folder, audit=findings)
        quoted = f"[{host}]" if ":" in host else host
        address = f"http://{quoted}:{listener.getsockname()[1]}"
        names = ", ".join(opened) or "no model yet"
        with run_in_thread(app, listener, limits), _catch_signals() as received:
            on_message(f"Answers at {address} with {names}; Ctrl+C ends it.")
            ready(address)
            while not received:
                time.sleep(_SIGNAL_POLL_S)


def _is_origin(address: str) -> bool:
    """Whether an address is one that browsers send as `Origin`."""
    match = _ORIGIN.fullmatch(address)
    if match is None or match["port"] is None:
        return match is not None
    return 0 < int(match["port"]) < 2**16 and int(match["port"]) != _USUAL_PORTS[match["scheme"]]
