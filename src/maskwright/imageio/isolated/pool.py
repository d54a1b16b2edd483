"""Processes that decode files from strangers, and are ended when they take too long or too much."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from maskwright.errors import DataError, MaskwrightError, TooLargeError
from maskwright.imageio.isolated.decoder import Decoder, open_in_process, read_in_process
from maskwright.imageio.windows import Windows

T = TypeVar("T")

_SECONDS_PER_PIXEL = 5e-7
_SPARE_BYTES = 2**28  # that a call may take, beside those for its pixels
_BYTES_PER_PIXEL = 32
_CANNOT = "as damaged files do; save it again, or convert it to PNG."


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
        self._idle: list[Decoder] = []
        self._all, self._closed = set[Decoder](), False

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
                return self._call(decoder, pixels, read_in_process, path, *window)

            decoder.reusable = False  # it keeps the file open
            yield replace(self._call(decoder, pixels, open_in_process, path, max_pixels), read=read)

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

    def _call(self, decoder: Decoder, pixels: int, *call: Any) -> Any:
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
    def _borrow(self) -> Iterator[Decoder]:
        decoder = self._take()
        try:
            yield decoder
        finally:
            if decoder.reusable and len(self._idle) < self._most_idle and not self._closed:
                self._idle.append(decoder)
            else:
                decoder.end()
                self._all.discard(decoder)

    def _take(self) -> Decoder:
        with suppress(IndexError):
            while not (decoder := self._idle.pop()).process.is_alive():
                self._all.discard(decoder)
            return decoder
        try:
            decoder = Decoder()
        except (OSError, EOFError) as error:
            self.works = False
            raise MaskwrightError(f"No process can be started to decode files: {error}.") from error
        self.works = True
        self._all.add(decoder)
        return decoder
