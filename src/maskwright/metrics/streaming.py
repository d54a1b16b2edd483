"""Counts on tensors, which add up while a model trains."""

from typing import Any

import keras
from keras import ops

from maskwright.labels import IGNORE_LABEL
from maskwright.metrics.curves import BINS

Tensor = Any

_SPREAD = 4.0  # divides logits before they are binned, so that 20 still differs from 16


def count(
    labels: Tensor, logits: Tensor, num_classes: int, ignore_label: int | None = IGNORE_LABEL
) -> Tensor:
    """Count pixels by true and predicted class, int64 `(num_classes, num_classes)`.

    Labels are integers `(batch, height, width)`, logits `(batch, height, width, num_classes)`; a
    single channel is the foreground of two classes. Labels outside `[0, num_classes)`, and
    `ignore_label` unless it is `None`, are not counted.
    """
    batch = ops.shape(logits)[0]
    labels = ops.reshape(ops.cast(labels, "int32"), (batch, -1))
    counted = (labels >= 0) & (labels < num_classes)
    if ignore_label is not None:
        counted &= labels != ignore_label
    codes = labels * num_classes + _classes(ops.reshape(logits, (batch, -1, logits.shape[-1])))
    codes = ops.where(counted, codes, num_classes**2)
    counts = ops.bincount(ops.reshape(codes, (-1,)), minlength=num_classes**2 + 1)
    counts = ops.reshape(counts[:-1], (num_classes, num_classes))
    return ops.cast(counts, "int64")


def count_layers(labels: Tensor, logits: Tensor, ignore_label: int | None = IGNORE_LABEL) -> Tensor:
    """Sizes of truth, prediction and overlap of classes that overlap, int64 `(3, classes)`.

    Labels are 0, 1 or `ignore_label`, logits those of single classes, 0 and more for the class;
    both `(batch, height, width, classes)`. The result is a tally, as `metrics.tally` makes it.
    """
    labels = ops.cast(labels, "int32")
    counted = (labels == 0) | (labels == 1)
    if ignore_label is not None:
        counted &= labels != ignore_label
    truth, guess = counted & (labels == 1), counted & (logits >= 0)
    masks = ops.stack([truth, guess, truth & guess])
    return ops.sum(ops.cast(masks, "int64"), axis=(1, 2, 3))


def _classes(logits: Tensor) -> Tensor:
    """First class of the highest logit, int32 `(batch, pixels)`; on a CPU faster than `argmax`."""
    if logits.shape[-1] == 1:
        return ops.cast(logits[..., 0] > 0, "int32")
    logits = ops.transpose(logits, (0, 2, 1))
    highest = logits == ops.max(logits, axis=1, keepdims=True)
    classes = ops.arange(logits.shape[1], dtype="int32")[:, None]
    last = logits.shape[1] - 1  # of a pixel of nan, where no logit is the highest
    return ops.min(ops.where(highest, classes, last), axis=1)


def count_scores(labels: Tensor, logits: Tensor) -> Tensor:
    """Histograms of the scores of negatives and positives, int64 `(2, BINS)`.

    They add up over batches and workers, for `metrics.binned_scores`. Bins are equal parts of the
    sigmoid of a quarter of the logit, which resolves high probabilities; the upper half holds the
    logits from 0 up. Labels and logits are `(batch,)` or `(batch, 1)`; labels other than 0 and 1
    are not counted, a logit of nan counts as the lowest.
    """
    labels = ops.cast(ops.reshape(labels, (-1,)), "int32")
    scores = ops.sigmoid(ops.cast(ops.reshape(logits, (-1,)), "float32") / _SPREAD)
    scores = ops.where(ops.isnan(scores), 0.0, scores)
    places = ops.minimum(ops.cast(scores * BINS, "int32"), BINS - 1)
    counted = (labels == 0) | (labels == 1)
    codes = ops.where(counted, labels * BINS + places, 2 * BINS)
    counts = ops.bincount(codes, minlength=2 * BINS + 1)
    return ops.cast(ops.reshape(counts[:-1], (2, BINS)), "int64")


@keras.saving.register_keras_serializable(package="maskwright")
class ConfusionMatrix(keras.metrics.Metric):
    """Pixels counted by true and predicted class, and the scores that follow from them.

    `counts`, int64 `(num_classes, num_classes)`, has true classes in rows; `result` gives a
    dictionary of `mean_iou`, `mean_dice` and `pixel_accuracy` over all batches. As in
    `metrics.confusion`, a class that is in neither mask is left out of the means; where nothing was
    counted at all, scores are 0, because a nan would stop training. Arguments are as of `count`.
    """

    def __init__(
        self,
        num_classes: int,
        ignore_label: int | None = IGNORE_LABEL,
        name: str = "confusion_matrix",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.counts = self.add_variable(
            shape=(num_classes, num_classes), initializer="zeros", dtype="int64", name="counts"
        )

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add the pixels of a batch: labels and logits as of `count`; `ValueError` for weights."""
        if sample_weight is not None:
            raise ValueError("`ConfusionMatrix` counts whole pixels and takes no weights.")
        self.counts.assign_add(count(y_true, y_pred, self.num_classes, self.ignore_label))

    def result(self) -> dict[str, Tensor]:
        """Scores over all batches, each a float32 scalar."""
        counts = ops.cast(self.counts, "float32")
        hit = ops.diagonal(counts)
        truth, predicted = ops.sum(counts, axis=1), ops.sum(counts, axis=0)
        present = ops.cast(truth + predicted > 0, "float32")
        num_present = ops.maximum(ops.sum(present), 1.0)
        union = ops.maximum(truth + predicted - hit, 1.0)
        both = ops.maximum(truth + predicted, 1.0)
        return {
            "mean_iou": ops.sum(hit / union) / num_present,
            "mean_dice": ops.sum(2 * hit / both) / num_present,
            "pixel_accuracy": ops.sum(hit) / ops.maximum(ops.sum(truth), 1.0),
        }

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the metric."""
        arguments = {"num_classes": self.num_classes, "ignore_label": self.ignore_label}
        return {**super().get_config(), **arguments}
