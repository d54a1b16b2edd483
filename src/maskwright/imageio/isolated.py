"""Decode files from strangers in processes that are ended when they take too long or too much."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import gettempdir
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from maskwright.errors import DataError, MaskwrightError, TooLargeError
from maskwright.imageio.windows import Windows, open_windows

T = TypeVar("T")

_SECONDS_PER_PIXEL = 5e-7
_SPARE_BYTES = 2**28  # that a call may take, beside those for its pixels
_BYTES_PER_PIXEL = 32
_QUICK_S, _QUICK_SHARE = 0.5, 0.05  # of its time: beyond both, it gets the lowest priority, 19
_CANNOT = "as damaged files do; save it again, or convert it to PNG."
_MOST_CHARACTERS = 64  # of the temporary folder: names of sockets in it have at most 107
_STARTING = threading.Lock()


class DecoderPool:
    """Processes that decode, without TensorFlow, as many as are called at a time.

    Args:
        idle: Processes that are kept.
        seconds_left: Called before a call, gives the seconds it may take; `None` for no limit.
        seconds: Most that a call may take, beside the time for its pixels.
    """

    def __init__(
        self,
        idle: int,
        seconds_left: Callable[[], float | None] = lambda: None,
        seconds: float = 10.0,
    ) -> None:
        self.works = True  # whether the last process could be started
        self._most_idle, self._seconds_left, self._seconds = idle, seconds_left, seconds
        self._idle: list[_Decoder] = []
        self._all, self._closed = set[_Decoder](), False

    def call(self, pixels: int, function: Callable[..., T], file: Any, *args: Any) -> T:
        """Call a function of a module on a file; `pixels` are those that it decodes.

        Raises what the function raises, `DataError` if it takes too long or crashes, and
        `TooLargeError` if it takes too much memory.
        """
        with self._borrow() as decoder:
            return self._call(decoder, pixels, function, file, *args)

    @contextmanager
    def open_windows(self, path: Path, max_pixels: int, pixels: int) -> Iterator[Windows]:
        """As `open_windows` in a process; `pixels` are those that may be decoded at once."""
        with self._borrow() as decoder:

            def read(*window: int) -> np.ndarray:
                return self._call(decoder, pixels, _read, path, *window)

            decoder.reusable = False  # it keeps the file open
            yield replace(self._call(decoder, pixels, _open, path, max_pixels), read=read)

    def warm_up(self) -> None:
        """Start the processes that are kept."""
        with ExitStack() as stack:
            for _ in range(self._most_idle):
                stack.enter_context(self._borrow())

    def close(self) -> None:
        """End all processes; calls under way raise `DataError`."""
        self._closed = True
        for decoder in list(self._all):
            decoder.end()

    def _call(self, decoder: "_Decoder", pixels: int, *call: Any) -> Any:
        left = self._seconds_left()
        seconds = self._seconds + _SECONDS_PER_PIXEL * pixels
        allowed = seconds if left is None else min(left, seconds)
        try:
            return decoder.call(allowed, _SPARE_BYTES + _BYTES_PER_PIXEL * pixels, *call)
        except TimeoutError:
            self._seconds_left()
            reason = f"{call[1]} takes more than {seconds:.0f} seconds to decode, {_CANNOT}"
        except EOFError:
            reason = f"{call[1]} ends the program that decodes it, {_CANNOT}"
        except MemoryError:
            reason = f"{call[1]} takes more memory to decode than it should, {_CANNOT}"
            raise TooLargeError(reason) from None
        raise DataError(reason)

    @contextmanager
    def _borrow(self) -> Iterator["_Decoder"]:
        decoder = self._take()
        try:
            yield decoder
        finally:
            if decoder.reusable and len(self._idle) < self._most_idle and not self._closed:
                self._idle.append(decoder)
            else:
                decoder.end()
                self._all.discard(decoder)

    def _take(self) -> "_Decoder":
        with suppress(IndexError):
            while not (decoder := self._idle.pop()).process.is_alive():
                self._all.discard(decoder)
            return decoder
        try:
            decoder = _Decoder()
        except (OSError, EOFError) as error:
            self.works = False
            raise MaskwrightError(f"No process can be started to decode files: {error}.") from error
        self.works = True
        self._all.add(decoder)
        return decoder


class _Decoder:
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
                value, error = self._connection.recv()
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
            connection.send(answer)


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


def _open(path: Path, max_pixels: int) -> Windows:
    windows = _OPEN[path] = _STACK.enter_context(open_windows(path, max_pixels))
    return replace(windows, read=partial(_read, path))


def _read(path: Path, *window: int) -> np.ndarray:
    return np.ascontiguousarray(_OPEN[path].read(*window))
