"""Online hard example mining: cross-entropy of the hardest pixels alone."""

from typing import Any

import keras
from keras import ops

from maskwright.losses.pixel import AddUp, MaskLoss, Pixels, Tensor


@keras.saving.register_keras_serializable(package="maskwright")
class HardPixels(MaskLoss):
    """Mean cross-entropy over the share of each image's pixels in which it is largest.

    Pixels are ranked by their cross-entropy times their weight; those of weight 0 do not count.

    Args:
        share: Share of the pixels of an image that count, above 0; 1 is plain cross-entropy. At
            least one pixel counts, and with it all of equal cross-entropy.

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

    def measure(self, pixels: Pixels, add_up: AddUp | None) -> Tensor:
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
