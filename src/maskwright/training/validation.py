"""Validation during training, and the best weights so far."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from maskwright.training.checkpoint import Checkpoint, State
from maskwright.training.objective import LearningTask
from maskwright.training.steps import MovingAverage, read


class Validator:
    """Scores the validation batches and keeps the weights of the best score."""

    def __init__(
        self,
        task: LearningTask,
        score_step: Callable[[Any], tuple[Any, Any]],
        average: MovingAverage,
        checkpoint: Checkpoint | None,
    ) -> None:
        self.task, self.score_step = task, score_step
        self.average, self.checkpoint = average, checkpoint
        self.best_weights: list[np.ndarray] | None = None
        self.seconds = 0.0
        self._ended = 0.0

    def due(self) -> bool:
        """Whether a validation now keeps all validations within a tenth of the time."""
        return not self.seconds or time.monotonic() - self._ended >= 10 * self.seconds

    def validate(self, state: State) -> dict[str, float]:
        """Score the validation batches, and take note of it in `state`."""
        batches = self.task.validation
        if batches is None:
            return {}
        began = time.monotonic()
        scoring = self.task.scoring
        total, num_samples, counts = 0.0, 0, scoring.nothing()
        for batch in batches():
            loss, batch_counts = self.score_step(batch)
            total += float(loss)
            num_samples += int(tf.nest.flatten(batch[1])[0].shape[0])
            counts += np.asarray(batch_counts)
        logs = {"loss": total / max(num_samples, 1), **scoring.scores(counts)}
        value = logs[scoring.watch]
        better = value < state.best if scoring.watch == "loss" else value > state.best
        if better or not state.best_epoch:
            state.best, state.best_epoch, state.waited = value, state.epoch, 0
            self.best_weights = [read(variable) for variable in self.average.variables]
            if self.checkpoint:
                self.checkpoint.write_best(self.best_weights)
        else:
            state.waited += 1
        # The first validation compiles, and says nothing of the duration of others.
        self.seconds = time.monotonic() - began if self._ended else 0.0
        self._ended = time.monotonic()
        return {f"val_{name}": value for name, value in logs.items()}
