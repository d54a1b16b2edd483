"""A learning rate for a model and its data, found by trying all of them in one short run."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from maskwright.errors import ConfigError, TrainingError
from maskwright.training.loop import TrainingLoop
from maskwright.training.objective import LearningTask
from maskwright.training.options import Recipe
from maskwright.training.steps import read

_FEWEST = 20  # steps, below which neighboring rates are too far apart
_AVERAGE = 0.9  # of the running loss that says when to stop
_TOO_MUCH = 4.0  # times the lowest running loss
_BREADTH = 0.04  # of all steps: standard deviation of the bell that smooths the curve


@dataclass(frozen=True)
class RateCurve:
    """Losses at rising learning rates.

    Args:
        rates: Of each step, rising evenly in their logarithm.
        losses: Of the batch of each step, before it learned from it.
        smoothed: The losses, each averaged with its neighbors.
        suggestion: For the peak of a schedule: a third of the rate of the lowest smoothed loss, or
            that of the steepest fall where it is higher.
        steepest: Rate at which the smoothed loss falls most steeply.
        lowest: Rate at which the smoothed loss is lowest; higher ones undo what was learned.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float
    steepest: float
    lowest: float


def find_rate(
    model: keras.Model,
    task: LearningTask,
    recipe: Recipe,
    *,
    steps: int = 100,
    seconds: float | None = None,
    lowest: float = 1e-6,
    highest: float = 1.0,
) -> RateCurve:
    """Train with a rate that rises from step to step, and see how the loss falls.

    Steps are those of a run: its batches, augmentation, loss, optimizer and clipping. The encoder
    learns at its share of the rate, as after it was frozen; one that a run never thaws does not
    learn here. It ends early where the running loss, an exponential average, is above four times
    its lowest value or no number.

    Rates rise evenly in their logarithm. The losses are smoothed by a bell over neighboring steps
    (its standard deviation is a twenty-fifth of all steps). The suggestion, for the peak of a
    schedule, is a third of the rate of the lowest smoothed loss. Where the slope against the
    logarithm of the rate is most negative is the usual choice, but too careful for runs of minutes:
    by the time that higher rates are tried, most of what is quickly learned has been. It is a lower
    bound here.

    Args:
        model: As `Fit` takes it; its weights are put back afterwards.
        task: What it learns.
        recipe: How it learns; rate, schedule, freezing and average of weights play no part.
        steps: From the lowest rate to the highest, 20 or more.
        seconds: Fewer steps are taken, but not under 20, where they would take longer than this,
            compiling aside; `None` for no limit.
        lowest: First rate.
        highest: Last rate.

    Raises:
        ConfigError: If there are too few steps, or rates do not rise from above 0.
        TrainingError: If the loss falls at no rate.

    Source: Smith, Cyclical learning rates for training neural networks, 2017, which reads the curve
    by eye. On drawn slides a run at the steepest fall had 0.72 mean Dice, one near a third of the
    lowest 0.96; on pets and CamVid a third of the lowest lies within a factor of two of the rate
    that our recipes were tuned to, the steepest fall further below.
    """
    if steps < _FEWEST:
        raise ConfigError(f"Finding a rate takes {_FEWEST} steps or more; received {steps}.")
    if not 0 < lowest < highest:
        raise ConfigError(f"Expected rates rising from above 0; received {lowest} to {highest}.")
    before = [read(variable) for variable in model.variables]
    try:
        rates, losses = _try_rates(model, task, recipe, steps, seconds, lowest, highest)
    finally:
        for variable, value in zip(model.variables, before, strict=True):
            variable.assign(value)
    return suggest(rates, losses, steps)


