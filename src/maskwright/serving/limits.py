"""Limits of a server, and the deadline of the work that a thread does for a request."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from maskwright.errors import MaskwrightError


@dataclass(frozen=True, kw_only=True)
class ServerLimits:
    """Limits beyond which a request is refused, before any work where possible.

    Args:
        body_bytes: Bytes of the body of one request.
        bodies_bytes: Bytes of the bodies of all requests that are received or worked on.
        pixels: Pixels of one image, checked before it is decoded.
        queue: Requests that wait or are worked on.
        seconds: Time from the end of a request to its answer.
        header_seconds: Time from the connection, or the first byte, to the end of the headers.
        pause_seconds: Time between two parts of a body, or two that the client takes of an answer.
        body_seconds: Time from the first to the last part of a body.
        connections: Open connections.
        images_kept: Images that the page works on.
        bytes_kept: Bytes on disk of these images.
        public_url: Address of a proxy on this machine that hands requests on to a loopback address,
            such as `https://masks.example.org`; other pages are refused. `None` for no proxy.
        allow_code: Whether exported models are opened whose format can run code.
    """

    body_bytes: int = 256 * 2**20
    bodies_bytes: int = 2 * 2**30
    pixels: int = 128 * 10**6
    queue: int = 64
    seconds: float = 60.0
    header_seconds: float = 10.0
    pause_seconds: float = 15.0
    body_seconds: float = 300.0
    connections: int = 512
    images_kept: int = 1000
    bytes_kept: int = 8 * 2**30
    public_url: str | None = None
    allow_code: bool = False


class DeadlineExceededError(MaskwrightError):
    """Work that took longer than a request may take."""

    def __init__(self, allowed: str = "this server allows; send a smaller image.") -> None:
        super().__init__(f"The answer took longer than {allowed}")


@dataclass
class Deadline:
    """End of some work, a time of `time.monotonic`, which others may move."""

    at: float

    def limit(self, seconds: float = 0.0) -> None:
        """Move the end to some seconds from now, unless it is sooner."""
        self.at = min(self.at, time.monotonic() + seconds)

    @property
    def is_over(self) -> bool:
        """Whether the time has come."""
        return time.monotonic() >= self.at


_DEADLINE: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """Let `check_deadline` raise from the deadline on."""
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def check_deadline() -> float | None:
    """Seconds left, `None` for no limit; raises `DeadlineExceededError` at the deadline."""
    deadline = _DEADLINE.get()
    if deadline is None:
        return None
    left = deadline.at - time.monotonic()
    if left <= 0:
        raise DeadlineExceededError
    return left
