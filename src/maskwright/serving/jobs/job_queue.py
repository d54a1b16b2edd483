"""The queue of requests: a bounded number waits or runs in threads, each for a limited time."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar, TypeVarTuple

from maskwright.errors import DataError, MaskwrightError
from maskwright.export.engines import cores
from maskwright.imageio.isolated import DecoderPool
from maskwright.serving.current import CURRENT, current_client
from maskwright.serving.jobs.fair_pool import FairPool, NeedsPixelsError
from maskwright.serving.limits import Deadline, DeadlineExceededError, ServerLimits, check_deadline

Args = TypeVarTuple("Args")
T = TypeVar("T")

ENDING_S = 8.0
"""Most that requests may take when the server ends."""

_LONGEST_RETRY_S = 60
_FREE_REFUSALS, _REFUSALS_PER_S = 100, 5.0  # of one client, before it has to wait
_LONGEST_PAUSE_S = 2.0
_MOST_CLIENTS = 10_000


class BusyError(MaskwrightError):
    """A request not accepted, as enough others wait; to be sent again in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("The server has as much to do as it takes on; send the request again.")
        self.retry_after = retry_after


class ClientGoneError(MaskwrightError):
    """Work for a client that has closed its connection."""


class _Pace:
    """Pauses of clients that send much that is refused, each of which is work for nothing."""

    def __init__(self) -> None:
        self._refusals: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @property
    def pause_s(self) -> float:
        """Time after which the current request is worked on."""
        over = self._recent(current_client()) - _FREE_REFUSALS
        return min(max(over, 0.0) / _REFUSALS_PER_S, _LONGEST_PAUSE_S)

    def refuse(self) -> None:
        """Count the current request as refused."""
        client = current_client()
        self._refusals[client] = self._recent(client) + 1, time.monotonic()
        self._refusals.move_to_end(client)
        if len(self._refusals) > _MOST_CLIENTS:
            self._refusals.popitem(last=False)

    def _recent(self, client: str) -> float:
        """Refusals of a client, but for those that its pace allows since."""
        number, at = self._refusals.get(client, (0.0, 0.0))
        return max(0.0, number - (time.monotonic() - at) * _REFUSALS_PER_S)


class JobQueue:
    """Jobs in threads: a bounded number waits or runs. `decoders` read what clients send."""

    def __init__(self, limits: ServerLimits) -> None:
        self.limits = limits
        # Each waits for the engine most of the time; as many small images can run at once.
        per_client = max(8, 2 * cores())
        self.pool = FairPool("request", 2 * per_client, per_client)
        self.decoders = DecoderPool(cores() + 1, check_deadline)
        self._pace = _Pace()
        self._mean_s = 0.1  # of one job, a moving mean
        self._timeouts: set[asyncio.Timeout] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending = False

    def check(self) -> None:
        """Raise `BusyError` if nothing more is accepted."""
        pending = self.pool.pending
        if pending >= self.limits.queue:
            wait = math.ceil(pending * self._mean_s / self.pool.per_client)
            raise BusyError(min(max(wait, 1), _LONGEST_RETRY_S))

    async def run(self, job: Callable[[*Args], T], *args: *Args, seconds: float | None = None) -> T:
        """Call a function in a thread, within a time; `None` for that of a request.

        Raises:
            BusyError: If the queue is full.
            ClientGoneError: If the client closes its connection.
            DeadlineExceededError: If it takes longer; it ends at its next `check_deadline`.
        """
        if pause := self._pace.pause_s:
            await asyncio.sleep(pause)
        self.check()
        self._loop = asyncio.get_running_loop()
        seconds = self.limits.seconds if seconds is None else seconds
        if self._ending:
            seconds = min(seconds, ENDING_S)
        deadline, pixels = Deadline(time.monotonic() + seconds), 0
        timeout = asyncio.timeout(seconds)
        self._timeouts.add(timeout)
        try:
            async with timeout:
                while True:
                    work = self.pool.submit(deadline, pixels, self._timed, job, *args)
                    try:
                        return await _answer(work)
                    except NeedsPixelsError as needed:
                        pixels = needed.pixels
                    except DataError:
                        self._pace.refuse()
                        raise
        except TimeoutError:
            allowed = f"the {self.limits.seconds:g} seconds that this server allows"
            raise DeadlineExceededError(
                f"{allowed}; send a smaller image, or again later."
            ) from None
        finally:
            deadline.limit()
            self._timeouts.discard(timeout)

    def _timed(self, job: Callable[[*Args], T], *args: *Args) -> T:
        began = time.monotonic()
        try:
            return job(*args)
        finally:
            self._mean_s += 0.1 * (time.monotonic() - began - self._mean_s)

    def end(self) -> None:
        """Let jobs run for some seconds, and no longer; from any thread."""
        self._ending = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end_soon, self._loop.time() + ENDING_S)

    def _end_soon(self, at: float) -> None:
        for timeout in self._timeouts:
            timeout.reschedule(min(timeout.when() or at, at))

    def close(self) -> None:
        """End what runs."""
        self.decoders.close()
        self.pool.close()


async def _answer(work: Future[T]) -> T:
    """Result of a job, unless its client goes."""
    answer = asyncio.wrap_future(work)
    current = CURRENT.get()
    gone = [] if current is None else [asyncio.create_task(current.gone())]
    waited: list[asyncio.Future[Any]] = [answer, *gone]
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientGoneError("The client has closed its connection.")
        return answer.result()
    finally:
        for task in gone:
            task.cancel()
        if not answer.cancel() and not answer.cancelled():
            answer.exception()  # or asyncio complains that nobody has asked for it
