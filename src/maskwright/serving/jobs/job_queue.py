"""Where work is taken on: so much of it and no more, in a few threads, for a limited time."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

import numpy as np

from maskwright.errors import ConfigError, MaskwrightError
from maskwright.export.engines import cores
from maskwright.inference.predictor import Prediction
from maskwright.serving.jobs.models import Served
from maskwright.serving.limits import DeadlineExceededError, Limits, until

P = ParamSpec("P")
T = TypeVar("T")

_LARGE_PX = 16 * 10**6  # an image takes several times its bytes while it is worked on
_LONGEST_RETRY_S = 60


class BusyError(MaskwrightError):
    """Work that is not taken on, because enough is waiting.

    Args:
        retry_after: Seconds after which there is likely room.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__("The server has as much to do as it takes on; send the request again.")
        self.retry_after = retry_after


class _LargeError(Exception):
    """Work on an image that has to wait for other large ones."""


_PLACE = threading.local()


def room_for(pixels: int) -> None:
    """To be called by work before it decodes an image of so many pixels.

    Large images are worked on one at a time, so that memory is bounded. The work is stopped here
    and called again when it is their turn.
    """
    if pixels > _LARGE_PX and not getattr(_PLACE, "large", True):
        raise _LargeError


class Desk:
    """Work in threads: a bounded number of pieces waits or is under way.

    Args:
        limits: Queue and seconds.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.taken = 0
        # Each waits for the engine most of the time; as many small images can run at once.
        self.threads = max(8, 2 * cores())
        self._small = ThreadPoolExecutor(self.threads, "small", _mark, (False,))
        self._large = ThreadPoolExecutor(1, "large", _mark, (True,))
        self._piece_s = 0.1  # what one takes, a moving mean

    def check(self) -> None:
        """Raise `BusyError` where nothing more is taken on."""
        if self.taken >= self.limits.queue:
            wait = math.ceil(self.taken * self._piece_s / self.threads)
            raise BusyError(min(max(wait, 1), _LONGEST_RETRY_S))

    async def run(
        self,
        work: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What a function gives, called in a thread.

        Raises:
            BusyError: If there is enough to do.
            LateError: If it takes longer than a request may take; it ends at the next
                `check_time`.
        """
        return await self.run_for(self.limits.seconds, work, *args, **kwargs)

    async def run_for(
        self, seconds: float | None, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `run`, for another time; `None` for any."""
        self.check()
        deadline = None if seconds is None else time.monotonic() + seconds
        try:
            return await self._run(self._small, deadline, lambda: work(*args, **kwargs))
        except _LargeError:
            return await self._run(self._large, deadline, lambda: work(*args, **kwargs))

    async def masks(self, served: Served, image: np.ndarray, **options: bool) -> Prediction:
        """What a model draws for one image `(h, w, c)`; small ones that wait are run together."""
        segmenter = served.segmenter
        if segmenter is None:
            raise ConfigError(f"The model {served.name} decides on given masks and draws none.")
        return await self.run(segmenter, image, **options)

    async def _run(
        self, pool: ThreadPoolExecutor, deadline: float | None, work: Callable[[], T]
    ) -> T:
        self.taken += 1
        loop = asyncio.get_running_loop()
        try:
            future = pool.submit(self._timed, deadline, work)
        except BaseException:
            self.taken -= 1
            raise
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._release, done))
        left = None if deadline is None else deadline - time.monotonic()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), left)
        except TimeoutError:
            raise DeadlineExceededError(
                f"The answer took longer than the {self.limits.seconds:g} seconds that this server "
                f"allows; send a smaller image, or again later."
            ) from None

    def _timed(self, deadline: float | None, work: Callable[[], T]) -> T:
        began = time.monotonic()
        with until(deadline):
            try:
                return work()
            finally:
                self._piece_s += 0.1 * (time.monotonic() - began - self._piece_s)

    def _release(self, done: Future[T]) -> None:
        self.taken -= 1
        if not done.cancelled():
            done.exception()  # looked at, whether or not somebody still waits for it

    def close(self) -> None:
        """Let go of the threads, when what they do is done."""
        self._small.shutdown(wait=True, cancel_futures=True)
        self._large.shutdown(wait=True, cancel_futures=True)


def _mark(large: bool) -> None:
    _PLACE.large = large
