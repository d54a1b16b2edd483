"""The training loop, for one worker and for many; resumes to bit-identical weights.

Ours because `fit` of Keras 3 cannot run on several workers and cannot resume exactly; it drives the
standard callbacks all the same.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.callbacks import Callback

from maskwright.errors import TrainingError
from maskwright.models import main_model
from maskwright.training.checkpoint import Checkpoint, State
from maskwright.training.distribute import is_chief, share_out
from maskwright.training.interrupts import diverged, hold_signals, not_written, stopped
from maskwright.training.objective import LearningTask
from maskwright.training.options import Budget, Recipe
from maskwright.training.schedule import ParameterGroups
from maskwright.training.steps import (
    Group,
    MovingAverage,
    averaged_variables,
    make_score_step,
    make_train_step,
    read,
)
from maskwright.training.validation import Validator


class TrainingLoop:
    """Trains a model in place until its number of epochs or its time budget is over.

    Args:
        model: From inputs to logits, built under `strategy`; a layer `"encoder"` may be frozen.
        seconds: Training budget in seconds, compilation, validation and callbacks included.
        strategy: Distribution strategy of the workers; `None` for the current one.
        checkpoints: Folder for `last.npz` and `best.npz`; `None` writes no checkpoints.
    """

    def __init__(
        self,
        model: keras.Model,
        task: LearningTask,
        *,
        recipe: Recipe,
        epochs: int | None = None,
        seconds: float | None = None,
        strategy: tf.distribute.Strategy | None = None,
        checkpoints: Path | None = None,
        checkpoint_seconds: float = 20.0,
    ) -> None:
        self.budget = Budget(epochs, seconds)
        strategy = strategy or tf.distribute.get_strategy()
        self.began = time.monotonic()
        self.model, self.task, self.recipe, self.strategy = model, task, recipe, strategy
        self.main = main_model(model)
        self.steps = task.steps
        self.state = State(counts=task.scoring.nothing().tolist())
        self.step_seconds = 0.0

        with strategy.scope():
            self.parameters = ParameterGroups(model, recipe)
            self.average = MovingAverage(averaged_variables(model), recipe.average)

        def make_step(groups: Sequence[Group]) -> Callable[..., Any]:
            return make_train_step(
                strategy,
                model,
                task.objective,
                task.scoring.count,
                groups,
                self.average,
                batch_size=recipe.batch_size,
                clip_norm=recipe.clip_norm,
            )

        self.make_step = make_step
        self.frozen: bool | None = None
        self.phase_began = False
        self.checkpoint = None
        if checkpoints is not None:
            self.checkpoint = Checkpoint(
                checkpoints, self._variables(), self.average, checkpoint_seconds, is_chief(strategy)
            )
        score_step = make_score_step(self.main, task.objective, task.scoring.count)
        self.validator = Validator(task, score_step, self.average, self.checkpoint)

    def resume(self) -> None:
        """Continue from the last checkpoint, or from the start if there is none yet."""
        if self.checkpoint is None or not self.checkpoint.path.exists():
            return
        self.state = self.checkpoint.read()
        if self.state.best_epoch:
            self.validator.best_weights = self.checkpoint.read_best()
        self.began = time.monotonic() - self.state.seconds

    def share_done(self) -> float:
        """Share of the run that is over, 0 to 1, of its epochs or of its time."""
        upcoming = self.step_seconds + self.validator.seconds
        return self.budget.share_done(self.state, self.steps, upcoming)

    def run(self, callbacks: Sequence[Callback] = ()) -> State:
        """Train to the end, or from where `resume` left it.

        The model ends with the weights of the best validation, or, without validation, with the
        moving average of the last step.
        """
        with hold_signals() as signalled:
            self._run(callbacks, signalled)
        return self.state

    def _run(self, callbacks: Sequence[Callback], signalled: Callable[[], str | None]) -> None:
        chain = keras.callbacks.CallbackList(list(callbacks), model=self.main)
        self.main.stop_training = False
        self.main.optimizer = self.parameters.groups[0].optimizer  # callbacks read its rate
        chain.on_train_begin()
        try:
            try:
                while not self._over():
                    self._epoch(chain, signalled)
                    if self.checkpoint and (self.checkpoint.due() or self._over()):
                        self.checkpoint.write(self.state)
                self._finish()
            finally:
                with suppress(OSError):  # what is drawn at the end must not hide what went wrong
                    chain.on_train_end()
                del self.main.optimizer  # or it would be saved with the model
        except FloatingPointError:
            raise self._diverged(float("nan")) from None
        except OSError as error:
            raise not_written(error, self.checkpoint is not None) from error

    def _diverged(self, loss: float) -> TrainingError:
        return diverged(loss, self.state, self.recipe, self.checkpoint is not None)

    def _epoch(self, chain: Any, signalled: Callable[[], str | None]) -> None:
        state = self.state
        chain.on_epoch_begin(state.epoch)
        batches = partial(self.task.train, state.epoch, state.batch)
        for batch in share_out(self.strategy, self.recipe.batch_size, batches):
            chain.on_train_batch_begin(state.batch)
            value = self._step(batch)
            chain.on_train_batch_end(state.batch - 1, {"loss": value})
            if name := signalled():
                if self.checkpoint:
                    self.checkpoint.write(state)
                raise stopped(name, state, self.checkpoint is not None)
            if self.budget.seconds is not None and self.share_done() >= 1:
                break
            if self.checkpoint and state.batch < self.steps and self.checkpoint.due():
                self.checkpoint.write(state)
        scoring = self.task.scoring
        logs = {
            "loss": state.loss_sum / state.batch,
            **scoring.scores(np.array(state.counts)),
            "learning_rate": float(read(self.parameters.groups[0].optimizer.learning_rate)),
        }
        state.epoch += 1
        state.batch, state.loss_sum = 0, 0.0
        state.counts = scoring.nothing().tolist()
        with self.average.applied():
            self._close_epoch(chain, logs)
        state.seconds = time.monotonic() - self.began

    def _close_epoch(self, chain: Any, logs: dict[str, float]) -> None:
        state = self.state
        # With a budget of time so seldom that validation takes a tenth of it.
        if self.budget.seconds is None or self._over() or self.validator.due():
            logs.update(self.validator.validate(state))
        state.seconds = time.monotonic() - self.began
        state.history.append({"epoch": state.epoch, "seconds": round(state.seconds, 1), **logs})
        chain.on_epoch_end(state.epoch - 1, logs)

    def _step(self, batch: Any) -> float:
        state = self.state
        began = time.monotonic()
        share = self.share_done()
        self._enter_phase(frozen=share < self.recipe.freeze)
        self.parameters.set_rates(share)
        spent = tf.constant(time.monotonic() - self.began, tf.float32)
        results = self.train_step(batch, tf.constant(state.step, tf.float32), spent)
        value, norm, counts, seconds = (np.asarray(result) for result in results)
        if not np.isfinite(value) or not np.isfinite(norm):
            raise self._diverged(float(value))
        state.step += 1
        state.batch += 1
        state.seconds = float(seconds)
        state.loss_sum += float(value)
        state.counts = (np.array(state.counts) + counts).tolist()
        # The first step of a phase compiles, and tells nothing of those to come.
        self.step_seconds = time.monotonic() - began if self.phase_began else 0.0
        self.phase_began = True
        return float(value)

    def _enter_phase(self, frozen: bool) -> None:
        if self.frozen == frozen:
            return
        self.train_step = self.make_step(self.parameters.freeze_encoder(frozen))
        self.frozen, self.phase_began = frozen, False

    def _over(self) -> bool:
        return bool(self.main.stop_training) or self.budget.is_over(
            self.state, self.recipe, self.share_done()
        )

    def _finish(self) -> None:
        """Leave the best weights in the model."""
        best = self.validator.best_weights
        if best is not None:
            for variable, value in zip(self.average.variables, best, strict=True):
                variable.assign(value)
        elif self.recipe.average and self.state.step:
            self.average.swap()
        self.state.finished = True

    def _variables(self) -> dict[str, Any]:
        kinds = {"model": self.model.variables, "average": self.average.averages}
        for number, group in enumerate(self.parameters.groups):
            kinds[f"optimizer{number}"] = group.optimizer.variables
        return {f"{kind}/{n}": v for kind, values in kinds.items() for n, v in enumerate(values)}
