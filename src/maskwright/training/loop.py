"""The training loop: one for one worker and for many, stopped and resumed without a trace.

Ours because `fit` of Keras 3 cannot run on several workers and cannot resume exactly; it drives the
standard callbacks all the same.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.callbacks import Callback

from maskwright.errors import ConfigError, StoppedError, TrainingError
from maskwright.models import freeze, main_model
from maskwright.training.checkpoint import Checkpoint, State
from maskwright.training.distribute import is_chief, share_out
from maskwright.training.interrupts import signals_held
from maskwright.training.objective import LearningTask
from maskwright.training.recipe import Recipe
from maskwright.training.schedule import rate_factor
from maskwright.training.steps import (
    Group,
    MovingAverage,
    averaged_variables,
    make_optimizer,
    make_score_step,
    make_train_step,
    read,
)

_CLIMB = 0.5  # of the time that the encoder was frozen: how long its rate climbs afterwards


class TrainingLoop:
    """A run under way: it trains a model in place until its epochs or its seconds are over.

    Args:
        model: From inputs to logits, built under `strategy`; a layer `"encoder"` may be frozen.
        task: Batches, loss and scores.
        recipe: How to train.
        epochs: To train for; or
        seconds: Time to train for, with validation, compiling and callbacks.
        strategy: Of the workers.
        checkpoints: Folder for `last.npz` and `best.npz`; `None` keeps nothing.
        checkpoint_seconds: Least time between checkpoints.

    Raises:
        ConfigError: If neither or both of `epochs` and `seconds` are given.
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
        strategy = strategy or tf.distribute.get_strategy()
        self.began = time.monotonic()
        self.model, self.task, self.recipe, self.strategy = model, task, recipe, strategy
        self.main = main_model(model)
        self.epochs, self.budget = epochs, seconds
        self.steps = task.steps
        self.state = State(counts=task.scoring.nothing().tolist())
        self.step_seconds = self.validation_seconds = 0.0
        self.validated = 0.0

        named = [layer for layer in model.layers if layer.name == "encoder"]
        self.encoder = named[0] if named else None
        if self.encoder is not None:
            freeze(model, frozen=False, fix_statistics=recipe.fix_statistics)
        inner = {id(v) for v in self.encoder.trainable_variables} if self.encoder else set()
        learned = model.trainable_variables
        pretrained = [v for v in learned if id(v) in inner]
        others = [v for v in learned if id(v) not in inner]
        with strategy.scope():
            self.groups = [self._group(others)]
            if pretrained:
                self.groups.append(self._group(pretrained, recipe.encoder_rate, recipe.freeze))
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
        self.score_step = make_score_step(self.main, task.objective, task.scoring.count)
        self.checkpoint = None
        if checkpoints is not None:
            self.checkpoint = Checkpoint(
                checkpoints / "last.npz",
                checkpoints / "best.npz",
                self._variables(),
                self.average,
                checkpoint_seconds,
                is_chief(strategy),
            )
        self.best: list[np.ndarray] | None = None

    def resume(self) -> None:
        """Go on from the last checkpoint; from the start where there is none yet."""
        if self.checkpoint is None or not self.checkpoint.path.exists():
            return
        self.state = self.checkpoint.read()
        if self.state.best_epoch:
            self.best = self.checkpoint.read_best()
        self.began = time.monotonic() - self.state.seconds

    def share_done(self) -> float:
        """How much of the run is over, 0 to 1: of its epochs, or of its time."""
        if self.state.finished:
            return 1.0
        if self.epochs is not None:
            return min(self.state.step / max(self.epochs * self.steps, 1), 1.0)
        return min((self.state.seconds + self._to_come()) / float(self.budget or 1), 1.0)

    def run(self, callbacks: Sequence[Callback] = ()) -> State:
        """Train to the end, or from where `resume` left it.

        The model ends with the weights of the best validation, or with the moving average of the
        last step where nothing is validated.

        Args:
            callbacks: Of Keras.

        Raises:
            TrainingError: If the loss is no longer finite, the disk is full, or a signal came; the
                last checkpoint is kept.
        """
        with signals_held() as signalled:
            self._run(callbacks, signalled)
        return self.state

    def _run(self, callbacks: Sequence[Callback], signalled: Callable[[], str | None]) -> None:
        chain = keras.callbacks.CallbackList(list(callbacks), model=self.main)
        self.main.stop_training = False
        self.main.optimizer = self.groups[0].optimizer  # which callbacks read the rate from
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
            self._diverged(float("nan"))
        except OSError as error:
            kept = "" if self.checkpoint is None else "; the last good checkpoint is kept"
            raise TrainingError(
                f"Training stopped because a file could not be written ({error}){kept}: make "
                "room, then go on with --resume."
            ) from error

    def _epoch(self, chain: Any, signalled: Callable[[], str | None]) -> None:
        state = self.state
        chain.on_epoch_begin(state.epoch)
        for batch in self._batches():
            chain.on_train_batch_begin(state.batch)
            value = self._step(batch)
            chain.on_train_batch_end(state.batch - 1, {"loss": value})
            if name := signalled():
                self._stop(name)
            if self.budget is not None and self.share_done() >= 1:
                break
            if self.checkpoint and state.batch < self.steps and self.checkpoint.due():
                self.checkpoint.write(state)
        scoring = self.task.scoring
        logs = {
            "loss": state.loss_sum / state.batch,
            **scoring.scores(np.array(state.counts)),
            "learning_rate": float(read(self.groups[0].optimizer.learning_rate)),
        }
        state.epoch += 1
        state.batch, state.loss_sum = 0, 0.0
        state.counts = scoring.nothing().tolist()
        self.average_in(lambda: self._close_epoch(chain, logs))
        state.seconds = time.monotonic() - self.began

    def _batches(self) -> Any:
        state, task = self.state, self.task
        return share_out(
            self.strategy,
            self.recipe.batch_size,
            lambda shard: task.train(state.epoch, state.batch, shard),
        )

    def _close_epoch(self, chain: Any, logs: dict[str, float]) -> None:
        state = self.state
        if self.task.validation is not None and self._validates():
            logs.update(self._validate(self.task.validation()))
        state.seconds = time.monotonic() - self.began
        state.history.append({"epoch": state.epoch, "seconds": round(state.seconds, 1), **logs})
        chain.on_epoch_end(state.epoch - 1, logs)

    def average_in(self, act: Callable[[], None]) -> None:
        """Do something with the averaged weights in the model."""
        if not self.recipe.average:
            act()
            return
        self.average.swap()
        try:
            act()
        finally:
            self.average.swap()

    def _step(self, batch: Any) -> float:
        state = self.state
        began = time.monotonic()
        share = self.share_done()
        self._enter_phase(frozen=share < self.recipe.freeze)
        rate = self.recipe.learning_rate * rate_factor(
            share, self.recipe.schedule, self.recipe.warmup
        )
        for group in self.groups:
            climb = 1.0
            if group.start:  # a fresh optimizer at its full rate would spoil pretrained weights
                climb = min(max((share - group.start) / (_CLIMB * group.start), 0.0), 1.0)
            group.optimizer.learning_rate.assign(rate * group.rate_factor * climb)
        spent = tf.constant(time.monotonic() - self.began, tf.float32)
        results = self.train_step(batch, tf.constant(state.step, tf.float32), spent)
        value, norm, counts, seconds = (np.asarray(result) for result in results)
        if not np.isfinite(value) or not np.isfinite(norm):
            self._diverged(float(value))
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
        if self.encoder is not None:
            freeze(self.model, frozen, self.recipe.fix_statistics)
        # With the encoder left out of the gradients, nothing is propagated back into it.
        self.train_step = self.make_step(self.groups[:1] if frozen else self.groups)
        self.frozen, self.phase_began = frozen, False

    def _validates(self) -> bool:
        """After every epoch, but with a budget of time so seldom that it takes a tenth of it."""
        if self.budget is None or self._over() or not self.validation_seconds:
            return True
        return time.monotonic() - self.validated >= 10 * self.validation_seconds

    def _validate(self, batches: Any) -> dict[str, float]:
        began = time.monotonic()
        state, scoring = self.state, self.task.scoring
        total, rows, counts = 0.0, 0, scoring.nothing()
        for batch in batches:
            value, found = self.score_step(batch)
            total += float(value)
            rows += int(tf.nest.flatten(batch[1])[0].shape[0])
            counts += np.asarray(found)
        logs = {"loss": total / max(rows, 1), **scoring.scores(counts)}
        better = (
            logs["loss"] < state.best
            if scoring.watch == "loss"
            else (logs[scoring.watch] > state.best)
        )
        if better or not state.best_epoch:
            state.best, state.best_epoch, state.waited = logs[scoring.watch], state.epoch, 0
            self.best = [read(variable) for variable in self.average.variables]
            if self.checkpoint:
                self.checkpoint.write_best(self.best)
        else:
            state.waited += 1
        # The first one compiles, and tells nothing of those to come.
        self.validation_seconds = time.monotonic() - began if self.validated else 0.0
        self.validated = time.monotonic()
        return {f"val_{name}": value for name, value in logs.items()}

    def _over(self) -> bool:
        state, patience = self.state, self.recipe.patience
        return (
            state.finished
            or bool(self.main.stop_training)
            or (patience is not None and state.waited >= patience)
            or (self.epochs is not None and state.epoch >= self.epochs)
            or (self.budget is not None and self.share_done() >= 1)
        )

    def _to_come(self) -> float:
        """Seconds that the next step and the last validation take; the budget holds them."""
        return self.step_seconds + self.validation_seconds

    def _finish(self) -> None:
        """Leave the best weights in the model."""
        if self.best is not None:
            for variable, value in zip(self.average.variables, self.best, strict=True):
                variable.assign(value)
        elif self.recipe.average and self.state.step:
            self.average.swap()
        self.state.finished = True

    def _stop(self, name: str) -> None:
        if self.checkpoint is None:
            raise StoppedError(f"Training was stopped by {name}; nothing was kept.")
        self.checkpoint.write(self.state)
        raise StoppedError(
            f"Training was stopped by {name} in epoch {self.state.epoch + 1}; go on with --resume."
        )

    def _diverged(self, value: float) -> None:
        kept = "nothing was kept" if self.checkpoint is None else "the last good checkpoint is kept"
        raise TrainingError(
            f"The loss or its gradient is no longer a finite number (loss {value} in epoch "
            f"{self.state.epoch + 1}, step {self.state.batch + 1}); {kept}. Lower "
            f"learning_rate (it is {self.recipe.learning_rate:g}) or set clip_norm when you "
            "resume, and check the images for values that are not finite."
        )

    def _group(
        self, variables: Sequence[keras.Variable], rate_factor: float = 1.0, start: float = 0.0
    ) -> Group:
        optimizer = make_optimizer(self.recipe.optimizer, self.recipe.weight_decay)
        optimizer.build(variables)
        return Group(optimizer, variables, rate_factor, start)

    def _variables(self) -> dict[str, Any]:
        kinds = {
            "model": self.model.variables,
            "average": self.average.averages,
            **{f"optimizer{n}": group.optimizer.variables for n, group in enumerate(self.groups)},
        }
        return {f"{kind}/{n}": v for kind, found in kinds.items() for n, v in enumerate(found)}
