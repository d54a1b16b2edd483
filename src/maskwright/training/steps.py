"""What is computed in one step, compiled: gradients, clipping, updates, moving average."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from maskwright.training.schedule import Group
from maskwright.training.setup import LearningTask, Recipe

Tensor = Any


def read(variable: Any) -> np.ndarray:
    """Value of a variable of Keras or TensorFlow, mirrored over replicas or not."""
    inner = variable.value if isinstance(variable, keras.Variable) else variable
    return np.asarray(inner.numpy())


class MovingAverage:
    """Average of the weights over the last part of the run so far.

    A fixed decay is too slow at the beginning or too quick at the end. Here the horizon is a
    `share` of the steps done, which fits runs of any length; 0 keeps the latest weights.

    Source: power-function averages, Karras et al., Analyzing and improving the training dynamics of
    diffusion models, 2024, with `1 / (1 + share * step)` as the weight of the newest.
    """

    def __init__(self, variables: Sequence[keras.Variable], share: float) -> None:
        self.share = share
        # Weights and running statistics; not the states of random generators.
        floats = [v for v in variables if np.issubdtype(np.dtype(v.dtype), np.floating)]
        self.variables = floats
        self.averages = [tf.Variable(variable.value, trainable=False) for variable in floats]

    def update(self, step: Tensor) -> None:
        """Take in the weights after step number `step`, float32 scalar, from 0."""
        newest = 1.0 / (1.0 + self.share * step)
        for average, variable in zip(self.averages, self.variables, strict=True):
            average.assign(average + newest * (tf.convert_to_tensor(variable) - average))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Averaged weights in the model within a `with` block."""
        if not self.share:
            yield
            return
        self.swap()
        try:
            yield
        finally:
            self.swap()

    def swap(self) -> None:
        """Exchange weights and averages; a second call changes them back."""
        for average, variable in zip(self.averages, self.variables, strict=True):
            weights = read(variable)
            variable.assign(read(average))
            average.assign(weights)


def make_train_step(
    strategy: tf.distribute.Strategy,
    model: keras.Model,
    task: LearningTask,
    recipe: Recipe,
    groups: Sequence[Group],
    average: MovingAverage,
) -> Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Compiled function that trains `groups` on one batch.

    Returns:
        Function of `(batch, step, seconds)`, batch as `LearningTask.train` gives it and two float32
        scalars, to: mean loss, norm of the gradients, counts of the scoring, and `seconds` averaged
        over workers, so that all agree on how much of a run is over.
    """
    variables = [variable for group in groups for variable in group.variables]
    replicas = strategy.num_replicas_in_sync

    def learn(batch: tuple[Any, Any, Any]) -> tuple[Tensor, Tensor, Tensor]:
        with tf.GradientTape() as tape:
            values, output = task.objective(model, batch, True)
            value = tf.reduce_sum(values) / recipe.batch_size
            if penalties := model.losses:  # of weights, which all replicas share
                value += tf.add_n(penalties) / replicas
        gradients = tape.gradient(value, [variable.value for variable in variables])
        whole = gradients
        if replicas > 1:
            context = tf.distribute.get_replica_context()
            whole = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = tf.linalg.global_norm(whole)
        if recipe.clip_norm:
            factor = tf.minimum(1.0, recipe.clip_norm / tf.maximum(norm, 1e-12))
            gradients = [gradient * factor for gradient in gradients]
        remaining = iter(gradients)
        for group in groups:
            # Keras adds the gradients of all replicas up, so each hands in its own.
            group.optimizer.apply([next(remaining) for _ in group.variables], group.variables)
        return value, norm / replicas, task.scoring.count(batch[1], output)

    @tf.function(reduce_retracing=True, autograph=False)
    def train_step(batch: Any, step: Tensor, seconds: Tensor) -> tuple[Tensor, ...]:
        value, norm, counts = strategy.run(learn, args=(batch,))
        if replicas > 1:
            add = tf.distribute.ReduceOp.SUM
            value, norm, counts = (
                strategy.reduce(add, x, axis=None) for x in (value, norm, counts)
            )
            shared = strategy.run(lambda x: x / replicas, args=(seconds,))
            seconds = strategy.reduce(add, shared, axis=None)
        if average.share:
            average.update(step)
        return value, norm, counts, seconds

    return train_step


def make_score_step(
    model: keras.Model, task: LearningTask
) -> Callable[[tuple[Any, Any, Any]], tuple[Tensor, Tensor]]:
    """Compiled function of a batch to its summed loss and the counts of the scoring."""

    @tf.function(reduce_retracing=True, autograph=False)
    def score_step(batch: tuple[Any, Any, Any]) -> tuple[Tensor, Tensor]:
        values, output = task.objective(model, batch, False)
        return tf.reduce_sum(values), task.scoring.count(batch[1], output)

    return score_step
