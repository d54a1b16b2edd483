"""Boundary loss: errors weighted by their distance from the true boundary."""

from typing import Any

import keras
from keras import ops

from maskwright.losses.pixel import MaskLoss, Pixels, Tensor, pixel_mean


@keras.saving.register_keras_serializable(package="maskwright")
class Boundary(MaskLoss):
    """Mean error of pixels, times the distance from the boundary of the truth.

    For each class but the first, which is taken for the background, the probability missing
    inside the true mask, or in excess outside it, times the Euclidean distance to the mask's
    boundary as a share of `reach`. A class absent from the image is `reach` away everywhere.
    Pixels that are ignored, or weigh nothing, lie on neither side of a boundary. Other weights
    multiply the value of their pixel.

    The paper multiplies probabilities by the signed distance, negative inside, so that the truth
    has a value below 0, and another for each image. Less that value it is what is computed here:
    the gradient is the same and the truth's value is 0. The paper adds it to an overlap, with a
    growing weight: alone, it hardly minds small objects.

    Args:
        reach: Distance beyond which all errors count alike, pixels, at least 1; time grows with it.

    Source: Kervadec et al., Boundary loss for highly unbalanced segmentation, 2019.
    """

    code = "boundary"

    def __init__(self, reach: int = 10, **kwargs: Any) -> None:
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
    padded = ops.pad(
        squares, ((0, 0), (0, 0), (0, 0), (most, most)), constant_values=float(reach**2)
    )
    for step in range(1, reach):
        left = padded[..., most - step : -most - step]
        right = padded[..., most + step : (step - most) or None]
        squares = ops.minimum(squares, ops.minimum(left, right) + step**2)
    return ops.sqrt(squares)
