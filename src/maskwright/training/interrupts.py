"""Signals that end a run before its time, held until the loop can stop."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def hold_signals() -> Iterator[Callable[[], str | None]]:
    """Turn SIGINT and SIGTERM into a name that the loop asks for; a second one ends at once."""
    received: list[str] = []
    handlers = {}

    def hold(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(signal.Signals(number).name)

    with suppress(ValueError):  # outside the main thread, which alone may hold signals
        for kind in (signal.SIGINT, signal.SIGTERM):
            handlers[kind] = signal.signal(kind, hold)
    try:
        yield lambda: received[0] if received else None
    finally:
        for kind, handler in handlers.items():
            signal.signal(kind, handler)
