"""What a server takes on at most, and until when a piece of work may go on."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from maskwright.errors import MaskwrightError


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is refused before any work.

    Args:
        body_bytes: Of one request.
        bodies_bytes: Of all requests that are being received or worked on.
        pixels: Of one image, before it is decoded.
        queue: Requests that wait or are worked on.
        seconds: From the end of a request to its answer.
        header_seconds: From the first connection, or byte, to the end of the headers.
        pause_seconds: Between two pieces of a body, or two that the client takes of an answer.
        body_seconds: From the first to the last piece of a body.
        connections: Open at once.
        images_kept: Images that the page works on.
        bytes_kept: Of these, on disk.
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
    images_kept: int = 200
    bytes_kept: int = 8 * 2**30


class DeadlineExceededError(MaskwrightError):
    """Work that took longer than a request may take."""


_DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def until(deadline: float | None) -> Iterator[None]:
    """Within it, `check_time` raises from a time of `time.monotonic` on; `None` for never."""
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def check_time() -> float | None:
    """Seconds that are left, `None` for any number; `LateError` where there are none."""
    deadline = _DEADLINE.get()
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineExceededError(
            "The answer took longer than this server allows; send a smaller image."
        )
    return left
