"""Losses that add up over pixels, and the base of all losses of masks."""

import re
from collections.abc import Callable
from inspect import signature
from typing import Any, ClassVar, NamedTuple

import keras
from keras import ops

from maskwright.labels import IGNORE_LABEL

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


LOSSES: dict[str, type["MaskLoss"]] = {}
"""Losses by the names that settings have for them: every subclass of `MaskLoss` with a `code`."""


class MaskLoss(keras.losses.Loss):
    """A loss of masks with a weight for each pixel; subclasses fill in `measure`.

    All losses take its arguments besides their own, and keep their own under their names. Weights
    of pixels go in before an overlap is computed, where Keras's `sample_weight` comes too late.

    Args:
        ignore_label: Label of pixels that do not count, or `None` where all do.
        name: That of the class in small letters when left out.

    Call arguments:
        y_true: Integer labels, `(batch, height, width)`.
        y_pred: Logits, `(batch, height, width, classes)`; a single channel is the foreground.
        sample_weight: Weights of pixels, `(batch, height, width)`, or of images, `(batch,)`.

    Attributes:
        code: Name in settings, such as `"ce"`.
    """

    code: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in vars(cls):
            LOSSES[cls.code] = cls

    def __init__(
        self, ignore_label: int | None = IGNORE_LABEL, name: str | None = None, **kwargs: Any
    ) -> None:
        words = re.findall("[A-Z][a-z]*", type(self).__name__)
        super().__init__(name=name or "_".join(words).lower(), **kwargs)
        self.ignore_label = ignore_label

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

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Value of each image; `y_true` is labels, or labels and weights of pixels."""
        labels, weights = y_true if isinstance(y_true, tuple) else (y_true, None)
        return self.per_image(labels, y_pred, weights)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Any:
        """Value of the batch, reduced as the loss was constructed."""
        if sample_weight is not None and len(sample_weight.shape) > 1:
            return super().__call__((y_true, sample_weight), y_pred)
        return super().__call__(y_true, y_pred, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the loss, all of which a loss keeps under their names."""
        names = signature(type(self).__init__).parameters.keys() - {"self", "name", "kwargs"}
        config = {name: getattr(self, name) for name in sorted({*names, "ignore_label"})}
        return {**super().get_config(), **config}


def pixel_mean(values: Tensor, counted: Tensor) -> Tensor:
    """Sum of the values of an image divided by its number of counted pixels.

    Weights are in the values and not in the divisor: with a mean of one over all pixels they move
    attention between classes and leave the learning rate alone.
    """
    return ops.sum(values, axis=(1, 2)) / ops.maximum(counted, 1.0)


@keras.saving.register_keras_serializable(package="maskwright")
class CrossEntropy(MaskLoss):
    """Mean over pixels of minus the logarithm of the probability given to the true class.

    Args:
        smoothing: Share of the truth spread evenly over all classes, 0 to 1.

    Source of the smoothing: Szegedy et al., Rethinking the Inception architecture, 2016.
    """

    code = "ce"

    def __init__(self, smoothing: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.smoothing = smoothing

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        truth = pixels.truth
        if self.smoothing:
            even = pixels.weights / truth.shape[1]
            truth = (1 - self.smoothing) * truth + self.smoothing * even
        return pixel_mean(-truth * pixels.log_probabilities, pixels.counted)


@keras.saving.register_keras_serializable(package="maskwright")
class Focal(MaskLoss):
    """Cross-entropy in which pixels that are already right count little.

    Args:
        gamma: Power of the probability missed that multiplies the cross-entropy of a pixel; 0 is
            plain cross-entropy.

    Source: Lin et al., Focal loss for dense object detection, 2017. Its alpha is left to the
    weights of the classes, and the sum is divided by all counted pixels.
    """

    code = "focal"

    def __init__(self, gamma: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gamma = gamma

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        # A power below one has no gradient at 0; 1e-7 is what float32 can tell from a sure pixel.
        missed = ops.maximum(-ops.expm1(pixels.log_probabilities), 1e-7)
        values = pixels.truth * pixels.log_probabilities * ops.power(missed, self.gamma)
        return pixel_mean(-values, pixels.counted)


@keras.saving.register_keras_serializable(package="maskwright")
class HardPixels(MaskLoss):
    """Online hard example mining: mean cross-entropy over the pixels in which it is largest.

    Args:
        share: Share of the pixels of an image that count, above 0; 1 is plain cross-entropy. At
            least one pixel counts, and with it all of equal cross-entropy. Pixels are ranked by
            their cross-entropy times their weight; those of weight 0 do not count.

    Source: Shrivastava et al., Training region-based object detectors with online hard example
    mining, 2016, with pixels in place of regions, as Wu et al., High-performance semantic
    segmentation using very deep fully convolutional networks, 2016.
    """

    code = "ohem"

    def __init__(self, share: float = 0.25, **kwargs: Any) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"`share` must be above 0 and at most 1. Received: {share}")
        super().__init__(**kwargs)
        self.share = share

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        values = -ops.sum(pixels.truth * pixels.log_probabilities, axis=1)
        counts = pixels.weights[:, 0] > 0
        # Ascending, with what does not count in front.
        ranked = ops.sort(ops.where(counts, ops.stop_gradient(values), -1.0), axis=-1)
        number = ops.ceil(self.share * ops.sum(ops.cast(counts, "float32"), axis=-1))
        place = ops.shape(values)[1] - ops.cast(ops.maximum(number, 1.0), "int32")
        least = ops.take_along_axis(ranked, place[:, None], axis=-1)
        chosen = ops.cast(ops.logical_and(counts, values >= least), values.dtype)
        return ops.sum(values * chosen, axis=-1) / ops.maximum(ops.sum(chosen, axis=-1), 1.0)
