"""An engine that many threads call: one call at a time, for all images that wait for it."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from maskwright.serving.limits import LateError, check_time

_MOST_PIXELS = 2**20  # run at once; beyond, a call costs what its images cost
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


class Together:
    """Function from images `(b, h, w, c)` to arrays `(b, …)`, run for several callers at once.

    A caller who finds the engine free runs at once: nobody waits for others to come. Those who come
    meanwhile wait, and the first of them then runs the images of all whose images are as large.

    Args:
        run: The engine, which may not be called by two threads.
        counted: Told how many images every call had.
    """

    def __init__(
        self,
        run: Callable[[np.ndarray], np.ndarray],
        counted: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.run = run
        self.counted = counted
        self._turn = threading.Condition()
        self._waiting: list[_Call] = []
        self._busy = False

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """What the engine makes of the images; `LateError` where the time of the caller is over."""
        own = _Call(images)
        with self._turn:
            self._waiting.append(own)
            while self._busy and not own.done:
                try:
                    self._turn.wait(check_time())
                except LateError:
                    if own in self._waiting:
                        self._waiting.remove(own)
                        raise
                    self._turn.wait()  # another caller runs it already
            if not own.done:
                some = self._taken(own)
                self._busy = True
        if not own.done:
            try:
                self._answer(some)
            finally:
                with self._turn:
                    self._busy = False
                    self._turn.notify_all()
        if own.error is not None:
            raise own.error
        if own.answer is None:
            raise RuntimeError("An engine gave neither an answer nor an error.")
        return own.answer

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

    def _answer(self, some: list[_Call]) -> None:
        try:
            joined = some[0].images
            if len(some) > 1:
                joined = np.concatenate([call.images for call in some])
            self.counted(len(joined))
            found = self.run(joined)
        except BaseException as error:
            for call in some:
                call.error = error
            return
        first = 0
        for call in some:
            call.answer = found[first : first + len(call.images)]
            first += len(call.images)


class Alone:
    """Any function that may not be called by two threads, called by one at a time.

    Args:
        run: The function.
    """

    def __init__(self, run: Callable[..., Any]) -> None:
        self.run = run
        self._turn = threading.Lock()

    def __call__(self, *args: Any) -> Any:
        """What the function gives; `LateError` where the time of the caller is over."""
        left = check_time()
        if not self._turn.acquire(timeout=-1 if left is None else left):
            check_time()
        try:
            return self.run(*args)
        finally:
            self._turn.release()
