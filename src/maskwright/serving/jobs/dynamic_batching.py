"""Engines that several threads call: images that wait run as one batch, or side by side."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskwright.serving.limits import DeadlineExceededError, check_deadline
from maskwright.tasks.serving import Engine

_MOST_PIXELS = 2**17  # of a batch: larger ones exceed a processor's caches and gain nothing
_MOST_IMAGES = 16


@dataclass(eq=False)
class _Call:
    """Images of one caller, and what the engine gives for them."""

    images: np.ndarray
    answer: Future[np.ndarray] = field(default_factory=Future)


class DynamicBatcher:
    """An engine, from images `(b, h, w, c)` to an array `(b, …)`, for callers in several threads.

    A caller who meets a free engine runs at once; nobody waits for others to come. Callers that
    come meanwhile wait, and the first of them then runs all waiting images of the same size.

    Args:
        engine: The engine; one thread at a time calls it.
        single: The same network on one processor, which threads may call at the same time. It runs
            when there are several callers: networks side by side take less time in all than one
            after another on all processors. `None` if there is none.
        places: How many engines may run side by side.
    """

    def __init__(
        self,
        engine: Engine,
        single: Engine | None = None,
        places: int = 1,
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._single = single
        self._places = 1 if single is None else places
        self._on_batch = on_batch
        self._turn = threading.Condition()
        self._waiting: list[_Call] = []
        self._running = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Run the engine on the images; `DeadlineExceededError` at the deadline of the caller."""
        call = _Call(images)
        done = call.answer.done
        with self._turn:
            self._waiting.append(call)
            while not done() and (call not in self._waiting or self._running >= self._places):
                self._wait(call)
            if not done():
                alone = self._running == 0 and self._waiting == [call]
                engine = self._engine if alone or self._single is None else self._single
                batch = self._take_batch(call)
                self._running += 1
        if not done():
            try:
                self._run(engine, batch)
            finally:
                with self._turn:
                    self._running -= 1
                    self._turn.notify_all()
        return call.answer.result()

    def _wait(self, call: _Call) -> None:
        """Wait for a change; at its deadline a caller leaves, unless its images already run."""
        if call not in self._waiting:
            self._turn.wait()
            return
        try:
            self._turn.wait(check_deadline())
        except DeadlineExceededError:
            self._waiting.remove(call)
            raise

    def _take_batch(self, call: _Call) -> list[_Call]:
        """Take a call from those that wait, and others with images of its size."""
        batch = [call]
        images, pixels = len(call.images), call.images[..., 0].size
        for other in self._waiting:
            if other is call or other.images.shape[1:] != call.images.shape[1:]:
                continue
            images += len(other.images)
            pixels += other.images[..., 0].size
            if images > _MOST_IMAGES or pixels > _MOST_PIXELS:
                break
            batch.append(other)
        self._waiting = [other for other in self._waiting if other not in batch]
        return batch

    def _run(self, engine: Engine, batch: list[_Call]) -> None:
        try:
            images = batch[0].images
            if len(batch) > 1:
                images = np.concatenate([call.images for call in batch])
            self._on_batch(len(images))
            answers = engine(images)
        except BaseException as error:
            for call in batch:
                call.answer.set_exception(error)
            return
        ends = np.cumsum([len(call.images) for call in batch])
        for call, answer in zip(batch, np.split(answers, ends[:-1]), strict=True):
            call.answer.set_result(answer)


def serialized(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that one thread at a time runs; `DeadlineExceededError` if its turn is late."""
    turn = threading.Lock()

    def call(*args: Any) -> Any:
        left = check_deadline()
        if not turn.acquire(timeout=-1 if left is None else left):
            raise DeadlineExceededError
        try:
            return function(*args)
        finally:
            turn.release()

    return call
