"""clDice: overlap of masks with each other's center lines."""

from typing import Any

import keras
from keras import ops

from maskwright.losses.pixel import MaskLoss, Pixels, Tensor

_LEAST = 1e-7


@keras.saving.register_keras_serializable(package="maskwright")
class CenterlineDice(MaskLoss):
    """One minus the overlap of each mask with the other's center lines, for thin structures.

    With soft skeletons of guess and truth, precision is the share of the guess's skeleton inside
    the truth, recall that of the truth's skeleton inside the guess; the value is one minus their
    harmonic mean, averaged over all classes but the first, which is taken for the background. A
    gap in a vessel costs the length that it breaks, however thin the vessel. The width of the
    guess is of no account, so that the paper adds it to Dice: `"dice+cldice"`.

    Args:
        iterations: Times that a mask is eroded by a pixel from each side: half the width of the
            broadest structure, pixels. Broader structures have no skeleton and do not count.
        smooth: Pixels added above and below; a class absent from both masks matches.

    Weights of pixels weigh their counts. Pixels that are ignored, or weigh nothing, are background
    in both masks. Time grows with iterations and with classes, and is that of a small network: on
    two cores a tenth of a second for sixteen masks of 128 px and one class beside the background.

    Source: Shit et al., clDice: a novel topology-preserving loss function for tubular structure
    segmentation, 2021.
    """

    code = "cldice"

    def __init__(self, iterations: int = 3, smooth: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.iterations = iterations
        self.smooth = smooth

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        weights, weighted = pixels.weights, pixels.truth[:, 1:]
        truth = ops.cast(weighted > 0, weighted.dtype)
        guess = ops.exp(pixels.log_probabilities[:, 1:]) * ops.cast(weights > 0, weighted.dtype)

        def thinned(mask: Tensor) -> Tensor:
            # Maxima over windows are quickest where all masks together are the channels of one.
            count = ops.shape(mask)[0] * mask.shape[1]
            across = ops.transpose(ops.reshape(mask, (count, -1)))
            skeleton = soft_skeleton(ops.reshape(across, (1, *pixels.size, count)), self.iterations)
            return ops.reshape(ops.transpose(ops.reshape(skeleton, (-1, count))), ops.shape(mask))

        guessed, true = thinned(guess) * weights, thinned(truth) * weights
        precision = self._share(ops.sum(guessed * truth, axis=-1), ops.sum(guessed, axis=-1))
        recall = self._share(ops.sum(true * guess, axis=-1), ops.sum(true, axis=-1))
        mean = 2 * precision * recall / ops.maximum(precision + recall, _LEAST)
        return ops.mean(1 - mean, axis=-1)

    def _share(self, part: Tensor, whole: Tensor) -> Tensor:
        """A part of a whole, 1 where both are nothing."""
        return 1 - ops.relu(whole - part) / ops.maximum(whole + self.smooth, _LEAST)


def soft_skeleton(masks: Tensor, iterations: int) -> Tensor:
    """Center lines of masks of probabilities: what opening takes away, at each width.

    Masks are `(batch, height, width, channels)`, 0 to 1, and made thinner `iterations` times by a
    pixel from each side. Nothing is known beyond the border, where they are not made thinner.
    """
    thinner = _erode(masks)
    skeleton = ops.relu(masks - _dilate(thinner))
    for _ in range(iterations):
        masks, thinner = thinner, _erode(thinner)
        more = ops.relu(masks - _dilate(thinner))
        skeleton += more * (1 - skeleton)
    return skeleton


def _erode(masks: Tensor) -> Tensor:
    """Minimum over a pixel and its four neighbors."""
    return -ops.maximum(
        ops.max_pool(-masks, (3, 1), 1, "same"), ops.max_pool(-masks, (1, 3), 1, "same")
    )


def _dilate(masks: Tensor) -> Tensor:
    """Maximum over a pixel and its eight neighbors."""
    return ops.max_pool(masks, 3, 1, "same")
