"""What is learned: batches, a loss, and how what comes out is scored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from maskwright.data.pipeline.arrays import Arrays
from maskwright.data.pipeline.augment import Augmentation
from maskwright.data.pipeline.batches import eval_batches, steps_per_epoch, train_batches
from maskwright.losses import MaskLoss
from maskwright.metrics.confusion import scores
from maskwright.metrics.streaming import count
from maskwright.training.distribute import Shard, add_up
from maskwright.training.steps import Objective

Tensor = Any


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """Scores of many batches: integers that add up, divided at the end.

    Args:
        count: From the labels of a batch and what the model said to integers of `shape`.
        shape: Of the counts.
        scores: From added counts to scores by name.
        titles: Names of the scores that are shown while training, for people.
        watch: Score by which the best weights are chosen; `"loss"` for the lowest loss.
    """

    count: Callable[[Any, Any], Tensor]
    shape: tuple[int, ...]
    scores: Callable[[np.ndarray], dict[str, float]]
    titles: Mapping[str, str] = field(default_factory=dict)
    watch: str = "loss"

    def nothing(self) -> np.ndarray:
        """Counts of no batch, int64."""
        return np.zeros(self.shape, np.int64)


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a model learns.

    Args:
        objective: What is to be lowered; see `steps.Objective`.
        scoring: How what the model says is scored.
        train: From epoch, batches to skip and shard, as `train_batches` takes them, to the batches
            of that epoch: inputs of the model, labels and weights.
        steps: Batches in an epoch.
        validation: Gives the batches that choose the best weights; `None` where there are none.
    """

    objective: Objective
    scoring: Scoring
    train: Callable[[int, int, Shard], tf.data.Dataset]
    steps: int
    validation: Callable[[], tf.data.Dataset] | None = None


def from_logits(loss: MaskLoss, auxiliary_weight: float = 0.0) -> Objective:
    """Objective of a model that gives logits, scored by these.

    The model may give auxiliary logits behind the main ones; the loss is then the mean of theirs
    and its own, in which theirs weigh `auxiliary_weight` each.
    """

    def objective(model: keras.Model, batch: Any, training: bool) -> tuple[Tensor, Tensor]:
        inputs, labels, weights = batch
        gather = add_up if training else None
        logits, *auxiliary = tf.nest.flatten(model(inputs, training=training))
        values = loss.per_image(labels, logits, weights, gather)
        for more in auxiliary:
            values += auxiliary_weight * loss.per_image(labels, more, weights, gather)
        return values / (1.0 + auxiliary_weight * len(auxiliary)), logits

    return objective


def segmentation(
    loss: MaskLoss,
    train: Arrays,
    validation: Arrays | None = None,
    *,
    num_classes: int,
    batch_size: int,
    augmentation: Augmentation,
    seed: int = 0,
    crop: tuple[int, int] | None = None,
    favor: np.ndarray | None = None,
    class_weights: np.ndarray | None = None,
    passes: int = 1,
    auxiliary_weight: float = 0.0,
) -> Task:
    """Masks from images.

    Args:
        loss: Of masks.
        train: Samples to learn from.
        validation: Samples to choose the best weights by mean Dice.
        num_classes: Two or more; a model of one channel tells two.
        batch_size: Images in a step, of all workers together.
        augmentation: Of training samples.
        seed: Of order and augmentation.
        crop: As `train_batches` takes it; validation then goes over tiles of that size.
        favor: As `train_batches` takes it.
        class_weights: As `train_batches` takes it.
        passes: Passes over the samples that make an epoch.
        auxiliary_weight: Of the loss of each auxiliary output of the model.
    """

    def batches(epoch: int, skip: int, shard: Shard) -> tf.data.Dataset:
        return train_batches(
            train,
            batch_size,
            seed,
            epoch * passes,
            augmentation,
            crop,
            favor,
            class_weights,
            skip=skip,
            shard=shard,
            epochs=passes,
        )

    return Task(
        objective=from_logits(loss, auxiliary_weight),
        scoring=Scoring(
            count=partial(count, num_classes=num_classes),
            shape=(num_classes, num_classes),
            scores=_mask_scores,
            titles={"mean_dice": "mean Dice", "mean_iou": "mean IoU"},
            watch="mean_dice",
        ),
        train=batches,
        steps=steps_per_epoch(len(train), batch_size) * passes,
        validation=partial(eval_batches, validation, batch_size, crop)
        if validation is not None and len(validation)
        else None,
    )


def _mask_scores(counts: np.ndarray) -> dict[str, float]:
    found = scores(counts)
    names = ("mean_dice", "mean_iou", "pixel_accuracy")
    return {name: float(getattr(found, name)) for name in names}
