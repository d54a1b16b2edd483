"""Base of all losses of masks: what Keras gives becomes pixels with weights."""

import re
from collections.abc import Callable
from inspect import signature
from typing import Any, ClassVar, NamedTuple, TypedDict

import keras
from keras import ops

from maskwright.labels import IGNORE_LABEL
from maskwright.losses.inputs import as_logits, check_range, class_labels, split_weights

Tensor = Any
AddUp = Callable[[Tensor], Tensor]


class Pixels(NamedTuple):
    """Logits and labels of a batch, ready to be compared, made once for all terms of a sum.

    Classes come before pixels: sums over a last axis of few classes are what a softmax spends its
    time on, and this order takes half as long on a CPU with three classes.

    Args:
        truth: Weight of the pixel at its class and 0 elsewhere, `(batch, classes, pixels)`.
        log_probabilities: Of the same shape.
        weights: 0 where ignored, `(batch, 1, pixels)`.
        counted: Number of pixels that are not ignored, `(batch,)`.
        size: Height and width, whose product is `pixels`; pixels lie row by row.
        add_up: See `MaskLoss.per_image`.
    """

    truth: Tensor
    log_probabilities: Tensor
    weights: Tensor
    counted: Tensor
    size: tuple[Any, ...]
    add_up: AddUp | None


_SHARED = ("from_logits", "ignore_label")  # arguments of all losses

LOSSES: dict[str, type["MaskLoss"]] = {}
"""Losses by the names that settings have for them: every subclass of `MaskLoss` with a `code`."""


class LossOptions(TypedDict, total=False):
    """Arguments that all losses take besides their own; see `MaskLoss`."""

    ignore_label: int | None
    from_logits: bool
    name: str | None
    reduction: str | None
    dtype: Any


class MaskLoss(keras.losses.Loss):
    """A loss of masks with a weight for each pixel; subclasses fill in `measure`.

    All losses take its arguments besides their own, and keep their own under their names. Weights
    of pixels go in before an overlap is computed, where Keras's `sample_weight` comes too late.

    Args:
        ignore_label: Label of pixels that do not count, or `None` where all do.
        from_logits: Whether predictions are logits, as of all networks here; `False` for
            probabilities, of a model with a softmax, or a sigmoid on a single channel.
        name: That of the class in small letters when left out.
        reduction: As of `keras.losses.Loss`, of the values of images.

    Call arguments:
        y_true: Integer labels, `(batch, height, width)` or `(batch, height, width, 1)`, or
            one-hot labels, `(batch, height, width, classes)`, whose pixels of no class are ignored.
        y_pred: Logits or probabilities, `(batch, height, width, classes)`; a single channel is the
            foreground.
        sample_weight: Weights of pixels, `(batch, height, width)`, or of images, `(batch,)`.

    Raises:
        ValueError: If shapes do not fit, or the last layer of a model shows that its predictions
            are probabilities where logits are expected, or the other way round.
        tensorflow.errors.InvalidArgumentError: If a label is that of no class and not ignored; not
            in steps that XLA compiles.

    Attributes:
        code: Name in settings, such as `"ce"`.
    """

    code: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in vars(cls):
            LOSSES[cls.code] = cls

    def __init__(
        self,
        ignore_label: int | None = IGNORE_LABEL,
        from_logits: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        words = re.findall("[A-Z][a-z]*", type(self).__name__)
        super().__init__(name=name or "_".join(words).lower(), **kwargs)
        self.ignore_label = ignore_label
        self.from_logits = from_logits

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        raise NotImplementedError

    def per_image(
        self,
        labels: Tensor,
        logits: Tensor,
        pixel_weights: Tensor | None = None,
        add_up: AddUp | None = None,
    ) -> Tensor:
        """Value of each image, float32 `(batch,)`, neither weighted further nor reduced.

        Args:
            labels: Integers, `(batch, height, width)`.
            logits: `(batch, height, width, classes)`.
            pixel_weights: `(batch, height, width)`, or `None` for ones; ignored pixels weigh
                nothing whatever stands here.
            add_up: Adds a tensor up over all workers, for losses that see the whole batch; it must
                let gradients through. `None` where one worker has all of the batch.
        """
        logits = ops.cast(logits, "float32")
        if logits.shape[-1] == 1:  # the softmax of `[0, x]` is the sigmoid of `x`
            logits = ops.concatenate([ops.zeros_like(logits), logits], axis=-1)
        batch, *size, num_classes = ops.shape(logits)
        labels = ops.reshape(ops.cast(labels, "int32"), (batch, 1, -1))
        if self.ignore_label is None:
            weights = ops.ones_like(labels, dtype="float32")
        else:
            weights = ops.cast(labels != self.ignore_label, "float32")
        counted = ops.sum(weights, axis=(1, 2))
        if pixel_weights is not None:
            weights *= ops.reshape(ops.cast(pixel_weights, "float32"), (batch, 1, -1))
        truth = ops.cast(labels == ops.arange(num_classes)[:, None], "float32") * weights
        logits = ops.transpose(ops.reshape(logits, (batch, -1, num_classes)), (0, 2, 1))
        # The largest logit cancels, so no gradient flows through it; without it `exp` overflows.
        logits -= ops.stop_gradient(ops.max(logits, axis=1, keepdims=True))
        log_total = ops.log(ops.sum(ops.exp(logits), axis=1, keepdims=True))
        return self.measure(
            Pixels(truth, logits - log_total, weights, counted, tuple(size), add_up)
        )

    def labels_of(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Labels as `per_image` takes them; an error where shape or values do not fit."""
        owner = type(self).__name__
        labels = class_labels(owner, y_true, y_pred, self.ignore_label)
        check_range(owner, labels, max(y_pred.shape[-1], 2), self.ignore_label)
        return labels

    def logits_of(self, y_pred: Tensor) -> Tensor:
        """Logits as `per_image` takes them; `ValueError` where the model gives others."""
        return as_logits(type(self).__name__, y_pred, self.from_logits)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Value of each image; `y_true` is labels, or labels and weights of pixels."""
        labels, weights = y_true if isinstance(y_true, tuple) else (y_true, None)
        return self.per_image(self.labels_of(labels, y_pred), y_pred, weights)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Any:
        """Value of the batch, reduced as the loss was constructed."""
        weights, image_weights = split_weights(type(self).__name__, sample_weight, y_pred)
        truth = y_true if weights is None else (y_true, weights)
        return super().__call__(truth, self.logits_of(y_pred), image_weights)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the loss, all of which a loss keeps under their names."""
        names = signature(type(self).__init__).parameters.keys() - {"self", "name", "kwargs"}
        config = {name: getattr(self, name) for name in sorted({*names, *_SHARED})}
        return {**super().get_config(), **config}


def shared_arguments(loss: MaskLoss) -> dict[str, Any]:
    """Arguments that a loss of other losses has from them."""
    return {name: getattr(loss, name) for name in _SHARED}
