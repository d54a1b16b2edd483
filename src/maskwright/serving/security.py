"""ASGI middleware around every route: who may ask, from where, how much; and its access record."""

import asyncio
import contextlib
import re
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maskwright.serving.current import CURRENT, CurrentRequest
from maskwright.serving.limits import ServerLimits
from maskwright.serving.metrics import ACCESS_RECORD, AccessRecord, write_record
from maskwright.serving.problems import problem
from maskwright.serving.sign_in import SignIn

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""Values of the header `Host` of a server that only this machine can reach."""

_OPEN = frozenset({"/health", "/v2/health/live", "/v2/health/ready", "/api/session", "/api/login"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# The vendored page of `/docs` puts styles on its elements.
_DOCS_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_CLOSE = {"connection": "close"}
_PORT = re.compile(r":\d+\Z")
_DRAIN_S = 2.0
_MOST_DIGITS = 18  # of a length; Python is slow with thousands of them


class SecurityMiddleware:
    """ASGI middleware that checks every request and bounds its body.

    Args:
        hosts: Allowed values of the header `Host`, without a port; `None` for any. This refuses
            pages elsewhere whose name was made to lead to this machine (DNS rebinding).
        public: Paths of the files of the page, which hold no secrets.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: ServerLimits,
        sign_in: SignIn,
        hosts: Iterable[str] | None = LOOPBACK,
        public: frozenset[str] = frozenset(),
        on_record: Callable[[AccessRecord], None] = write_record,
    ) -> None:
        self.app, self.limits, self.sign_in = app, limits, sign_in
        self.public, self.on_record = public, on_record
        self.public_host = _host_of((limits.public_url or "").partition("://")[2])
        self.hosts = None if hosts is None else frozenset({*hosts, self.public_host} - {""})
        self.body_bytes = 0  # of requests that are not answered yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        peer, *_ = scope.get("client") or ("-",)
        record = scope[ACCESS_RECORD] = AccessRecord(peer, scope["method"], scope["path"])
        body = _Body(self, receive)
        CURRENT.set(CurrentRequest(record, body.gone))

        async def respond(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                _add_headers(MutableHeaders(scope=message), scope["path"])
            else:
                record.sent += len(message.get("body", b""))
            await send(message)

        async def refuse(error: HTTPException) -> None:
            content = problem(scope["path"], error.detail, error.status_code)
            headers = {**_CLOSE, **(error.headers or {})}
            await JSONResponse(content, error.status_code, headers)(scope, receive, respond)

        try:
            self._check(scope)
            await self.app(scope, body.receive, respond)
        except HTTPException as error:
            record.reason = error.detail
            await body.drain(scope)
            await refuse(error)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            name = Path(place.filename).name
            record.reason = f"{type(error).__name__} at {name}:{place.lineno}: {error}"
            if not record.status:
                message = "Internal server error; the log of the server names the reason."
                await refuse(HTTPException(500, message))
        finally:
            self.body_bytes -= body.received
            record.seconds = time.perf_counter() - began
            record.route = getattr(scope.get("route"), "path", "")
            self.on_record(record)

    def _check(self, scope: Scope) -> None:
        """Raise `HTTPException` for a request that is refused by its headers."""
        request = HTTPConnection(scope)
        headers = request.headers
        host = headers.get("host", "").lower()
        if self.hosts is not None and _host_of(host) not in self.hosts:
            known = ", ".join(sorted(self.hosts))
            raise HTTPException(421, f"This server answers to {known}, not to {host[:60]!r}.")
        origin = headers.get("origin")
        is_public = bool(self.public_host) and _host_of(host) == self.public_host
        same_origin = () if is_public else (f"http://{host}", f"https://{host}")
        if origin is not None and origin.lower() not in (*same_origin, self.limits.public_url):
            raise HTTPException(403, f"Pages of {origin[:60]!r} may not use this server.")
        reads_page = scope["method"] in ("GET", "HEAD") and scope["path"] in self.public
        if not reads_page and scope["path"] not in _OPEN:
            self.sign_in.check(request)
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()):
            raise HTTPException(400, "Expected the length of the body to be a number.")
        if len(length) > _MOST_DIGITS or int(length) > self.limits.body_bytes:
            raise HTTPException(413, _too_large(self.limits.body_bytes))


class _Body:
    """The body of one request as it arrives, within the limits."""

    def __init__(self, owner: SecurityMiddleware, receive: Receive) -> None:
        self._owner = owner
        self._receive = receive
        self._ends = time.monotonic() + owner.limits.body_seconds
        self._complete = False
        self.received = 0

    async def receive(self) -> Message:
        """The next message; `HTTPException` beyond a limit."""
        if self._complete:  # the next message says that the client has gone
            return await self._receive()
        limits = self._owner.limits
        left = min(limits.pause_seconds, self._ends - time.monotonic())
        try:
            async with asyncio.timeout(left):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(
                408, "The body of the request did not come in time; send it again.", _CLOSE
            ) from None
        if message["type"] == "http.request":
            self._complete = not message.get("more_body", False)
            size = len(message.get("body", b""))
            self.received += size
            self._owner.body_bytes += size
            if self.received > limits.body_bytes:
                raise HTTPException(413, _too_large(limits.body_bytes), _CLOSE)
            if self._owner.body_bytes > limits.bodies_bytes:
                raise HTTPException(
                    503,
                    "The server is receiving as much as it takes on; send the request again.",
                    {"retry-after": "5", **_CLOSE},
                )
        return message

    async def gone(self) -> None:
        """Return when the client has closed the connection."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def drain(self, scope: Scope) -> None:
        """Read on for a moment: a client that is still sending does not read a refusal."""
        headers = Headers(scope=scope)
        sends_body = "content-length" in headers or "transfer-encoding" in headers
        if not sends_body or "expect" in headers:  # which waits before it sends
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                while (await self._receive()).get("more_body", False):
                    pass


def _host_of(address: str) -> str:
    return _PORT.sub("", address)


def _add_headers(headers: MutableHeaders, path: str) -> None:
    """Add the headers of every response."""
    policy = _DOCS_POLICY if path.startswith("/docs") else _POLICY
    headers["content-security-policy"] = policy
    headers["x-content-type-options"] = "nosniff"
    headers["referrer-policy"] = "no-referrer"
    headers["cross-origin-resource-policy"] = "same-origin"
    headers.setdefault("cache-control", "no-store")


def _too_large(most: int) -> str:
    return f"Expected a body of at most {most:,} bytes; send less."
