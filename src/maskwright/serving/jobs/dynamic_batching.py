"""An engine that many threads call: what waits for it runs together, or side by side."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from maskwright.serving.limits import DeadlineExceededError, check_time

Run = Callable[[np.ndarray], np.ndarray]

_MOST_PIXELS = 2**17  # run at once: beyond, a processor's caches hold no more, and nothing is won
_MOST_IMAGES = 16


class _Call:
    """Images of one caller, and what became of them."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images
        self.answer: np.ndarray | None = None
        self.error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.answer is not None or self.error is not None


class DynamicBatcher:
    """Function from images `(b, h, w, c)` to arrays `(b, …)`, for callers in several threads.

    A caller who finds the engine free runs at once: nobody waits for others to come. Those who come
    meanwhile wait, and the first of them then runs the images of all whose images are as large.

    Args:
        run: The engine; called by one thread at a time.
        beside: The same network on one processor, which threads may call at the same time. It runs
            where there are several callers: networks side by side take less time in all than one
            after another on all processors. `None` where there is no such thing.
        places: How many may run side by side.
        counted: Told how many images every call had.
    """

    def __init__(
        self,
        run: Run,
        beside: Run | None = None,
        places: int = 1,
        counted: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._whole = run
        self._beside = beside
        self._places = 1 if beside is None else places
        self._counted = counted
        self._turn = threading.Condition()
        self._waiting: list[_Call] = []
        self._running = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """What the engine makes of the images; `LateError` where the time of the caller is over."""
        own = _Call(images)
        with self._turn:
            self._waiting.append(own)
            while not own.done and (own not in self._waiting or self._running >= self._places):
                self._wait(own)
            if not own.done:
                alone = self._running == 0 and self._waiting == [own]
                engine = self._whole if alone or self._beside is None else self._beside
                some = self._taken(own)
                self._running += 1
        if not own.done:
            try:
                self._answer(engine, some)
            finally:
                with self._turn:
                    self._running -= 1
                    self._turn.notify_all()
        if own.error is not None:
            raise own.error
        if own.answer is None:
            raise RuntimeError("An engine gave neither an answer nor an error.")
        return own.answer

    def _wait(self, own: _Call) -> None:
        """Wait for a change; who is late leaves, unless another caller runs its images already."""
        if own not in self._waiting:
            self._turn.wait()
            return
        try:
            self._turn.wait(check_time())
        except DeadlineExceededError:
            self._waiting.remove(own)
            raise

    def _taken(self, own: _Call) -> list[_Call]:
        """Calls for the next run, taken from those that wait: the own one, and others like it."""
        some = [own]
        images, pixels = len(own.images), own.images[..., 0].size
        for call in self._waiting:
            if call is own or call.images.shape[1:] != own.images.shape[1:]:
                continue
            images += len(call.images)
            pixels += call.images[..., 0].size
            if images > _MOST_IMAGES or pixels > _MOST_PIXELS:
                break
            some.append(call)
        self._waiting = [call for call in self._waiting if call not in some]
        return some

    def _answer(self, engine: Run, some: list[_Call]) -> None:
        try:
            joined = some[0].images
            if len(some) > 1:
                joined = np.concatenate([call.images for call in some])
            self._counted(len(joined))
            found = engine(joined)
        except BaseException as error:
            for call in some:
                call.error = error
            return
        first = 0
        for call in some:
            call.answer = found[first : first + len(call.images)]
            first += len(call.images)


class SerializedModel:
    """Any function, called by one thread at a time.

    Args:
        run: The function.
    """

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run
        self._turn = threading.Lock()

    def __call__(self, *args: Any) -> Any:
        """What the function gives; `LateError` where the time of the caller is over."""
        left = check_time()
        if not self._turn.acquire(timeout=-1 if left is None else left):
            check_time()
            raise DeadlineExceededError("The time of a call was over before its turn came.")
        try:
            return self._run(*args)
        finally:
            self._turn.release()
