"""Losses that add up over pixels."""

from typing import Unpack

import keras
from keras import ops

from maskwright.losses.base import LossOptions, MaskLoss, Pixels, Tensor


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

    Other arguments, and those of a call, are those of `MaskLoss`.

    Source of the smoothing: Szegedy et al., Rethinking the Inception architecture, 2016.
    """

    code = "ce"

    def __init__(self, smoothing: float = 0.0, **kwargs: Unpack[LossOptions]) -> None:
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

    Other arguments, and those of a call, are those of `MaskLoss`.

    Source: Lin et al., Focal loss for dense object detection, 2017. Its alpha is left to the
    weights of the classes, and the sum is divided by all counted pixels.
    """

    code = "focal"

    def __init__(self, gamma: float = 2.0, **kwargs: Unpack[LossOptions]) -> None:
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

    Other arguments, and those of a call, are those of `MaskLoss`.

    Source: Shrivastava et al., Training region-based object detectors with online hard example
    mining, 2016, with pixels in place of regions, as Wu et al., High-performance semantic
    segmentation using very deep fully convolutional networks, 2016.
    """

    code = "ohem"

    def __init__(self, share: float = 0.25, **kwargs: Unpack[LossOptions]) -> None:
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
