"""The queue of requests: a bounded number waits or runs in threads, each for a limited time."""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from maskwright.errors import MaskwrightError
from maskwright.export.engines import cores
from maskwright.serving.limits import DeadlineExceededError, ServerLimits, deadline

P = ParamSpec("P")
T = TypeVar("T")

_LARGE_PX = 16 * 10**6  # an image takes several times its bytes while it is worked on
_LONGEST_RETRY_S = 60


class BusyError(MaskwrightError):
    """A request that is not accepted, because enough others wait.

    Args:
        retry_after: Seconds after which there is likely room.
    """

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
        self._small = ThreadPoolExecutor(self.threads, "small", _mark_thread, (False,))
        self._large = ThreadPoolExecutor(1, "large", _mark_thread, (True,))
        self._mean_s = 0.1  # of one job, a moving mean

    def check(self) -> None:
        """Raise `BusyError` if nothing more is accepted."""
        if self.pending >= self.limits.queue:
            wait = math.ceil(self.pending * self._mean_s / self.threads)
            raise BusyError(min(max(wait, 1), _LONGEST_RETRY_S))

    async def run(self, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in a thread.

        Raises:
            BusyError: If the queue is full.
            DeadlineExceededError: If it takes longer than a request may take; it ends at its next
                `check_deadline`.
        """
        return await self.run_for(self.limits.seconds, job, *args, **kwargs)

    async def run_for(
        self, seconds: float | None, job: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """As `run`, with another time; `None` for no limit."""
        self.check()
        at = None if seconds is None else time.monotonic() + seconds
        try:
            return await self._run(self._small, at, lambda: job(*args, **kwargs))
        except _LargeImageError:
            return await self._run(self._large, at, lambda: job(*args, **kwargs))

    async def _run(self, pool: ThreadPoolExecutor, at: float | None, job: Callable[[], T]) -> T:
        self.pending += 1
        loop = asyncio.get_running_loop()
        try:
            future = pool.submit(self._timed, at, job)
        except BaseException:
            self.pending -= 1
            raise
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._release, done))
        left = None if at is None else at - time.monotonic()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), left)
        except TimeoutError:
            raise DeadlineExceededError(
                f"The answer took longer than the {self.limits.seconds:g} seconds that this server "
                f"allows; send a smaller image, or again later."
            ) from None

    def _timed(self, at: float | None, job: Callable[[], T]) -> T:
        began = time.monotonic()
        with deadline(at):
            try:
                return job()
            finally:
                self._mean_s += 0.1 * (time.monotonic() - began - self._mean_s)

    def _release(self, done: Future[T]) -> None:
        self.pending -= 1
        if not done.cancelled():
            done.exception()  # retrieved, whether or not somebody still waits for it

    def close(self) -> None:
        """End the threads when their jobs are done."""
        self._small.shutdown(wait=True, cancel_futures=True)
        self._large.shutdown(wait=True, cancel_futures=True)


def _mark_thread(large: bool) -> None:
    _THREAD.large = large
