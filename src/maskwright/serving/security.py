"""What every request passes before any work: who asks, from where, how much; and its line."""

import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from maskwright.serving.limits import Limits

COOKIE = "maskwright"
"""Name of the cookie of a browser that has signed in."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
"""What the header `Host` may name where only this machine can ask."""
TOLD = "maskwright.told"
"""Key in the scope of a request of what its line is to say."""

_OPEN = frozenset({"/health", "/v2/health/live", "/v2/health/ready", "/api/session", "/api/login"})
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_DOCS = "/docs"
# The vendored page of `/docs` puts styles on its elements.
_DOCS_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_REFUSALS = {
    400: "No request that can be understood",
    401: "Without the token",
    403: "From a page of somebody else",
    404: "No such thing",
    408: "Not all of it came in time",
    409: "Not done yet, or failed",
    413: "Too many bytes or pixels",
    415: "Of a kind that is not taken",
    421: "For a server of another name",
    422: "A value that cannot be used",
    500: "A mistake of the server",
    503: "More than is taken on; again after `Retry-After` seconds",
    504: "Not done in the time that a request may take",
}
_DRAINED_S = 2.0
_LONGEST_PATH = 200
_MOST_DIGITS = 18  # of a length; Python is slow with thousands of them


@dataclass
class AccessRecord:
    """What is known of a request when its answer has been sent.

    Args:
        peer: Address that asked.
        method: Of HTTP.
        path: As it was asked for.
        route: Pattern of the path, of which there are few; empty where there is none.
        status: Of the answer; 0 where there was none.
        sent: Bytes of the answer.
        seconds: From the headers to the end.
        reason: Why it was refused, or failed.
    """

    peer: str
    method: str
    path: str
    route: str = ""
    status: int = 0
    sent: int = 0
    seconds: float = 0.0
    reason: str = ""

    def line(self) -> str:
        """One line for people: time, peer, request, status, bytes, milliseconds, reason."""
        when = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # Neither new lines nor the codes of terminals get into a log.
        path = self.path[:_LONGEST_PATH].encode("unicode_escape").decode()
        reason = f" {self.reason.encode('unicode_escape').decode()}" if self.reason else ""
        return (
            f"{when} {self.peer} {self.method} {path} {self.status} {self.sent}B "
            f"{self.seconds * 1000:.1f}ms{reason}"
        )


def write_line(told: AccessRecord) -> None:
    """The line of a request on standard error."""
    sys.stderr.write(told.line() + "\n")


def session_of(token: str) -> str:
    """Value of the cookie of those who know a token; the token cannot be read from it."""
    return hmac.new(token.encode(), b"maskwright session", hashlib.sha256).hexdigest()


def knows_token(headers: Headers, token: str) -> bool:
    """Whether a request brings the token, or the cookie of those who brought it before."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and same(given.strip(), token):
        return True
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except CookieError:
        return False
    return COOKIE in cookies and same(cookies[COOKIE].value, session_of(token))


def same(given: str, expected: str) -> bool:
    """Whether two secrets are the same, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(given.encode(), expected.encode())


def problem(path: str, sentence: str) -> dict[str, str]:
    """An error as JSON; the Open Inference Protocol has another word for it."""
    return {"error" if path.startswith("/v2") else "detail": sentence}


def file_of(media_type: str) -> dict[str, Any]:
    """Arguments of a route that answers with a file, for OpenAPI."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"response_class": Response, "responses": {200: {"content": content}}}


def refusals(word: str = "detail") -> dict[int | str, dict[str, Any]]:
    """What any route may answer but what was asked for, as OpenAPI describes it.

    Args:
        word: Key of the sentence; see `problem`.
    """
    sentence = {"type": "object", "required": [word], "properties": {word: {"type": "string"}}}
    content = {"application/json": {"schema": sentence}}
    return {status: {"description": why, "content": content} for status, why in _REFUSALS.items()}


