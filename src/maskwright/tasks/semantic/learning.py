"""Masks of classes as the training loop learns them."""

from functools import partial

import numpy as np
import tensorflow as tf

from maskwright.data.pipeline.arrays import Arrays
from maskwright.data.pipeline.batches import eval_batches, train_batches
from maskwright.losses import MaskLoss
from maskwright.metrics.confusion import scores
from maskwright.metrics.streaming import count
from maskwright.training.distribute import Shard
from maskwright.training.objective import Batching, LearningTask, Scoring, from_logits


def segmentation(
    loss: MaskLoss,
    train: Arrays,
    validation: Arrays | None = None,
    *,
    num_classes: int,
    batching: Batching,
    favor: np.ndarray | None = None,
    class_weights: np.ndarray | None = None,
    auxiliary_weight: float = 0.0,
) -> LearningTask:
    """Masks from images.

    Args:
        validation: Samples that select the best weights, by mean Dice.
        num_classes: Two or more; a model of one channel separates two.
    """

    def batches(epoch: int, skip: int, shard: Shard) -> tf.data.Dataset:
        return train_batches(
            train,
            batching.schedule(epoch, skip, shard),
            batching.augmentation,
            batching.crop,
            favor,
            class_weights,
        )

    return LearningTask(
        objective=from_logits(loss, auxiliary_weight),
        scoring=Scoring(
            count=partial(count, num_classes=num_classes),
            shape=(num_classes, num_classes),
            scores=_mask_scores,
            titles={"mean_dice": "mean Dice", "mean_iou": "mean IoU"},
            watch="mean_dice",
        ),
        train=batches,
        steps=batching.steps(len(train)),
        validation=partial(eval_batches, validation, batching.batch_size, batching.crop)
        if validation is not None and len(validation)
        else None,
    )


def _mask_scores(counts: np.ndarray) -> dict[str, float]:
    result = scores(counts)
    names = ("mean_dice", "mean_iou", "pixel_accuracy")
    return {name: float(getattr(result, name)) for name in names}
