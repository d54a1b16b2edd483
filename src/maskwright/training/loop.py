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

from maskwright.errors import ConfigError, StoppedError, TrainingError
from maskwright.models import main_model
from maskwright.training.checkpoint import Checkpoint, State, Validator
from maskwright.training.distribute import is_chief, share_out
from maskwright.training.interrupts import hold_signals
from maskwright.training.schedule import Group, ParameterGroups
from maskwright.training.setup import LearningTask, Recipe
from maskwright.training.steps import MovingAverage, make_train_step, read


class TrainingLoop:
    """Trains a model in place until its number of epochs or its time budget is over.

    Args:
        model: From inputs to logits, built under `strategy`; a layer `"encoder"` may be frozen.
        epochs: Number of epochs; excludes `seconds`.
        seconds: Training budget in seconds, compilation, validation and callbacks included.
        strategy: Distribution strategy of the workers; `None` for the current one.
        checkpoints: Folder of the checkpoints; `None` writes none.
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
        if (epochs is None) == (seconds is None):
            raise ConfigError("Give either a number of epochs or a number of minutes to train for.")
        self.began = time.monotonic()
        self.epochs, self.seconds = epochs, seconds
        self.model, self.task, self.recipe = model, task, recipe
        self.strategy = strategy or tf.distribute.get_strategy()
        self.main = main_model(model)
        self.main.stop_training = False
        self.state = State(steps=task.steps, counts=task.scoring.nothing().tolist())
        self.frozen: bool | None = None
        self.phase_began = False
        self.step_seconds = 0.0
        with self.strategy.scope():
            self.parameters = ParameterGroups(model, recipe)
            self.average = MovingAverage(model.variables, recipe.average)
        self.checkpoint = Checkpoint(
            checkpoints, self._variables(), checkpoint_seconds, is_chief(self.strategy)
        )
        self.validator = Validator(task, self.main, self.average, self.checkpoint)

    def resume(self) -> None:
        """Continue from the last checkpoint, or from the start if there is none yet."""
        if stored := self.checkpoint.read():
            self.state, self.validator.best_weights = stored
            if self.state.steps != self.task.steps:
                raise TrainingError(
                    f"The run was begun with {self.state.steps} steps in an epoch; received "
                    f"{self.task.steps}: resume it with its batch size and its kind of budget."
                )
            self.began = time.monotonic() - self.state.seconds

    def share_done(self, ahead: float = 0.0) -> float:
        """Share of the epochs (`ahead` steps from now) or of the time that is over, 0 to 1."""
        state = self.state
        if state.finished:
            return 1.0
        if self.epochs is not None:
            return min((state.step + ahead) / max(self.epochs * self.task.steps, 1), 1.0)
        upcoming = self.step_seconds + self.validator.seconds  # must fit too
        return min((state.seconds + upcoming) / (self.seconds or 1), 1.0)

    def make_step(self, groups: Sequence[Group]) -> Callable[..., Any]:
        """Compiled function that trains `groups` on one batch; see `make_train_step`."""
        return make_train_step(
            self.strategy, self.model, self.task, self.recipe, groups, self.average
        )

    def run(self, callbacks: Sequence[Callback] = ()) -> State:
        """Train to the end, or from where `resume` left it.

        The model ends with the weights of the best validation, or, without validation, with the
        moving average of the last step; after `StoppedError`, with the best so far.
        """
        with hold_signals() as signalled:
            try:
                self._run(callbacks, signalled)
            except FloatingPointError:
                raise self._diverged(float("nan")) from None
            except OSError as error:
                rest = "; the last good checkpoint remains" if self.checkpoint.exists else ""
                again = "continue with --resume" if self.checkpoint.folder else "start again"
                raise TrainingError(
                    f"Training stopped because a file could not be written ({error}){rest}: make "
                    f"room, then {again}."
                ) from error
        return self.state

    def _run(self, callbacks: Sequence[Callback], signalled: Callable[[], str | None]) -> None:
        chain = keras.callbacks.CallbackList(list(callbacks), model=self.main)
        self.main.optimizer = self.parameters.groups[0].optimizer  # callbacks read its rate
        chain.on_train_begin()
        try:
            while not self.over():
                self._epoch(chain, signalled)
                if self.checkpoint.due() or self.over():
                    self.checkpoint.write(self.state)
            self._apply_best()
            self.state.finished = True
        finally:
            with suppress(OSError):  # what is drawn at the end must not hide what went wrong
                chain.on_train_end()
            del self.main.optimizer  # or it would be saved with the model

    def _epoch(self, chain: Any, signalled: Callable[[], str | None]) -> None:
        state = self.state
        chain.on_epoch_begin(state.epoch)
        batches = partial(self.task.train, state.epoch, state.batch)
        for batch in share_out(self.strategy, self.recipe.batch_size, batches):
            chain.on_train_batch_begin(state.batch)
            loss = self._step(batch)
            chain.on_train_batch_end(state.batch - 1, {"loss": loss})
            if name := signalled():
                self._stop(name)
            if self.seconds is not None and self.share_done() >= 1:
                break
            if state.batch < self.task.steps and self.checkpoint.due():
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
            # With a budget of time so seldom that validation takes a tenth of it.
            if self.seconds is None or self.over() or self.validator.due():
                logs.update(self.validator.validate(state))
            state.seconds = time.monotonic() - self.began
            row = {"epoch": state.epoch, "seconds": round(state.seconds, 1), **logs}
            state.history.append({name: v for name, v in row.items() if np.isfinite(v)})
            chain.on_epoch_end(state.epoch - 1, logs)
        state.seconds = time.monotonic() - self.began
        if self.seconds is not None and self.share_done() >= 1:
            state.seconds = max(state.seconds, self.seconds)  # the rest is too short to resume

    def _step(self, batch: Any) -> float:
        state = self.state
        began = time.monotonic()
        share = self.share_done(0.5)  # the middle of this step: a run of one step learns, too
        frozen = share < self.recipe.freeze
        if self.frozen != frozen:
            self.train_step = self.make_step(self.parameters.freeze_encoder(frozen))
            self.frozen, self.phase_began = frozen, False
        self.parameters.set_rates(share)
        spent = tf.constant(time.monotonic() - self.began, tf.float32)
        results = self.train_step(batch, tf.constant(state.step, tf.float32), spent)
        loss, norm, counts, seconds = (np.asarray(result) for result in results)
        if not np.isfinite(loss) or not np.isfinite(norm):
            raise self._diverged(float(loss))
        state.step += 1
        state.batch += 1
        state.seconds = float(seconds)
        state.loss_sum += float(loss)
        state.counts = (np.array(state.counts) + counts).tolist()
        # The first step of a phase compiles, and tells nothing of those to come.
        self.step_seconds = time.monotonic() - began if self.phase_began else 0.0
        self.phase_began = True
        return float(loss)

    def over(self) -> bool:
        """Whether training ends before the next epoch, early stopping included."""
        state, patience = self.state, self.recipe.patience
        return (
            bool(self.main.stop_training)
            or state.finished
            or (patience is not None and state.waited >= patience)
            or (self.epochs is not None and state.epoch >= self.epochs)
            or (self.seconds is not None and self.share_done() >= 1)
        )

    def _apply_best(self) -> None:
        """Put the best weights so far into the model."""
        best = self.validator.best_weights
        if best is not None:
            for variable, value in zip(self.average.variables, best, strict=True):
                variable.assign(value)
        elif self.recipe.average and self.state.step:
            self.average.swap()

    def _stop(self, signal: str) -> None:
        self.checkpoint.write(self.state)
        self._apply_best()
        if self.checkpoint.folder is None:
            raise StoppedError(f"Training was stopped by {signal}; nothing was stored.")
        raise StoppedError(
            f"Training was stopped by {signal} in epoch {self.state.epoch + 1}; continue with "
            f"--resume."
        )

    def _diverged(self, loss: float) -> TrainingError:
        state, stored = self.state, self.checkpoint.exists
        rest = "the last good checkpoint remains" if stored else "nothing was stored"
        return TrainingError(
            f"The loss or its gradient is no longer a finite number (loss {loss} in epoch "
            f"{state.epoch + 1}, step {state.batch + 1}); {rest}. Lower learning_rate (it is "
            f"{self.recipe.learning_rate:g}) or set clip_norm when you resume, and check the "
            f"images for values that are not finite."
        )

    def _variables(self) -> dict[str, Any]:
        """All that a step reads and writes, by name."""
        kinds = {"model": self.model.variables, "average": self.average.averages}
        for number, group in enumerate(self.parameters.groups):
            kinds[f"optimizer{number}"] = group.optimizer.variables
        return {f"{kind}/{n}": v for kind, values in kinds.items() for n, v in enumerate(values)}