class _RefusedError(Exception):
    def __init__(self, status: int, reason: str, **headers: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


class Guard:
    """ASGI middleware around everything.

    Args:
        app: What answers.
        limits: Bytes and seconds of bodies.
        token: That whoever asks must know; `None` for nobody.
        hosts: What the header `Host` may name, without a port; `None` for anything. A page
            elsewhere that has its own name lead to this machine is thus refused.
        public: Folder of the page, whose files hold no secrets.
        on_message: Called with what became of every request.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        token: str | None = None,
        hosts: Iterable[str] | None = LOOPBACK,
        public: frozenset[str] = frozenset(),
        on_message: Callable[[AccessRecord], None] = write_line,
    ) -> None:
        self.app = app
        self.limits = limits
        self.token = token
        self.hosts = None if hosts is None else frozenset(hosts)
        self.public = public
        self.on_message = on_message
        self.held = 0  # bytes of bodies of requests that are not answered yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        client = scope.get("client")
        told = AccessRecord(client[0] if client else "-", scope["method"], scope["path"])
        scope[TOLD] = told
        body = _Body(self, receive)
        answer = _Answer(told, send, docs=scope["path"].startswith(_DOCS))
        try:
            try:
                self._check(scope)
                await self.app(scope, body.receive, answer.send)
            except _RefusedError as refused:
                told.reason = refused.reason
                await body.drain(scope)
                await _refuse(scope, refused, answer.send)
            except Exception as error:
                told.reason = _where(error)
                if not told.status:
                    sentence = "The server made a mistake, which its log names."
                    await _refuse(scope, _RefusedError(500, sentence), answer.send)
        finally:
            self.held -= body.received
            told.seconds = time.perf_counter() - began
            route = scope.get("route")
            told.route = getattr(route, "path", "")
            self.on_message(told)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts is not None and _name(host) not in self.hosts:
            raise _RefusedError(
                421,
                f"This server answers to {', '.join(sorted(self.hosts))}, not to {host[:60]!r}.",
            )
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            raise _RefusedError(403, f"Pages of {origin[:60]!r} may not use this server.")
        if (
            self.token is not None
            and not self._is_open(scope)
            and not knows_token(headers, self.token)
        ):
            raise _RefusedError(
                401,
                "Expected the token of this server, as `Authorization: Bearer TOKEN`.",
                **{"www-authenticate": "Bearer"},
            )
        length = headers.get("content-length")
        if length is None:
            return
        if not (length.isascii() and length.isdecimal()):
            raise _RefusedError(400, "Expected the length of the body to be a number.")
        if len(length) > _MOST_DIGITS or int(length) > self.limits.body_bytes:
            raise _RefusedError(413, _too_long(self.limits.body_bytes))

    def _is_open(self, scope: Scope) -> bool:
        return scope["path"] in _OPEN or (
            scope["method"] in ("GET", "HEAD") and scope["path"] in self.public
        )


class _Body:
    """The body of one request as it comes, within its limits."""

    def __init__(self, guard: Guard, receive: Receive) -> None:
        self._guard = guard
        self._receive = receive
        self._ends = time.monotonic() + guard.limits.body_seconds
        self._complete = False
        self.received = 0

    async def receive(self) -> Message:
        """The next message; `HTTPException` where a limit is passed."""
        if self._complete:  # what comes now is that the client has gone
            return await self._receive()
        limits = self._guard.limits
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
            self._guard.held += size
            if self.received > limits.body_bytes:
                raise HTTPException(413, _too_long(limits.body_bytes), _CLOSE)
            if self._guard.held > limits.bodies_bytes:
                raise HTTPException(
                    503,
                    "The server is receiving as much as it takes on; send the request again.",
                    {"retry-after": "5", **_CLOSE},
                )
        return message

    async def drain(self, scope: Scope) -> None:
        """Take in what is on its way, for a moment: who is still sending does not hear a no."""
        headers = Headers(scope=scope)
        if "content-length" not in headers and "transfer-encoding" not in headers:
            return
        if "expect" in headers:  # waits for a word before it sends
            return
        try:
            async with asyncio.timeout(_DRAINED_S):
                while (await self._receive()).get("more_body", False):
                    pass
        except TimeoutError:
            return


class _Answer:
    """What is sent, counted, with the headers that every answer has."""

    def __init__(self, told: AccessRecord, send: Send, docs: bool) -> None:
        self._told = told
        self._send = send
        self._policy = _DOCS_POLICY if docs else _POLICY

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self._told.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["content-security-policy"] = self._policy
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "no-referrer"
            headers["cross-origin-resource-policy"] = "same-origin"
            headers.setdefault("cache-control", "no-store")
        else:
            self._told.sent += len(message.get("body", b""))
        await self._send(message)


_CLOSE = {"connection": "close"}


async def _refuse(scope: Scope, refused: _RefusedError, send: Send) -> None:
    body = json.dumps(problem(scope["path"], refused.reason)).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        **_CLOSE,
        **refused.headers,
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _too_long(most: int) -> str:
    return f"Expected a body of at most {most:,} bytes; send less."


def _name(host: str) -> str:
    """Host without its port, in lower case."""
    name, sign, port = host.rpartition(":")
    return (name if sign and port.isdecimal() else host).lower()


def _where(error: Exception) -> str:
    """An error that nobody expected, with the place it comes from, in one line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = ""
    if trace is not None:
        file = PurePosixPath(trace.tb_frame.f_code.co_filename).name
        place = f" at {file}:{trace.tb_lineno}"
    return f"{type(error).__name__}{place}: {error}"


def refuse_reason(scope: Any, reason: str) -> None:
    """Put the reason of a refusal into the line of a request."""
    told = scope.get(TOLD)
    if told is not None:
        told.reason = reason
