"""What heads for single objects learn, as the training loop takes it."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from maskwright.losses import MaskLoss
from maskwright.losses.detection import depth_loss
from maskwright.metrics.confusion import scores
from maskwright.metrics.streaming import count
from maskwright.models.rcnn import Rcnn, RcnnParts, rcnn_losses
from maskwright.tasks.instances.batches import BOXES, DEPTHS, Target, eval_batches, train_batches
from maskwright.tasks.instances.targets import ObjectArrays
from maskwright.training.distribute import Shard, add_up
from maskwright.training.objective import Batching, LearningTask, Scoring
from maskwright.training.steps import Objective

Tensor = Any

DEPTH_WEIGHT = 2.0
"""Of the error of depths and centers, beside the loss of classes."""


def centers(
    loss: MaskLoss,
    train: ObjectArrays,
    validation: ObjectArrays | None = None,
    *,
    num_classes: int,
    auxiliary_weight: float = 0.0,
    batching: Batching,
) -> LearningTask:
    """Classes, depths and nearness to centers, of a model with `num_classes + 2` channels.

    Args:
        loss: Of the classes.
        train: Samples to learn from.
        validation: Samples to choose the best weights by.
        num_classes: With the background.
        auxiliary_weight: Of the loss of each auxiliary output of the model.
        batching: How samples become batches.
    """

    def of(said: Tensor, true: Tensor, weights: Tensor, training: bool) -> Tensor:
        labels = tf.cast(true[..., 0], tf.int32)
        own = loss.per_image(labels, said[..., :-2], weights, add_up if training else None)
        return own + DEPTH_WEIGHT * depth_loss(said[..., -2:], true[..., 1:], weights)

    def objective(model: keras.Model, batch: Any, training: bool) -> tuple[Tensor, Tensor]:
        images, true, weights = batch
        said, *auxiliary = tf.nest.flatten(model(images, training=training))
        values = of(said, true, weights, training)
        for more in auxiliary:
            values += auxiliary_weight * of(more, true, weights, training)
        return values / (1.0 + auxiliary_weight * len(auxiliary)), said

    def counted(true: Tensor, said: Tensor) -> Tensor:
        return count(tf.cast(true[..., 0], tf.int32), said[..., :-2], num_classes=num_classes)

    scoring = Scoring(
        count=counted,
        shape=(num_classes, num_classes),
        scores=_class_scores,
        titles={"mean_dice": "mean Dice", "mean_iou": "mean IoU"},
    )
    return _task(objective, scoring, DEPTHS, train, validation, batching)


def detections(
    settings: Rcnn,
    train: ObjectArrays,
    validation: ObjectArrays | None = None,
    *,
    batching: Batching,
) -> LearningTask:
    """Boxes, classes and masks, of a model that `models.rcnn.mask_rcnn` built.

    Args:
        settings: That it was built with.
        train: Samples to learn from.
        validation: Samples to choose the best weights by.
        batching: How samples become batches.
    """

    def objective(
        model: keras.Model, batch: Any, training: bool
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        images, true, weights = batch
        losses, said = rcnn_losses(RcnnParts.of(model), settings, images, true, training)
        return weights * tf.add_n(list(losses.values())), said

    scoring = Scoring(
        count=_region_counts,
        shape=(4,),
        scores=_region_scores,
        titles={"class_accuracy": "classes right", "mask_iou": "mask IoU"},
    )
    return _task(objective, scoring, BOXES, train, validation, batching)


def _task(
    objective: Objective,
    scoring: Scoring,
    target: Target,
    train: ObjectArrays,
    validation: ObjectArrays | None,
    batching: Batching,
) -> LearningTask:
    def batches(epoch: int, skip: int, shard: Shard) -> tf.data.Dataset:
        schedule = batching.schedule(epoch, skip, shard)
        return train_batches(train, target, schedule, batching.augmentation, batching.crop)

    return LearningTask(
        objective=objective,
        scoring=scoring,
        train=batches,
        steps=batching.steps(len(train)),
        validation=None
        if validation is None
        else partial(eval_batches, validation, target, batching.batch_size, batching.crop),
    )


def _class_scores(counts: np.ndarray) -> dict[str, float]:
    found = scores(counts)
    return {"mean_dice": float(found.mean_dice), "mean_iou": float(found.mean_iou)}


def _region_counts(true: Mapping[str, Tensor], said: Mapping[str, Tensor]) -> Tensor:
    """Of the positive regions that were drawn: how many, how many have their class; and pixels of
    the intersections and unions of their masks.
    """
    positive = said["positive"]
    right = positive & (said["classes"] == said["labels"])
    inside, wanted = said["masks"] & positive[..., None, None], said["wanted"] > 0.5
    wanted &= positive[..., None, None]
    values = (positive, right, inside & wanted, inside | wanted)
    return tf.stack([tf.reduce_sum(tf.cast(value, tf.int64)) for value in values])


def _region_scores(counts: np.ndarray) -> dict[str, float]:
    positive, right, shared, united = (float(value) for value in counts)
    return {"class_accuracy": right / max(positive, 1), "mask_iou": shared / max(united, 1)}
