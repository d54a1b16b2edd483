"""Learning rate finder: a short training run with an exponentially rising learning rate."""

import itertools
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from maskwright.errors import ConfigError, TrainingError
from maskwright.training.loop import TrainingLoop
from maskwright.training.setup import LearningTask, Recipe
from maskwright.training.steps import read

if TYPE_CHECKING:
    from maskwright.display.figures import NotebookFigure

_MIN_STEPS = 20  # below, neighboring rates are too far apart
_MOMENTUM = 0.9  # of the exponential average of the loss that ends the run
_DIVERGED = 4.0  # times the lowest averaged loss
_BANDWIDTH = 0.04  # standard deviation of the smoothing kernel, as a fraction of all steps


@dataclass(frozen=True)
class LearningRateCurve:
    """Training loss at exponentially rising learning rates, as measured and smoothed over steps.

    `suggestion` is the peak learning rate: a third of `lowest`, or `steepest` if higher.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float
    steepest: float
    lowest: float

    def plot(self) -> "NotebookFigure":
        """The losses and the suggested rate, as a figure of Matplotlib."""
        from maskwright.display.figures import NotebookFigure  # takes a second to import

        figure = NotebookFigure(figsize=(6.4, 4.0), layout="constrained")
        panel: Any = figure.subplots()
        panel.plot(self.rates, self.losses, ".", color="0.7", label="training loss")
        panel.plot(self.rates, self.smoothed, label="smoothed")
        panel.axvline(self.suggestion, color="C1", label=f"suggestion: {self.suggestion:.2g}")
        panel.axvline(self.steepest, c="C3", ls=":", label=f"steepest descent: {self.steepest:.2g}")
        panel.axvline(self.lowest, c="C2", ls=":", label=f"lowest loss: {self.lowest:.2g}")
        # Diverged losses at the highest rates lie outside the plot.
        low, start = min(self.smoothed), max(self.smoothed[: len(self.smoothed) // 2])
        limits = (low - 0.2 * (start - low), start + (start - low))
        panel.set(xscale="log", xlabel="learning rate", ylabel="loss", ylim=limits)
        panel.grid(alpha=0.3)
        panel.legend()
        return figure


def find_learning_rate(
    model: keras.Model,
    task: LearningTask,
    recipe: Recipe,
    *,
    steps: int = 100,
    seconds: float | None = None,
    lowest: float = 1e-6,
    highest: float = 1.0,
) -> LearningRateCurve:
    """Learning rate range test: train with a rising learning rate and record the loss.

    Steps are those of a training run: its batches, augmentation, loss, optimizer and gradient
    clipping. The encoder trains at its fraction of the learning rate, or not at all if the recipe
    keeps it frozen to the end. The run ends early when the exponential average of the loss exceeds
    four times its minimum or is not finite.

    The suggestion is a third of the rate of the lowest smoothed loss. The usual choice, the
    steepest descent, is too low for training runs of minutes, because much of the loss has been
    reduced before higher rates are reached; it is the lower bound of the suggestion.

    Args:
        model: Its weights are restored afterwards.
        recipe: Optimizer settings; learning rate, schedule and averaging are not used.
        steps: Number of steps from `lowest` to `highest`, at least 20.
        seconds: Time limit without compilation, which reduces `steps` to no less than 20.

    Raises:
        ConfigError: If `steps` is below 20, or not 0 < `lowest` < `highest`.
        TrainingError: If the loss falls at no learning rate.

    Source: Smith, Cyclical learning rates for training neural networks, 2017, which reads the curve
    by eye. On synthetic slides, a run at the steepest descent reached 0.72 mean Dice, one near a
    third of the lowest 0.96; on Oxford-IIIT Pet and CamVid a third of the lowest lies within a
    factor of two of the tuned learning rate, the steepest descent further below.
    """
    if steps < _MIN_STEPS:
        raise ConfigError(f"Expected at least {_MIN_STEPS} steps; received {steps}.")
    if not 0 < lowest < highest:
        raise ConfigError(f"Expected 0 < lowest < highest rate; received {lowest} and {highest}.")
    before = [read(variable) for variable in model.variables]
    loop = TrainingLoop(model, task, recipe=replace(recipe, average=0.0), epochs=1)
    groups = loop.parameters.groups
    if recipe.freeze >= 1 and len(groups) > 1:
        groups = loop.parameters.freeze_encoder(True)
    train_step = loop.make_step(groups)
    batches = itertools.chain.from_iterable(task.train(n, 0, None) for n in itertools.count())

    def step(number: int, rate: float) -> float:
        for group in groups:
            group.optimizer.learning_rate.assign(rate * group.rate_factor)
        return float(train_step(next(batches), tf.constant(float(number)), tf.constant(0.0))[0])

    number_of_steps, rates, losses = steps, [], []
    running, best = 0.0, math.inf
    try:
        # At a rate of 0 no weight changes: one step compiles, one is timed.
        step(0, 0.0)
        start = time.monotonic()
        step(0, 0.0)
        if seconds is not None:
            affordable = int(seconds / max(time.monotonic() - start, 1e-6))
            number_of_steps = max(min(steps, affordable), _MIN_STEPS)
        for number in range(number_of_steps):
            rate = lowest * (highest / lowest) ** (number / (number_of_steps - 1))
            loss = step(number, rate)
            if not math.isfinite(loss):
                break
            rates.append(rate)
            losses.append(loss)
            running = _MOMENTUM * running + (1 - _MOMENTUM) * loss
            # Bias correction, as in Adam: the average starts at 0.
            averaged = running / (1 - _MOMENTUM ** (number + 1))
            best = min(best, averaged)
            if averaged > _DIVERGED * best:
                break
    finally:
        for variable, value in zip(model.variables, before, strict=True):
            variable.assign(value)
    return suggest(rates, losses, steps)


def suggest(rates: list[float], losses: list[float], steps: int) -> LearningRateCurve:
    """Smooth a curve and suggest a learning rate, as `find_learning_rate` describes."""
    # Gaussian smoothing with weights renormalized at both ends.
    distances = np.subtract.outer(np.arange(len(losses)), np.arange(len(losses)))
    kernel = np.exp(-0.5 * np.square(distances / max(_BANDWIDTH * steps, 1.0)))
    smoothed = kernel @ np.array(losses) / kernel.sum(axis=1)
    slopes = np.gradient(smoothed, np.log(rates)) if len(rates) > 2 else np.zeros(len(rates))
    least = int(np.argmin(smoothed)) if len(rates) else 0
    falling = slopes[: least + 1]
    if not len(falling) or falling.min() >= 0:
        raise TrainingError(
            f"The loss fell at no learning rate in {len(rates)} steps: check images and masks with "
            "`maskwright check`, or increase the number of steps."
        )
    steepest, lowest = rates[int(np.argmin(falling))], rates[least]
    return LearningRateCurve(
        tuple(rates),
        tuple(losses),
        tuple(smoothed.tolist()),
        suggestion=max(lowest / 3, steepest),
        steepest=steepest,
        lowest=lowest,
    )