def _try_rates(
    model: keras.Model,
    task: LearningTask,
    recipe: Recipe,
    steps: int,
    seconds: float | None,
    lowest: float,
    highest: float,
) -> tuple[list[float], list[float]]:
    """Rates and losses of the steps that were taken."""
    loop = TrainingLoop(model, task, recipe=replace(recipe, average=0.0), epochs=1)
    parameters = loop.parameters
    frozen = recipe.freeze >= 1 and len(parameters.groups) > 1
    groups = parameters.freeze_encoder(True) if frozen else parameters.groups
    learn, batches = loop.make_step(groups), _endless(task)

    def step(number: int, rate: float) -> float:
        for group in groups:
            group.optimizer.learning_rate.assign(rate * group.rate_factor)
        passed = tf.constant(float(number)), tf.constant(0.0)
        return float(learn(next(batches), *passed)[0])

    # At a rate of 0 nothing is learned: one step to compile, one to take the time.
    step(0, 0.0)
    began = time.monotonic()
    step(0, 0.0)
    if seconds is not None:
        affordable = int(seconds / max(time.monotonic() - began, 1e-6))
        steps = max(min(steps, affordable), _FEWEST)
    rates: list[float] = []
    losses: list[float] = []
    running, best = 0.0, math.inf
    for number in range(steps):
        rate = lowest * (highest / lowest) ** (number / (steps - 1))
        loss = step(number, rate)
        if not math.isfinite(loss):
            break
        rates.append(rate)
        losses.append(loss)
        running = _AVERAGE * running + (1 - _AVERAGE) * loss
        # An average that begins at 0 is too small by what it has not seen yet.
        seen = running / (1 - _AVERAGE ** (number + 1))
        best = min(best, seen)
        if seen > _TOO_MUCH * best:
            break
    return rates, losses


def _endless(task: LearningTask) -> Iterator[Any]:
    """Training batches, epoch after epoch."""
    epoch = 0
    while True:
        yield from task.train(epoch, 0, None)
        epoch += 1


def suggest(rates: list[float], losses: list[float], steps: int) -> RateCurve:
    """The curve and its suggestion, by the rule of `find_rate`.

    Args:
        rates: Of the steps that were taken.
        losses: Of these steps.
        steps: That were to be taken, which say how broadly losses are smoothed.

    Raises:
        TrainingError: If the loss falls at no rate.
    """
    smoothed = _smooth(np.array(losses), max(_BREADTH * steps, 1.0))
    slopes = np.gradient(smoothed, np.log(rates)) if len(rates) > 2 else np.zeros(len(rates))
    least = int(np.argmin(smoothed)) if len(rates) else 0
    falling = slopes[: least + 1]
    if not len(falling) or falling.min() >= 0:
        raise TrainingError(
            f"The loss fell at no learning rate in {len(rates)} steps; expected it to fall "
            "somewhere: check images and masks with `maskwright check`, or take more steps."
        )
    steepest, lowest = rates[int(np.argmin(falling))], rates[least]
    return RateCurve(
        tuple(rates),
        tuple(losses),
        tuple(smoothed.tolist()),
        suggestion=max(lowest / 3, steepest),
        steepest=steepest,
        lowest=lowest,
    )


def _smooth(values: np.ndarray, breadth: float) -> np.ndarray:
    """Average of each value with its neighbors, weighed by a bell; at the ends over fewer."""
    apart = np.subtract.outer(np.arange(len(values)), np.arange(len(values)))
    bell = np.exp(-0.5 * np.square(apart / breadth))
    return bell @ values / bell.sum(axis=1)


def draw_rates(curve: RateCurve) -> np.ndarray:
    """Picture of a curve, `(h, w, 3)` uint8: losses and the rates found."""
    from matplotlib.figure import Figure  # takes a second to import, and no display

    from maskwright.training.callbacks import render

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    panel: Any = figure.subplots()
    panel.plot(curve.rates, curve.losses, ".", color="0.7", label="loss of a batch")
    panel.plot(curve.rates, curve.smoothed, label="smoothed")
    panel.axvline(curve.suggestion, color="C1", label=f"suggestion, {curve.suggestion:.2g}")
    panel.axvline(curve.steepest, color="C3", ls=":", label=f"steepest fall, {curve.steepest:.2g}")
    panel.axvline(curve.lowest, color="C2", ls=":", label=f"lowest, {curve.lowest:.2g}")
    panel.set_xscale("log")
    # The last losses are meant to be beyond all measure.
    low, start = min(curve.smoothed), max(curve.smoothed[: len(curve.smoothed) // 2])
    panel.set_ylim(low - 0.2 * (start - low), start + (start - low))
    panel.set_xlabel("learning rate")
    panel.set_ylabel("loss")
    panel.grid(alpha=0.3)
    panel.legend()
    return render(figure)[..., :3]
