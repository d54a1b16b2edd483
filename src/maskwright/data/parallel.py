"""Work through many files in threads, with a progress bar where it takes long."""

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Condition
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from maskwright.display.notebook import ProgressLine, in_notebook

Item = TypeVar("Item")
Result = TypeVar("Result")

LINE_SECONDS = 60.0
"""Time between two lines of progress where there is no terminal."""
_PATIENCE_S = 1.0  # work that is done sooner shows no bar


def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    description: str | None,
    *,
    workers: int | None = None,
    ahead: int = 4,
) -> Generator[Result, None, None]:
    """Results of `function` for every item, in order; decoders let go of the interpreter lock.

    An exception in `function` ends the work and is raised here. `description` stands before the
    progress bar, `None` draws none; `workers` are threads, `None` for one a core, at most 16;
    `ahead` results wait for each thread at most, so that memory stays bounded.
    """
    workers = workers or min(os.cpu_count() or 1, 16)
    waiting: deque[Future[Result]] = deque()
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(workers)
        stack.callback(pool.shutdown, cancel_futures=True)
        advance = stack.enter_context(progress(description, len(items))) if description else None
        submitted = 0
        for _ in items:
            while submitted < len(items) and len(waiting) < workers * ahead:
                waiting.append(pool.submit(function, items[submitted]))
                submitted += 1
            yield waiting.popleft().result()
            if advance is not None:
                advance(1)


def behind(
    works: Iterable[tuple[Callable[[], Result], int]], workers: int, most: int
) -> Generator[Result, None, None]:
    """Results of functions, in order, each called in a thread while the next one is being made.

    An exception in a function is raised here. Where the work ends early, functions that have not
    begun are dropped. `works` are functions with the size of what each keeps in memory; what waits
    or is at work takes `most` of it together, unless it is a single one.
    """
    waiting: deque[tuple[Future[Result], int]] = deque()
    total = 0
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(workers)
        stack.callback(pool.shutdown, cancel_futures=True)
        for work, size in works:
            while waiting and (waiting[0][0].done() or total + size > most):
                future, done = waiting.popleft()
                total -= done
                yield future.result()
            waiting.append((pool.submit(work), size))
            total += size
        while waiting:
            yield waiting.popleft()[0].result()


class Room:
    """Limit to sizes that threads hold together, in the order of tickets; a single one may exceed.

    Whoever takes results in that order is never kept waiting by a later one.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._turn = 0
        self._open = True
        self._changed = Condition()

    def enter(self, ticket: int, size: int) -> None:
        """Wait for a place; tickets are 0, 1, 2, …, and every one must come."""

        def may_enter() -> bool:
            fits = not self._held or not size or self._held + size <= self._most
            return not self._open or (self._turn == ticket and fits)

        with self._changed:
            self._changed.wait_for(may_enter)
            self._turn += 1
            self._held += size
            self._changed.notify_all()

    def leave(self, size: int) -> None:
        """Give a place back."""
        with self._changed:
            self._held -= size
            self._changed.notify_all()

    def close(self) -> None:
        """Let everybody in, because nobody will leave any more."""
        with self._changed:
            self._open = False
            self._changed.notify_all()


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[float], None]]:
    """Function that moves a bar on by some of `total`, once it takes long.

    Without a terminal or a notebook, it writes a line every `LINE_SECONDS`.
    """
    began = written = time.monotonic()
    console, bar, done = Console(stderr=True), None, 0.0
    line = ProgressLine() if in_notebook() else None
    words = TextColumn("{task.description}")
    columns = (words, BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn())

    with ExitStack() as stack:

        def advance(amount: float) -> None:
            nonlocal bar, done, written
            done += amount
            if line is not None:
                if time.monotonic() - began > _PATIENCE_S:
                    text = f"{description}: {done:,.0f} of {total:,}"
                    line.update(text, done / total, last=done >= total)
                return
            if not console.is_terminal and time.monotonic() - written >= LINE_SECONDS:
                written = time.monotonic()
                console.print(f"{description} {done:.0f} of {total}", soft_wrap=True)
            if console.is_terminal and bar is None and time.monotonic() - began > _PATIENCE_S:
                bar = stack.enter_context(Progress(*columns, console=console, transient=True))
                bar.add_task(description, total=total)
            if bar is not None:
                bar.update(bar.task_ids[0], completed=done)

        yield advance
