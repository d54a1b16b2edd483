"""Labels, predictions and weights as Keras passes them to losses and metrics, in one form."""

from typing import Any

import tensorflow as tf
from keras import ops

Tensor = Any

_LEAST = 1e-7  # probabilities are kept this far from 0 and 1, as Keras keeps them


def class_labels(
    owner: str, y_true: Tensor, y_pred: Tensor, ignore_label: int | None = None
) -> Tensor:
    """Labels int32 `(batch, height, width)` for predictions `(batch, height, width, classes)`.

    Args:
        owner: Name of the loss or metric, for errors.
        y_true: Integers, `(batch, height, width)` or `(batch, height, width, 1)`, or one-hot,
            `(batch, height, width, classes)`. One channel of predictions stands for two classes.
        ignore_label: Label of pixels that are 0 at all classes of a one-hot mask, as `one_hot`
            makes them of labels of no class; `None` makes them class 0.

    Raises:
        ValueError: If the shapes do not fit.
    """
    predicted = check_predictions(owner, y_pred)
    truth, num_classes = _shape(owner, "labels", y_true), max(predicted[-1], 2)
    forms: tuple[tuple[int, ...], ...] = ((), (1,), (num_classes,))
    if truth[3:] not in forms or not _agree(truth[:3], predicted[:3]):
        raise ValueError(
            f"`{owner}` expects labels (batch, height, width), as integers, or one-hot with "
            f"{num_classes} channels, of the size of the predictions {_text(predicted)}; received "
            f"labels of shape {_text(truth)}."
        )
    if len(truth) == 3:
        return ops.cast(y_true, "int32")
    if truth[3] == 1:
        return ops.cast(y_true[..., 0], "int32")
    labels = ops.cast(ops.argmax(y_true, axis=-1), "int32")
    if ignore_label is None:
        return labels
    return ops.where(ops.max(y_true, axis=-1) > 0, labels, ignore_label)


def check_range(owner: str, labels: Tensor, num_classes: int, ignore_label: int | None) -> None:
    """Raise `InvalidArgumentError` where a label is that of no class and not ignored."""
    known = (labels >= 0) & (labels < num_classes)
    if ignore_label is not None:
        known |= labels == ignore_label
    message = (
        f"`{owner}` expects labels from 0 to {num_classes - 1} for {num_classes} classes, or "
        f"`ignore_label={ignore_label}`; received others: subtract 1 from labels that begin at 1, "
        f"divide masks of 0 and 255 by 255."
    )
    tf.debugging.Assert(ops.all(known), [message])


def overlapping_labels(owner: str, y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Labels int32 of classes that overlap, in the shape of the predictions; else `ValueError`."""
    truth, predicted = _shape(owner, "labels", y_true), check_predictions(owner, y_pred)
    if not _agree(truth, predicted):
        raise ValueError(
            f"`{owner}` expects a layer of 0 and 1 for each class, in the shape of the predictions "
            f"{_text(predicted)}; received labels of shape {_text(truth)}."
        )
    return ops.cast(y_true, "int32")


def check_predictions(owner: str, y_pred: Tensor) -> tuple[int, ...]:
    """Shape of predictions; `ValueError` unless it is `(batch, height, width, classes)`."""
    shape = _shape(owner, "predictions", y_pred)
    if len(shape) != 4 or shape[-1] is None:
        raise ValueError(
            f"`{owner}` expects predictions (batch, height, width, classes) with a known number of "
            f"classes; received predictions of shape {_text(shape)}."
        )
    return shape


def as_logits(
    owner: str, y_pred: Tensor, from_logits: bool, *, overlapping: bool = False
) -> Tensor:
    """Predictions as logits: as they are, or logits of which the probabilities are theirs.

    Those of a single channel, and of `overlapping` classes, are logits of a sigmoid, others of a
    softmax. `ValueError` where the last layer of a model is seen to give the other of the two.
    """
    # As Keras's own crossentropies find them: its activations keep their input, a graph its names.
    # A layer without activation ends in a convolution or the sum with its bias.
    operation = None if hasattr(y_pred, "numpy") else getattr(y_pred, "op", None)
    kind = getattr(operation, "type", "")
    if from_logits and (hasattr(y_pred, "_keras_logits") or kind in ("Sigmoid", "Softmax")):
        raise ValueError(
            f"`{owner}` expects logits and received the output of a sigmoid or softmax: pass "
            f"`from_logits=False`, or leave the activation out of the model."
        )
    if not from_logits and kind in ("AddV2", "BiasAdd", "Conv2D"):
        raise ValueError(
            f"`{owner}(from_logits=False)` expects probabilities and received the output of a "
            f"layer without activation: pass `from_logits=True`, or add a sigmoid or softmax."
        )
    if from_logits:
        return y_pred
    probabilities = ops.clip(ops.cast(y_pred, "float32"), _LEAST, 1 - _LEAST)
    logits = ops.log(probabilities)
    alone = overlapping or y_pred.shape[-1] == 1
    return logits - ops.log1p(-probabilities) if alone else logits


def split_weights(
    owner: str, sample_weight: Tensor | None, y_pred: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """Weights of pixels `(batch, height, width)`, and of images `(batch,)`; one is `None`, or both.

    `sample_weight` has one of these shapes, or further axes of 1; `ValueError` for others.
    """
    if sample_weight is None:
        return None, None
    shape, predicted = _shape(owner, "weights", sample_weight), check_predictions(owner, y_pred)
    if all(side == 1 for side in shape[1:]):
        return None, ops.reshape(sample_weight, (-1,)) if shape else sample_weight
    if shape[3:] not in ((), (1,)) or not _agree(shape[:3], predicted[:3]):
        raise ValueError(
            f"`{owner}` expects `sample_weight` of images, (batch,), or of pixels, (batch, height, "
            f"width), for predictions {_text(predicted)}; received weights of shape "
            f"{_text(shape)}."
        )
    return ops.reshape(sample_weight, ops.shape(sample_weight)[:3]), None


def _shape(owner: str, what: str, tensor: Tensor) -> tuple[Any, ...]:
    """Static shape, `None` where a side is unknown."""
    try:
        return tuple(tensor.shape)
    except ValueError:  # of TensorFlow, for an unknown number of axes
        raise ValueError(
            f"`{owner}` expects {what} of a known number of axes; state them in the data set by "
            f"`tf.ensure_shape`."
        ) from None


def _agree(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    """Whether two shapes may be equal, as far as they are known."""
    pairs = zip(first, second, strict=False)
    return len(first) == len(second) and all(None in pair or pair[0] == pair[1] for pair in pairs)


def _text(shape: tuple[Any, ...]) -> str:
    """A shape with its unknown sides as `None`."""
    return f"({', '.join(map(str, shape))})"
