"""The queue of requests: a bounded number waits or runs in threads, each for a limited time."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

from maskwright.errors import MaskwrightError
from maskwright.export.engines import cores
from maskwright.serving.limits import DeadlineExceededError, ServerLimits, deadline

Args = TypeVarTuple("Args")
T = TypeVar("T")

_LARGE_PX = 16 * 10**6  # an image takes several times its bytes while it is worked on
_LONGEST_RETRY_S = 60


class BusyError(MaskwrightError):
    """A request not accepted, as enough others wait; to be sent again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("The server has as much to do as it takes on; send the request again.")
        self.retry_after = retry_after


class _LargeImageError(Exception):
    """Work on an image that has to wait for other large ones."""


_THREAD = threading.local()


def wait_if_large(pixels: int) -> None:
    """To be called by a job before it decodes an image of so many pixels.

    Large images are worked on one at a time, so that memory is bounded. The job is stopped here and
    called again when it is its turn.
    """
    if pixels > _LARGE_PX and not getattr(_THREAD, "large", True):
        raise _LargeImageError


class JobQueue:
    """Jobs in threads: a bounded number waits or runs."""

    def __init__(self, limits: ServerLimits) -> None:
        self.limits = limits
        self.pending = 0
        # Each waits for the engine most of the time; as many small images can run at once.
        self.threads = max(8, 2 * cores())
        self._small = ThreadPoolExecutor(self.threads, "small", setattr, (_THREAD, "large", False))
        self._large = ThreadPoolExecutor(1, "large", setattr, (_THREAD, "large", True))
        self._mean_s = 0.1  # of one job, a moving mean

    def check(self) -> None:
        """Raise `BusyError` if nothing more is accepted."""
        if self.pending >= self.limits.queue:
            wait = math.ceil(self.pending * self._mean_s / self.threads)
            raise BusyError(min(max(wait, 1), _LONGEST_RETRY_S))

    async def run(self, job: Callable[[*Args], T], *args: *Args, seconds: float | None = None) -> T:
        """Call a function in a thread, within a time; `None` for that of a request.

        Raises:
            BusyError: If the queue is full.
            DeadlineExceededError: If it takes longer; it ends at its next `check_deadline`.
        """
        self.check()
        ends = time.monotonic() + (self.limits.seconds if seconds is None else seconds)
        try:
            return await self._run(self._small, ends, lambda: job(*args))
        except _LargeImageError:
            return await self._run(self._large, ends, lambda: job(*args))

    async def _run(self, pool: ThreadPoolExecutor, ends: float, job: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        future = pool.submit(self._timed, ends, job)
        self.pending += 1
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._release))
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), ends - time.monotonic())
        except TimeoutError:
            allowed = f"the {self.limits.seconds:g} seconds that this server allows"
            raise DeadlineExceededError(
                f"{allowed}; send a smaller image, or again later."
            ) from None

    def _timed(self, ends: float, job: Callable[[], T]) -> T:
        began = time.monotonic()
        with deadline(ends):
            try:
                return job()
            finally:
                self._mean_s += 0.1 * (time.monotonic() - began - self._mean_s)

    def _release(self) -> None:
        self.pending -= 1

    def close(self) -> None:
        """End the threads when their jobs are done."""
        self._small.shutdown(wait=True, cancel_futures=True)
        self._large.shutdown(wait=True, cancel_futures=True)
