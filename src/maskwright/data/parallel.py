"""Work through many files in threads, with a progress bar where it takes long."""

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")
Result = TypeVar("Result")

_PATIENCE_S = 1.0  # work that is done sooner shows no bar


def in_threads(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    description: str,
    *,
    workers: int | None = None,
    ahead: int = 4,
) -> Generator[Result, None, None]:
    """Results of `function` for every item, in order; decoders let go of the interpreter lock.

    The bar is drawn on standard error where that is a terminal. An exception in `function` ends
    the work and is raised here.

    Args:
        function: Called in a thread, once for each item.
        items: What to work through.
        description: Stands before the bar.
        workers: Threads; `None` takes one for each core, at most 16.
        ahead: Results that wait for each thread at most, so that memory stays bounded.
    """
    workers = workers or min(os.cpu_count() or 1, 16)
    started = time.monotonic()
    waiting: deque[Future[Result]] = deque()
    with ExitStack() as stack:
        pool = ThreadPoolExecutor(workers)
        stack.callback(pool.shutdown, cancel_futures=True)
        bar: Progress | None = None
        submitted = done = 0
        while done < len(items):
            while submitted < len(items) and len(waiting) < workers * ahead:
                waiting.append(pool.submit(function, items[submitted]))
                submitted += 1
            yield waiting.popleft().result()
            done += 1
            if bar is None and time.monotonic() - started > _PATIENCE_S:
                bar = stack.enter_context(_bar())
                bar.add_task(description, total=len(items))
            if bar is not None:
                bar.update(bar.task_ids[0], completed=done)


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
