"""Losses of boxes, classes and masks of single objects, each one value per image."""

from typing import Any

from keras import ops

Tensor = Any

_DEPTH_BETA = 0.1


def smooth_l1(errors: Tensor, beta: float) -> Tensor:
    """Huber's loss by its slope of 1: quadratic up to `beta`, then linear; elementwise.

    Source: Girshick, Fast R-CNN, 2015, equation 3, at `beta` 1.
    """
    size = ops.abs(errors)
    return ops.where(size < beta, 0.5 * ops.square(size) / beta, size - 0.5 * beta)


def box_loss(
    codes: Tensor, wanted: Tensor, positive: Tensor, counted: Tensor, beta: float
) -> Tensor:
    """Mean error of codes `(b, n, 4)` of positive boxes, over all that are counted.

    Whether boxes are `positive`, with an object, or `counted`, sampled, is bool `(b, n)`; `beta` is
    that of `smooth_l1`.

    Source: Ren et al., Faster R-CNN, 2015; the reference divides by all sampled boxes as well.
    """
    # Codes of other boxes may not be finite.
    errors = ops.where(positive[..., None], codes - wanted, 0.0)
    return _mean(ops.sum(smooth_l1(errors, beta), axis=-1), positive, counted)


def object_loss(logits: Tensor, positive: Tensor, counted: Tensor) -> Tensor:
    """Binary cross-entropy of anchors, object or not; all arguments `(b, n)`."""
    truth = ops.cast(positive, logits.dtype)
    return _mean(_cross_entropy(logits, truth), counted, counted)


def class_loss(logits: Tensor, labels: Tensor, counted: Tensor) -> Tensor:
    """Cross-entropy of classes; logits `(b, n, classes + 1)`, labels `(b, n)` with background 0."""
    truth = ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    values = -ops.sum(ops.log_softmax(logits) * truth, axis=-1)
    return _mean(values, counted, counted)


def mask_loss(logits: Tensor, labels: Tensor, wanted: Tensor, positive: Tensor) -> Tensor:
    """Binary cross-entropy of the masks of positive regions, of their true class alone.

    Logits are `(b, n, h, w, classes)`, labels from 1 `(b, n)`, masks `wanted` 0 or 1
    `(b, n, h, w)`, and whether a region has an object bool `(b, n)`.

    Source: He et al., Mask R-CNN, 2017, section 3.
    """
    classes = ops.one_hot(labels - 1, logits.shape[-1], dtype=logits.dtype)
    chosen = ops.einsum("bnhwk,bnk->bnhw", logits, classes)
    values = _cross_entropy(chosen, wanted)
    return _mean(ops.mean(values, axis=(2, 3)), positive, positive)


def _mean(values: Tensor, chosen: Tensor, counted: Tensor) -> Tensor:
    """Sum of the chosen values of each image by the number of the counted, `(b,)`."""
    total = ops.sum(ops.where(chosen, values, 0.0), axis=1)
    return total / ops.maximum(ops.sum(ops.cast(counted, values.dtype), axis=1), 1.0)


def depth_loss(values: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Error of depths and nearness to centers `(b, h, w, 2)`, in [0, 1] and 0 outside objects, with
    weights of pixels `(b, h, w)`; objects and background count half each.
    """
    errors = ops.sum(smooth_l1(values - wanted, _DEPTH_BETA), axis=-1)
    inside = ops.cast(wanted[..., 0] > 0, errors.dtype) * weights
    total = 0.0
    for part in (inside, weights - inside):
        total += ops.sum(errors * part, axis=(1, 2)) / ops.maximum(ops.sum(part, axis=(1, 2)), 1.0)
    return total / 2


def quality_focal_loss(
    negatives: tuple[Tensor, Tensor], positives: tuple[Tensor, Tensor, Tensor], power: float
) -> Tensor:
    """Cross-entropy of scores with the quality of what they stand for, by the error they have left.

    Args:
        negatives: Logits of all cells `(b, n, classes)`, and which of them have no object and are
            counted, float32 `(b, n)`.
        positives: Logits of cells with an object `(b, m, classes)`, the quality that is their
            truth, in [0, 1], and whether each counts, bool `(b, m)`.
        power: Exponent of the absolute error, by which each cross-entropy is multiplied.

    Returns:
        Sum over the cells by the number of positive ones, `(b,)`.

    Source: Li et al., Generalized focal loss, 2020, equation 2.
    """
    logits, counted = negatives
    total = ops.sum(_quality_focal(logits, 0.0, power) * counted, axis=1)
    logits, quality, positive = positives
    counted = ops.cast(positive, logits.dtype)
    total += ops.sum(_quality_focal(logits, quality, power) * counted, axis=1)
    return total / ops.maximum(ops.sum(counted, axis=1), 1.0)


def _quality_focal(logits: Tensor, truth: Tensor, power: float) -> Tensor:
    error = ops.abs(ops.sigmoid(logits) - truth)
    return ops.sum(_cross_entropy(logits, truth) * error**power, axis=-1)


def mask_dice_loss(logits: Tensor, wanted: Tensor, counted: Tensor, positive: Tensor) -> Tensor:
    """Mean over the positive objects of 1 less the soft Dice coefficient of their masks, `(b,)`.

    Logits and masks `wanted` in [0, 1] are `(b, n, h, w)`; `counted` is 0 where cells are ignored,
    `(b, 1, h, w)`; whether an object is positive is bool `(b, n)`.

    Source: Milletari et al., V-Net, 2016, with squares in the denominator.
    """
    predicted, truth = ops.sigmoid(logits) * counted, wanted * counted
    shared = ops.sum(predicted * truth, axis=(2, 3))
    total = ops.sum(ops.square(predicted) + ops.square(truth), axis=(2, 3))
    return _mean(1 - 2 * shared / ops.maximum(total, 1e-4), positive, positive)


def pixel_loss(logits: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
    """Mean binary cross-entropy of classes that may overlap, and 1 less their soft Dice, `(b,)`.

    Logits and the share of each class in each cell, `truth`, are `(b, h, w, classes)`; `counted` is
    0 where cells are ignored, `(b, h, w)`.
    """
    values = ops.sum(_cross_entropy(logits, truth), axis=-1) * counted
    mean = ops.sum(values, axis=(1, 2)) / ops.maximum(ops.sum(counted, axis=(1, 2)), 1.0)
    predicted, truth = (part * counted[..., None] for part in (ops.sigmoid(logits), truth))
    shared = ops.sum(predicted * truth, axis=(1, 2, 3))
    total = ops.sum(ops.square(predicted) + ops.square(truth), axis=(1, 2, 3))
    return mean + 1 - (2 * shared + 1) / (total + 1)


def _cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy, elementwise."""
    return ops.maximum(logits, 0) - logits * truth + ops.softplus(-ops.abs(logits))
