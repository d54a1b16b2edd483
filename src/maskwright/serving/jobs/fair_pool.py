"""Threads that work for several clients in turn, on a bounded number of pixels at a time."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from maskwright.serving.current import current_client
from maskwright.serving.limits import Deadline, check_deadline, within

FREE_PIXELS = 2**20
"""Pixels on which a job may work without waiting for the pixels of others, and at full priority."""

_MOST_PIXELS = 32 * 10**6  # of all jobs with more; a single one may have more than that
_NICENESS = 10  # of jobs with more: a tenth of the time that others get where there is too little
_LARGE_THREADS = 4  # for jobs with more; a thread cannot raise its priority again
_GRANTED: ContextVar[int | None] = ContextVar("granted", default=None)


class NeedsPixelsError(Exception):
    """Work on more `pixels` than it was submitted with."""

    def __init__(self, pixels: int) -> None:
        super().__init__(f"{pixels} pixels")
        self.pixels = pixels


def need_pixels(pixels: int) -> None:
    """To be called by a job before it decodes so many pixels; outside of a job it does nothing.

    An image takes many times its bytes while it is worked on. A job with too many pixels is stopped
    here, and called again when they fit beside those of other jobs.
    """
    granted = _GRANTED.get()
    if granted is not None and pixels > granted:
        raise NeedsPixelsError(max(pixels, 2 * granted))  # jobs of many images come back rarely


@dataclass(eq=False)
class _Job:
    call: Callable[[], Any]
    deadline: Deadline
    pixels: int
    client: str = field(default_factory=current_client)
    context: Context = field(default_factory=copy_context)
    future: Future[Any] = field(default_factory=Future)

    @property
    def is_large(self) -> bool:
        """Whether it works on more than `FREE_PIXELS`."""
        return self.pixels > FREE_PIXELS

    def run(self) -> None:
        """Call the function within its limits."""
        if self.future.set_running_or_notify_cancel():
            self.context.run(self._run)

    def _run(self) -> None:
        _GRANTED.set(max(self.pixels, FREE_PIXELS))
        try:
            with within(self.deadline):
                check_deadline()
                self.future.set_result(self.call())
        except BaseException as error:
            self.future.set_exception(error)
            del self  # the error knows this frame, and would keep itself alive


class FairPool:
    """Threads for jobs; next comes the client with the fewest under way, then who came first.

    Args:
        threads: For jobs of at most `FREE_PIXELS`; others have threads of lower priority.
        per_client: Jobs of one client that run at a time; of those with more than `FREE_PIXELS`,
            one.
    """

    def __init__(self, name: str, threads: int, per_client: int) -> None:
        self.per_client = per_client
        self._waiting: list[_Job] = []
        self._running: list[_Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(large,), name=name, daemon=True)
            for large in [False] * threads + [True] * _LARGE_THREADS
        ]
        self._numbers = {False: threads, True: _LARGE_THREADS}
        for thread in self._threads:
            thread.start()

    def submit(
        self, deadline: Deadline, pixels: int, function: Callable[..., Any], *args: Any
    ) -> Future[Any]:
        """Call a function in a thread; it ends at its next `check_deadline` after the deadline."""
        job = _Job(partial(function, *args), deadline, pixels)
        with self._changed:
            if self._closed:
                job.future.cancel()
            else:
                self._waiting.append(job)
                self._changed.notify_all()
        return job.future

    @property
    def pending(self) -> int:
        """Jobs without a result: a thread may take a moment longer to put one aside."""
        return sum(not job.future.done() for job in [*self._waiting, *self._running])

    @property
    def is_stuck(self) -> bool:
        """Whether half of the threads do not come back from jobs whose time is over."""
        over = Counter(job.is_large for job in list(self._running) if job.deadline.is_over)
        return any(2 * over[large] >= number for large, number in self._numbers.items())

    def close(self, seconds: float = 1.0) -> None:
        """Drop jobs that wait, and wait for those that run, for a time."""
        ends = time.monotonic() + seconds
        with self._changed:
            self._closed = True
            for job in self._waiting:
                job.future.cancel()
            for job in self._running:
                job.deadline.limit()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _work(self, large: bool) -> None:
        if large:
            with suppress(AttributeError, OSError):  # there is none on this system
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while (job := self._take(large)) is not None:
            job.run()
            with self._changed:
                self._running.remove(job)
            del job

    def _take(self, large: bool) -> _Job | None:
        """The next job, waited for; `None` when the pool is closed."""
        with self._changed:
            while not self._closed:
                job = self._next(large)
                if job is not None:
                    self._waiting.remove(job)
                    self._running.append(job)
                    self._changed.notify_all()  # there may be another
                    return job
                self._changed.wait()
        return None

    def _next(self, large: bool) -> _Job | None:
        self._waiting = [job for job in self._waiting if not job.future.cancelled()]
        running = Counter(job.client for job in self._running)
        taken = {job.client: job.pixels for job in self._running if job.is_large}
        pixels = sum(taken.values())
        for job in sorted(self._waiting, key=lambda job: running[job.client]):
            if running[job.client] >= self.per_client:
                break
            if job.is_large != large or (large and job.client in taken):
                continue
            if not large or not pixels or pixels + job.pixels <= _MOST_PIXELS:
                return job
            pixels = _MOST_PIXELS  # no other takes the place of the first that waits for it
        return None
