"""Where a run stands, as one file: written whole or not at all, and read back exactly."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import TrainingError
from maskwright.training.run import read_arrays, write_arrays
from maskwright.training.steps import MovingAverage, read


@dataclass
class State:
    """Where a run stands; with the weights, all that resuming needs.

    Args:
        batch: Batches done of the epoch under way.
        seconds: Spent on the run so far, by all sittings.
        loss_sum: Of the batches of this epoch.
        counts: Of this epoch, as `Scoring.count` adds them up.
        best: What the best validation scored; see `Scoring.watch`.
        best_epoch: Number of the epoch it was measured after, from 1; 0 before the first.
        finished: Nothing remains to be done.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    loss_sum: float = 0.0
    counts: list[Any] = field(default_factory=list)
    best: float = 0.0
    best_epoch: int = 0
    waited: int = 0
    finished: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


class Checkpoint:
    """Everything that changes while training, as one file.

    Args:
        variables: All that a step reads and writes, by name.
        average: Its averages are written as the best weights.
        writes: Whether this worker writes; all workers read.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, Any],
        average: MovingAverage,
        every_seconds: float,
        writes: bool,
    ) -> None:
        self.path, self.best_path = folder / "last.npz", folder / "best.npz"
        self.variables, self.average = variables, average
        self.every_seconds, self.writes = every_seconds, writes
        self.written = time.monotonic()

    def due(self) -> bool:
        """Whether enough time has passed."""
        return time.monotonic() - self.written >= self.every_seconds

    def write(self, state: State) -> None:
        """Write now; `FloatingPointError`, with nothing written, where a value is not finite."""
        if self.writes:
            arrays = {name: read(variable) for name, variable in self.variables.items()}
            if not all(np.isfinite(value).all() for value in arrays.values()):
                raise FloatingPointError
            write_arrays(self.path, arrays, asdict(state))
        self.written = time.monotonic()

    def read(self) -> State:
        """Take back what `write` wrote; `TrainingError` where it is of another model."""
        arrays, state = read_arrays(self.path)
        shapes = {name: tuple(value.shape) for name, value in self.variables.items()}
        if {name: value.shape for name, value in arrays.items()} != shapes:
            raise TrainingError(
                f"The checkpoint {self.path} is of another model or optimizer; resume with the "
                "settings it was trained with."
            )
        for name, value in arrays.items():
            self.variables[name].assign(value)
        return State(**state)

    def write_best(self, weights: Sequence[np.ndarray]) -> None:
        """Write the weights that did best so far."""
        if self.writes:
            arrays = {str(number): value for number, value in enumerate(weights)}
            write_arrays(self.best_path, arrays, {})

    def read_best(self) -> list[np.ndarray]:
        """Weights that did best, in the order of the moving average."""
        arrays, _ = read_arrays(self.best_path)
        return [arrays[str(number)] for number in range(len(arrays))]
