"""Counts on tensors, which add up while a model trains."""

from collections.abc import Sequence
from inspect import signature
from typing import Any, ClassVar

import keras
from keras import ops

from maskwright.labels import IGNORE_LABEL
from maskwright.losses.inputs import as_logits, check_predictions, class_labels, split_weights
from maskwright.metrics.curves import BINS

Tensor = Any

_SPREAD = 4.0  # divides logits before they are binned, so that 20 still differs from 16


def count(
    labels: Tensor,
    logits: Tensor,
    num_classes: int,
    ignore_label: int | None = IGNORE_LABEL,
    weights: Tensor | None = None,
) -> Tensor:
    """Count pixels by true and predicted class, int64 `(num_classes, num_classes)`.

    Labels are integers `(batch, height, width)`, logits `(batch, height, width, num_classes)`; a
    single channel is the foreground of two classes. Labels outside `[0, num_classes)`, and
    `ignore_label` unless it is `None`, are not counted. With weights of pixels, `(batch, height,
    width)`, or of images, `(batch,)`, each counts as much as it weighs, float64.
    """
    batch = ops.shape(logits)[0]
    labels = ops.reshape(ops.cast(labels, "int32"), (batch, -1))
    counted = (labels >= 0) & (labels < num_classes)
    if ignore_label is not None:
        counted &= labels != ignore_label
    codes = labels * num_classes + _classes(ops.reshape(logits, (batch, -1, logits.shape[-1])))
    codes = ops.where(counted, codes, num_classes**2)
    codes = ops.reshape(codes, (-1,))
    if weights is None:
        counts = ops.bincount(codes, minlength=num_classes**2 + 1)
    else:  # XLA, which Keras uses on a GPU, has sums by segment and no `bincount`
        weights = ops.broadcast_to(
            ops.reshape(ops.cast(weights, "float64"), (batch, -1)), ops.shape(labels)
        )
        counts = ops.segment_sum(ops.reshape(weights, (-1,)), codes, num_classes**2 + 1)
    counts = ops.reshape(counts[:-1], (num_classes, num_classes))
    return ops.cast(counts, "int64" if weights is None else "float64")


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

    `counts`, float64 `(num_classes, num_classes)`, has true classes in rows, and is exact up to
    2**53; `result` gives a dictionary of `mean_iou`, `mean_dice` and `pixel_accuracy` over all
    batches. As in `metrics.confusion`, a class that is in neither mask is left out of the means;
    where nothing was counted at all, scores are 0, because a nan would stop training.

    Args:
        num_classes: Number of classes, 2 for predictions of a single channel.
        ignore_label: Label of pixels that do not count, or `None`; labels outside
            `[0, num_classes)` never count.
        from_logits: Whether predictions are logits. Of several channels the highest is the class,
            either way; a single one is the foreground above 0, or above one half for `False`.
        name: Name in logs.
        dtype: As of `keras.metrics.Metric`.

    Call arguments:
        y_true: Integer or one-hot labels, as of `losses.MaskLoss`.
        y_pred: Logits or probabilities, `(batch, height, width, num_classes)` or one channel.
        sample_weight: Weights of pixels or of images, as of `losses.MaskLoss`; each pixel counts
            as much as it weighs. Keras gives them to `weighted_metrics` only.

    Raises:
        ValueError: If shapes or `from_logits` do not fit.
    """

    def __init__(
        self,
        num_classes: int,
        ignore_label: int | None = IGNORE_LABEL,
        from_logits: bool = True,
        name: str = "confusion_matrix",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.num_classes = num_classes
        self.ignore_label = ignore_label
        self.from_logits = from_logits
        self.counts = self.add_variable(
            shape=(num_classes, num_classes), initializer="zeros", dtype="float64", name="counts"
        )

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add the pixels of a batch, see the call arguments of the class."""
        owner = type(self).__name__
        channels = check_predictions(owner, y_pred)[-1]
        if channels != self.num_classes and (channels, self.num_classes) != (1, 2):
            raise ValueError(
                f"`{owner}(num_classes={self.num_classes})` expects predictions of as many "
                f"channels, or of one for two classes; received {channels} channels."
            )
        labels = class_labels(owner, y_true, y_pred, self.ignore_label)
        pixels, images = split_weights(owner, sample_weight, y_pred)
        if pixels is None:
            pixels = ops.ones((ops.shape(labels)[0],)) if images is None else images
        if channels == 1:
            y_pred = as_logits(owner, y_pred, self.from_logits)
        counts = count(labels, y_pred, self.num_classes, self.ignore_label, pixels)
        self.counts.assign_add(counts)

    def mean(self, score: str, classes: Sequence[int] | None = None) -> Tensor:
        """Mean `"iou"` or `"dice"` over classes, all for `None`, that are in either mask."""
        hit = ops.diagonal(self.counts)
        both = ops.sum(self.counts, axis=1) + ops.sum(self.counts, axis=0)
        divisor = ops.where(both > 0, both, 1.0)
        values = hit / (divisor - hit) if score == "iou" else 2 * hit / divisor
        present = ops.cast(both > 0, "float64")
        if classes is not None:
            values, present = (ops.take(each, list(classes)) for each in (values, present))
        mean = ops.sum(values * present) / ops.maximum(ops.sum(present), 1.0)
        return ops.cast(mean, self.dtype)

    def result(self) -> Any:
        """Scores over all batches, each a scalar."""
        hit, total = ops.sum(ops.diagonal(self.counts)), ops.sum(self.counts)
        accuracy = hit / ops.where(total > 0, total, 1.0)
        return {
            "mean_iou": self.mean("iou"),
            "mean_dice": self.mean("dice"),
            "pixel_accuracy": ops.cast(accuracy, self.dtype),
        }

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the metric, all of which are attributes of the same names."""
        names = signature(type(self).__init__).parameters.keys() - {"self", "name", "dtype"}
        return {**super().get_config(), **{name: getattr(self, name) for name in sorted(names)}}


@keras.saving.register_keras_serializable(package="maskwright")
class MeanIoU(ConfusionMatrix):
    """Mean over classes of intersection over union, from the pixels of all batches.

    It takes logits and probabilities as a model gives them, where `keras.metrics.MeanIoU` counts
    their integer part as a class unless told otherwise; ignored pixels do not count; and a class
    that is in neither mask is left out. Other arguments, and those of a call, are those of
    `ConfusionMatrix`.

    Args:
        target_class_ids: Classes to average over, such as `[1, 2]` to leave the background out, or
            `None` for all.
    """

    score: ClassVar[str] = "iou"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int] | None = None,
        ignore_label: int | None = IGNORE_LABEL,
        from_logits: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        name = name or f"mean_{self.score}"
        super().__init__(num_classes, ignore_label, from_logits, name, dtype)
        if not all(0 <= label < num_classes for label in target_class_ids or ()):
            raise ValueError(
                f"`target_class_ids` must lie from 0 to {num_classes - 1}. "
                f"Received: {target_class_ids}"
            )
        self.target_class_ids = target_class_ids

    def result(self) -> Tensor:
        """Mean of the score, a scalar; 0 where nothing was counted."""
        return self.mean(self.score, self.target_class_ids)


@keras.saving.register_keras_serializable(package="maskwright")
class MeanDice(MeanIoU):
    """Mean over classes of the Dice score, from the pixels of all batches; else as `MeanIoU`."""

    score = "dice"
