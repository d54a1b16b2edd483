"""Lovász-softmax: the Jaccard index, extended to probabilities."""

import keras
from keras import ops

from maskwright.losses.pixel import AddUp, MaskLoss, Pixels, Tensor

_LEAST = 1e-7


@keras.saving.register_keras_serializable(package="maskwright")
class Lovasz(MaskLoss):
    """One minus the Jaccard index of each class, extended from masks to probabilities.

    The error of a pixel is the distance of its probability from the truth. From the largest error
    down, the cost of a pixel is the rise of one minus the index when it is wrong too; the value of
    a class is the sum of errors times costs, and that of an image the mean over its classes.
    Where all errors are 0 or 1 it is one minus the index exactly.

    Weights of pixels weigh their counts in the index, so that of an image alone only their ratios
    matter. Sorting is what it spends its time on; two classes share theirs.

    Source: Berman et al., The Lovász-softmax loss, 2018, image by image.
    """

    code = "lovasz"

    def measure(self, pixels: Pixels, add_up: AddUp | None) -> Tensor:
        """Value of each image, `(batch,)`."""
        # The weight of a pixel, negative at all classes but its own.
        signed = 2 * pixels.truth - pixels.weights
        logs = pixels.log_probabilities
        errors = ops.where(signed > 0, -ops.expm1(logs), ops.exp(logs))
        two = errors.shape[1] == 2  # whose errors are the same, and whose signs are opposite
        if two:
            errors, signed = errors[:, :1], signed[:, :1]
        order = ops.argsort(-errors, axis=-1)
        errors = ops.take_along_axis(errors, order, axis=-1)
        signed = ops.take_along_axis(signed, order, axis=-1)
        if two:
            signed = ops.concatenate([signed, -signed], axis=1)
        inside, outside = ops.relu(signed), ops.relu(-signed)
        total = ops.sum(inside, axis=-1, keepdims=True)
        hit = total - ops.cumsum(inside, axis=-1)
        union = total + ops.cumsum(outside, axis=-1)
        # The rise of 1 - hit / union, without the difference of two nearly equal numbers: a pixel
        # of the class lowers the hits, any other raises the union.
        costs = inside / ops.maximum(union, _LEAST)
        costs += outside * hit / ops.maximum(union * (union - outside), _LEAST)
        values = ops.sum(errors * costs, axis=-1)
        shown = ops.cast(total[..., 0] > 0, values.dtype)
        return ops.sum(values * shown, axis=-1) / ops.maximum(ops.sum(shown, axis=-1), 1.0)
