"""Losses of the geometry of masks: distances from their boundary, and their center lines."""

from typing import Unpack

import keras
from keras import ops

from maskwright.losses.base import LossOptions, MaskLoss, Pixels, Tensor
from maskwright.losses.pixel import pixel_mean

_LEAST = 1e-7


@keras.saving.register_keras_serializable(package="maskwright")
class Boundary(MaskLoss):
    """Mean error of pixels, times the distance from the boundary of the truth.

    For each class but the first, which is taken for the background, the probability missing
    inside the true mask, or in excess outside it, times the Euclidean distance to the mask's
    boundary as a share of `reach`. A class absent from the image is `reach` away everywhere.
    Pixels that are ignored, or weigh nothing, lie on neither side of a boundary. Other weights
    multiply the value of their pixel.

    The paper multiplies probabilities by the signed distance, negative inside; less the value of
    the truth it is the same, with the same gradient. It is added to an overlap there, with a
    growing weight: alone, it hardly minds small objects.

    Args:
        reach: Distance beyond which all errors count alike, pixels, at least 1; time grows with it.

    Other arguments, and those of a call, are those of `MaskLoss`.

    Source: Kervadec et al., Boundary loss for highly unbalanced segmentation, 2019.
    """

    code = "boundary"

    def __init__(self, reach: int = 10, **kwargs: Unpack[LossOptions]) -> None:
        if reach < 1:
            raise ValueError(f"`reach` must be at least one pixel. Received: {reach}")
        super().__init__(**kwargs)
        self.reach = reach

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        inside = pixels.truth > 0
        shape = ops.shape(inside)
        masks = ops.reshape(inside, (*shape[:2], *pixels.size))
        outer = ops.reshape(distance(masks, self.reach), shape)
        # The distance of a pixel out of its class is that to the nearest other class.
        inner = ops.min(ops.where(inside, float(self.reach), outer), axis=1, keepdims=True)
        # The boundary lies half a pixel before the first pixel of the other side.
        distances = (ops.where(inside, inner, outer) - 0.5) / (self.reach - 0.5)
        logs = pixels.log_probabilities
        error = ops.where(inside, -ops.expm1(logs), ops.exp(logs))
        values = (pixels.weights * distances * error)[:, 1:]
        return pixel_mean(values, pixels.counted) / (shape[1] - 1)


def distance(masks: Tensor, reach: int) -> Tensor:
    """Euclidean distance to the nearest pixel of a mask, at most `reach` (1 or more), in pixels.

    Masks are bool `(batch, classes, height, width)`; distances are float32, 0 inside.
    """
    # Along columns a distance is a sum, so that steps of 1, 2, 4 … make all lengths.
    distances, step = ops.where(masks, 0.0, float(reach)), 1
    while step < reach:
        padded = ops.pad(distances, ((0, 0), (0, 0), (step, step), (0, 0)), constant_values=reach)
        nearest = ops.minimum(padded[..., 2 * step :, :], padded[..., : -2 * step, :])
        distances, step = ops.minimum(distances, nearest + step), 2 * step
    # Along rows squares are added, for which every length is tried.
    squares, most = ops.square(distances), reach - 1
    margins = ((0, 0), (0, 0), (0, 0), (most, most))
    padded = ops.pad(squares, margins, constant_values=float(reach**2))
    for step in range(1, reach):
        left = padded[..., most - step : -most - step]
        right = padded[..., most + step : (step - most) or None]
        squares = ops.minimum(squares, ops.minimum(left, right) + step**2)
    return ops.sqrt(squares)


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
    in both masks. Time grows with iterations and classes: on two cores a tenth of a second for
    sixteen masks of 128 px and one class beside the background.

    Other arguments, and those of a call, are those of `MaskLoss`.

    Source: Shit et al., clDice: a novel topology-preserving loss function for tubular structure
    segmentation, 2021.
    """

    code = "cldice"

    def __init__(
        self, iterations: int = 3, smooth: float = 1.0, **kwargs: Unpack[LossOptions]
    ) -> None:
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
    rows, columns = (ops.max_pool(-masks, size, 1, "same") for size in ((3, 1), (1, 3)))
    return -ops.maximum(rows, columns)


def _dilate(masks: Tensor) -> Tensor:
    """Maximum over a pixel and its eight neighbors."""
    return ops.max_pool(masks, 3, 1, "same")
