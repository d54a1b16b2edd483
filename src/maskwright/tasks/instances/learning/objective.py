"""Learning tasks of instance models: center and distance maps, or Mask R-CNN."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from maskwright.losses import MaskLoss
from maskwright.losses.detection import depth_loss
from maskwright.metrics.confusion import scores
from maskwright.metrics.streaming import count
from maskwright.models.condinst import CondInst, condinst_losses
from maskwright.models.rcnn import Rcnn, rcnn_losses
from maskwright.tasks.instances.learning.batches import (
    BOXES,
    DEPTHS,
    Target,
    eval_batches,
    train_batches,
)
from maskwright.tasks.instances.learning.targets import ObjectArrays
from maskwright.training import Batching, LearningTask, Objective, Scoring
from maskwright.training.distribute import Shard, add_up

Tensor = Any
Learned = tuple[Objective, Scoring, Target]
"""What a kind of model learns, and how it is scored."""

DEPTH_WEIGHT = 2.0
"""Weight of the loss of depth and center maps, relative to that of classes."""


def centers(loss: MaskLoss, num_classes: int, auxiliary_weight: float) -> Learned:
    """Classes, depth and center maps of a model with `num_classes + 2` channels.

    The loss of each auxiliary output of the model has `auxiliary_weight`.
    """

    def output_loss(outputs: Tensor, truth: Tensor, weights: Tensor, training: bool) -> Tensor:
        labels = tf.cast(truth[..., 0], tf.int32)
        reduce = add_up if training else None
        class_loss = loss.per_image(labels, outputs[..., :-2], weights, reduce)
        return class_loss + DEPTH_WEIGHT * depth_loss(outputs[..., -2:], truth[..., 1:], weights)

    def objective(model: keras.Model, batch: Any, training: bool) -> tuple[Tensor, Tensor]:
        images, truth, weights = batch
        outputs, *auxiliary = tf.nest.flatten(model(images, training=training))
        values = output_loss(outputs, truth, weights, training)
        for output in auxiliary:
            values += auxiliary_weight * output_loss(output, truth, weights, training)
        return values / (1.0 + auxiliary_weight * len(auxiliary)), outputs

    def confusion(truth: Tensor, outputs: Tensor) -> Tensor:
        return count(tf.cast(truth[..., 0], tf.int32), outputs[..., :-2], num_classes=num_classes)

    scoring = Scoring(
        count=confusion,
        shape=(num_classes, num_classes),
        scores=_class_scores,
        titles={"foreground_dice": "foreground Dice", "foreground_iou": "foreground IoU"},
    )
    return objective, scoring, DEPTHS


def detections(settings: Rcnn) -> Learned:
    """Boxes, classes and masks of a Mask R-CNN, which `mask_rcnn` built with the same settings."""
    titles = {"class_accuracy": "class accuracy", "mask_iou": "mask IoU"}
    return _detector(partial(_rcnn, settings), _proposal_counts, titles)


def conditional(settings: CondInst) -> Learned:
    """Scores and masks of a CondInst, which `condinst` built with the same settings."""
    titles = {"mask_iou": "mask IoU", "class_accuracy": "class accuracy"}
    return _detector(partial(_condinst, settings), _cell_counts, titles)


def _rcnn(settings: Rcnn, model: keras.Model, *batch: Any) -> Any:
    return rcnn_losses(model, settings, *batch)


def _condinst(settings: CondInst, model: keras.Model, *batch: Any) -> Any:
    return condinst_losses(model, settings, *batch)


def _detector(
    losses_of: Callable[..., Any], count: Callable[..., Tensor], titles: Mapping[str, str]
) -> Learned:
    """Sum of the losses of a detector, and scores of its positive regions or cells.

    `losses_of` gives losses and outputs of a model, images, truth, and whether it is in training.
    """

    def objective(
        model: keras.Model, batch: Any, training: bool
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        images, truth, weights = batch
        losses, outputs = losses_of(model, images, truth, training)
        return weights * tf.add_n(list(losses.values())), outputs

    scoring = Scoring(count=count, shape=(4,), scores=_proposal_scores, titles=titles)
    return objective, scoring, BOXES


def learning_task(
    learned: Learned, train: ObjectArrays, validation: ObjectArrays | None, batching: Batching
) -> LearningTask:
    """Task of `centers` or `detections`; validation samples, if any, select the best weights."""
    objective, scoring, target = learned

    def batches(epoch: int, skip: int, shard: Shard) -> tf.data.Dataset:
        schedule = batching.schedule(epoch, skip, shard)
        return train_batches(train, target, schedule, batching.augmentation, batching.crop)

    return LearningTask(
        objective=objective,
        scoring=scoring,
        train=batches,
        steps=batching.steps(len(train)),
        validation=partial(eval_batches, validation, target, batching.batch_size, batching.crop)
        if validation
        else None,
    )


def _class_scores(counts: np.ndarray) -> dict[str, float]:
    result = scores(counts, background=0)
    names = ("foreground_dice", "foreground_iou", "mean_dice", "mean_iou")
    return {name: float(getattr(result, name)) for name in names}


def _proposal_counts(truth: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> Tensor:
    """Counts of positive proposals and of those with the right class; pixels of the intersections
    and of the unions of their masks.
    """
    positive = outputs["positive"]
    correct = positive & (outputs["classes"] == outputs["labels"])
    predicted = outputs["masks"] & positive[..., None, None]
    masks = (outputs["wanted"] > 0.5) & positive[..., None, None]
    values = (positive, correct, predicted & masks, predicted | masks)
    return tf.stack([tf.reduce_sum(tf.cast(value, tf.int64)) for value in values])


def _cell_counts(truth: Mapping[str, Tensor], outputs: Mapping[str, Tensor]) -> Tensor:
    """Counts of positive cells and of those with the right class; pixels of the intersections and
    of the unions of their masks.
    """
    positive = outputs["positive"]
    predicted = outputs["masks"] & positive[..., None, None]
    masks = (outputs["wanted"] >= 0.5) & positive[..., None, None]
    values = (positive, outputs["correct"] & positive, predicted & masks, predicted | masks)
    return tf.stack([tf.reduce_sum(tf.cast(value, tf.int64)) for value in values])


def _proposal_scores(counts: np.ndarray) -> dict[str, float]:
    positive, correct, intersection, union = (float(value) for value in counts)
    return {"class_accuracy": correct / max(positive, 1), "mask_iou": intersection / max(union, 1)}
