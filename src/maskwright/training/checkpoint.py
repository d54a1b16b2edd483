"""Where a run stands: its state, the checkpoint from which it resumes exactly, the best weights."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from maskwright.errors import DataError, TrainingError
from maskwright.imageio import atomic_write, read_arrays
from maskwright.training.setup import LearningTask
from maskwright.training.steps import MovingAverage, make_score_step, read


@dataclass
class State:
    """Where a run stands; with the weights, all that resuming needs.

    `batch`, `loss_sum` and `counts` are of the epoch under way; `seconds` were spent on the run so
    far, by all processes. `best` is the score of the best validation, see `Scoring.watch`, which
    was measured after epoch `best_epoch`, from 1, and `waited` validations ago. `steps` is the
    length of an epoch.
    """

    steps: int = 0
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
    """Everything that changes while training, as one file, written whole or not at all.

    Args:
        folder: Folder of `last.npz` and `best.npz`; `None` writes nothing.
        variables: All that a step reads and writes, by name.
        writes: Whether this worker writes; all workers read.
    """

    def __init__(
        self, folder: Path | None, variables: Mapping[str, Any], every_seconds: float, writes: bool
    ) -> None:
        self.folder, self.variables = folder, variables
        self.every_seconds, self.writes = every_seconds, writes
        self.written = time.monotonic()

    @property
    def exists(self) -> bool:
        """Whether one has been written, in this run or before."""
        return self.folder is not None and (self.folder / "last.npz").exists()

    def due(self) -> bool:
        """Whether there is a folder, and enough time has passed."""
        return self.folder is not None and time.monotonic() - self.written >= self.every_seconds

    def write(self, state: State) -> None:
        """Write now; `FloatingPointError`, with nothing written, where a value is not finite."""
        if self.folder is not None and self.writes:
            arrays = {name: read(variable) for name, variable in self.variables.items()}
            if not all(np.isfinite(value).all() for value in arrays.values()):
                raise FloatingPointError
            _write_arrays(self.folder / "last.npz", arrays, asdict(state))
        self.written = time.monotonic()

    def write_best(self, weights: Sequence[np.ndarray]) -> None:
        """Write the weights of the best validation so far."""
        if self.folder is not None and self.writes:
            arrays = {str(number): value for number, value in enumerate(weights)}
            _write_arrays(self.folder / "best.npz", arrays, {})

    def read(self) -> tuple[State, list[np.ndarray] | None] | None:
        """Take back what `write` wrote: state and best weights; `None` where there is no file.

        Raises:
            DataError: If a file cannot be read.
            TrainingError: If the file is of another model.
        """
        if self.folder is None or not (path := self.folder / "last.npz").exists():
            return None
        arrays, state = _read_arrays(path)
        shapes = {name: tuple(value.shape) for name, value in self.variables.items()}
        if {name: value.shape for name, value in arrays.items()} != shapes:
            raise TrainingError(
                f"The checkpoint {path} is of another model or optimizer; resume with the "
                "settings it was trained with."
            )
        best = None
        if state.best_epoch:
            path = self.folder / "best.npz"
            weights, _ = _read_arrays(path)
            names = list(map(str, range(len(weights))))
            if weights.keys() != set(names):
                raise DataError(f"The checkpoint {path} lacks weights; start another run.")
            best = [weights[name] for name in names]
        for name, value in arrays.items():
            self.variables[name].assign(value)
        return state, best


class Validator:
    """Scores the validation batches and holds the weights of the best score."""

    def __init__(
        self, task: LearningTask, model: keras.Model, average: MovingAverage, checkpoint: Checkpoint
    ) -> None:
        self.task, self.average, self.checkpoint = task, average, checkpoint
        self.score_step = make_score_step(model, task)
        self.best_weights: list[np.ndarray] | None = None
        self.seconds = 0.0
        self._ended = 0.0

    def due(self) -> bool:
        """Whether a validation now keeps all validations within a tenth of the time."""
        return not self.seconds or time.monotonic() - self._ended >= 10 * self.seconds

    def validate(self, state: State) -> dict[str, float]:
        """Score the validation batches, and take note in `state` of a score that is a number."""
        if self.task.validation is None:
            return {}
        began = time.monotonic()
        scoring = self.task.scoring
        total, num_samples, counts = 0.0, 0, scoring.nothing()
        for batch in self.task.validation():
            loss, batch_counts = self.score_step(batch)
            total += float(loss)
            num_samples += int(tf.nest.flatten(batch[1])[0].shape[0])
            counts += np.asarray(batch_counts)
        logs = {"loss": total / max(num_samples, 1), **scoring.scores(counts)}
        value = logs[scoring.watch]
        better = value < state.best if scoring.watch == "loss" else value > state.best
        if not np.isfinite(value):
            pass  # nothing to choose by, such as masks without a label
        elif better or not state.best_epoch:
            state.best, state.best_epoch, state.waited = value, state.epoch, 0
            self.best_weights = [read(variable) for variable in self.average.variables]
            self.checkpoint.write_best(self.best_weights)
        else:
            state.waited += 1
        # The first validation compiles, and says nothing of the duration of others.
        self.seconds = time.monotonic() - began if self._ended else 0.0
        self._ended = time.monotonic()
        return {f"val_{name}": value for name, value in logs.items()}


def _write_arrays(path: Path, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
    """Arrays and plain values into one `.npz` without pickle."""
    text = np.frombuffer(json.dumps(state).encode(), np.uint8)
    with atomic_write(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, state=text, **arrays)


def _read_arrays(path: Path) -> tuple[dict[str, np.ndarray], State]:
    """What `_write_arrays` wrote; `DataError` where the file is something else."""
    arrays = read_arrays(path, what="checkpoint")
    text = arrays.pop("state", np.zeros(0))
    try:
        return arrays, TypeAdapter(State).validate_json(text.tobytes())
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise DataError(
            f"The state in the checkpoint {path} cannot be read ({reason}); start another run."
        ) from None
