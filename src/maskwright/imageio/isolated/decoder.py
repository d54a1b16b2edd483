"""A process that decodes for another, one call at a time, and what runs in it."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import gettempdir
from types import ModuleType
from typing import Any

import numpy as np

from maskwright.errors import MaskwrightError
from maskwright.imageio.isolated.pipes import receive, send
from maskwright.imageio.windows import Windows, open_windows

_QUICK_S, _QUICK_SHARE = 0.5, 0.05  # of its time: beyond both, it gets the lowest priority, 19
_MOST_CHARACTERS = 64  # of the temporary folder: names of sockets in it have at most 107
_STARTING = threading.Lock()


class Decoder:
    """A process, for one call at a time."""

    def __init__(self) -> None:
        can_fork = "forkserver" in multiprocessing.get_all_start_methods()
        kind = "forkserver" if can_fork and len(gettempdir()) <= _MOST_CHARACTERS else "spawn"
        context: Any = multiprocessing.get_context(kind)
        self._connection, other = context.Pipe()
        with _STARTING, _without_main():
            if kind == "forkserver":
                context.set_forkserver_preload([__name__])
            self.process = context.Process(target=_work, args=(other,), daemon=True)
            self.process.start()
        other.close()
        self.reusable = True
        self._turn = threading.Lock()

    def call(self, seconds: float, most_bytes: int, *call: Any) -> Any:
        """Result of a function; `TimeoutError` beyond the time, `EOFError` if the process ends."""
        ends = time.monotonic() + seconds
        with self._turn:
            try:
                self._connection.send((seconds, most_bytes, *call))
                if not self._connection.poll(min(max(_QUICK_S, _QUICK_SHARE * seconds), seconds)):
                    self._slow_down()
                    if not self._connection.poll(max(0.0, ends - time.monotonic())):
                        self.end()
                        raise TimeoutError
                value, error = receive(self._connection)
            except (EOFError, ConnectionError):
                self.end()
                raise EOFError from None
        if error is not None:
            raise error
        return value

    def _slow_down(self) -> None:
        """Let others go first from now on."""
        self.reusable = False
        with suppress(AttributeError, OSError):  # there is none on this system, or it has ended
            os.setpriority(os.PRIO_PROCESS, self.process.pid, 19)

    def end(self) -> None:
        """End the process, whatever it does."""
        self.reusable = False
        self.process.kill()
        self.process.join()


@contextmanager
def _without_main() -> Iterator[None]:
    """Let processes start without the main module, which would run a user's script once more."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


# What follows runs in the process.

_OPEN: dict[Path, Windows] = {}
_STACK = ExitStack()


def _work(connection: Connection) -> None:
    """Answer calls until the other side ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all processes
    logging.disable()  # readers repeat what stands in a file
    with suppress(EOFError, ConnectionError):
        while True:
            seconds, most_bytes, function, *args = connection.recv()
            answer: tuple[Any, Exception | None]
            try:
                with _bounded(seconds, most_bytes):
                    answer = function(*args), None
            except (MaskwrightError, OSError, MemoryError) as known:
                answer = None, known.with_traceback(None)
            except Exception as other:
                answer = None, RuntimeError(f"{type(other).__name__}: {other}")
            send(connection, answer)


@contextmanager
def _bounded(seconds: float, most_bytes: int) -> Iterator[None]:
    """Refuse more memory, and end the process if its parent does not; Linux alone can do both."""
    if not sys.platform.startswith("linux"):
        yield
        return
    import resource

    held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (held + most_bytes, most))
    signal.setitimer(signal.ITIMER_REAL, seconds + 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def open_in_process(path: Path, max_pixels: int) -> Windows:
    """As `open_windows`, of a file that stays open until the process ends."""
    windows = _OPEN[path] = _STACK.enter_context(open_windows(path, max_pixels))
    return replace(windows, read=partial(read_in_process, path))


def read_in_process(path: Path, *window: int) -> np.ndarray:
    """Pixels of a window of a file that is open."""
    return np.ascontiguousarray(_OPEN[path].read(*window))
