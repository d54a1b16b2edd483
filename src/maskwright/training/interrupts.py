"""What ends a run before its time: signals, held until the loop can stop, and errors."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from maskwright.errors import StoppedError, TrainingError
from maskwright.training.checkpoint import State
from maskwright.training.options import Recipe


@contextmanager
def hold_signals() -> Iterator[Callable[[], str | None]]:
    """Turn SIGINT and SIGTERM into a name that the loop asks for; a second one ends at once."""
    received: list[str] = []
    handlers = {}

    def hold(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(signal.Signals(number).name)

    with suppress(ValueError):  # outside the main thread, which alone may hold signals
        for kind in (signal.SIGINT, signal.SIGTERM):
            handlers[kind] = signal.signal(kind, hold)
    try:
        yield lambda: received[0] if received else None
    finally:
        for kind, handler in handlers.items():
            signal.signal(kind, handler)


def diverged(loss: float, state: State, recipe: Recipe, has_checkpoint: bool) -> TrainingError:
    """Error for a loss or a gradient that is not finite."""
    kept = "the last good checkpoint is kept" if has_checkpoint else "nothing was kept"
    return TrainingError(
        f"The loss or its gradient is no longer a finite number (loss {loss} in epoch "
        f"{state.epoch + 1}, step {state.batch + 1}); {kept}. Lower learning_rate (it is "
        f"{recipe.learning_rate:g}) or set clip_norm when you resume, and check the images for "
        f"values that are not finite."
    )


def not_written(error: OSError, has_checkpoint: bool) -> TrainingError:
    """Error for a file that could not be written."""
    kept = "; the last good checkpoint is kept" if has_checkpoint else ""
    return TrainingError(
        f"Training stopped because a file could not be written ({error}){kept}: make room, then "
        f"continue with --resume."
    )


def stopped(name: str, state: State, has_checkpoint: bool) -> StoppedError:
    """Error for a signal that asked the run to stop."""
    if not has_checkpoint:
        return StoppedError(f"Training was stopped by {name}; nothing was kept.")
    return StoppedError(
        f"Training was stopped by {name} in epoch {state.epoch + 1}; continue with --resume."
    )
