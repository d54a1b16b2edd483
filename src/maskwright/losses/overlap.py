"""Losses that compare the overlap of two masks with their sizes: Dice, Tversky and Jaccard."""

from typing import Unpack

import keras
from keras import ops

from maskwright.losses.base import LossOptions, MaskLoss, Pixels, Tensor

_LEAST = 1e-7


@keras.saving.register_keras_serializable(package="maskwright")
class Tversky(MaskLoss):
    """One minus the soft Tversky index, averaged over classes.

    `1 - (hit + smooth) / (hit + alpha * false + beta * missed + smooth)`, with soft counts of
    pixels, which weights of pixels weigh: of an image alone only their ratios matter.

    Args:
        alpha: Weight of false positives.
        beta: Weight of false negatives; more than `alpha` finds more of rare classes.
        smooth: Pixels added above and below; a class absent from both masks matches.
        batch: Count over the whole batch instead of image by image. Small batches and rare classes
            gain from it, since a class seldom fills every image; each image gets the same value.

    Other arguments, and those of a call, are those of `MaskLoss`.

    Source: Salehi et al., Tversky loss function for image segmentation, 2017.
    """

    code = "tversky"

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        batch: bool = False,
        **kwargs: Unpack[LossOptions],
    ) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth
        self.batch = batch

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        return _tversky(pixels, self.alpha, self.beta, self.smooth, self.batch)


@keras.saving.register_keras_serializable(package="maskwright")
class Dice(MaskLoss):
    """One minus the soft Dice overlap, averaged over classes.

    `1 - (2 * hit + smooth) / (guess + truth + smooth)`, with soft counts of pixels.

    Args:
        smooth: See `Tversky`, which this is with `alpha` and `beta` of one half.
        batch: See `Tversky`.

    Other arguments, and those of a call, are those of `MaskLoss`.

    Source: Milletari et al., V-Net, 2016, with plain instead of squared sums.
    """

    code = "dice"

    def __init__(
        self, smooth: float = 1.0, batch: bool = False, **kwargs: Unpack[LossOptions]
    ) -> None:
        super().__init__(**kwargs)
        self.smooth = smooth
        self.batch = batch

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        # Divided through by two.
        return _tversky(pixels, 0.5, 0.5, self.smooth / 2, self.batch)


@keras.saving.register_keras_serializable(package="maskwright")
class FocalTversky(Tversky):
    """A root of one minus the soft Tversky index of each class, averaged over classes.

    `(1 - index) ** (1 / gamma)`: above 1, `gamma` makes the slope steeper the closer a class is to
    its truth, so that small regions are worked on to the end, up to where `1 - index` is 1e-7.

    Args:
        gamma: What the root is taken by; 1 is Tversky. All else is as there.

    Other arguments, and those of a call, are those of `MaskLoss`.

    Source: Abraham and Khan, A novel focal Tversky loss function with improved attention U-Net for
    lesion segmentation, 2019, whose alpha weighs false negatives.
    """

    code = "focal_tversky"

    def __init__(
        self,
        gamma: float = 4 / 3,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        batch: bool = False,
        **kwargs: Unpack[LossOptions],
    ) -> None:
        super().__init__(alpha, beta, smooth, batch, **kwargs)
        self.gamma = gamma

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        return _tversky(pixels, self.alpha, self.beta, self.smooth, self.batch, 1 / self.gamma)


def _tversky(
    pixels: Pixels, alpha: float, beta: float, smooth: float, batch: bool, power: float = 1.0
) -> Tensor:
    """One minus the Tversky index, to a power, of each image, averaged over classes, `(batch,)`."""
    guess = ops.exp(pixels.log_probabilities)
    products = (guess * pixels.truth, guess * pixels.weights, pixels.truth)
    counts = ops.stack([ops.sum(product, axis=2) for product in products])
    if batch:
        counts = ops.sum(counts, axis=1, keepdims=True)
        counts = counts if pixels.add_up is None else pixels.add_up(counts)
    hit, guessed, true = counts[0], counts[1], counts[2]
    # Rounding may leave a hit above its totals by a hair.
    wrong = alpha * ops.relu(guessed - hit) + beta * ops.relu(true - hit)
    # Equal to one minus the index; the floor serves `smooth=0` where a class is in neither mask.
    values = wrong / ops.maximum(hit + wrong + smooth, _LEAST)
    if power != 1:
        values = ops.power(ops.maximum(values, _LEAST), power) - _LEAST**power  # 0 stays 0
    return ops.broadcast_to(ops.mean(values, axis=-1), ops.shape(pixels.counted))


@keras.saving.register_keras_serializable(package="maskwright")
class Lovasz(MaskLoss):
    """One minus the Jaccard index of each class, extended from masks to probabilities.

    The error of a pixel is the distance of its probability from the truth. From the largest error
    down, the cost of a pixel is the rise of one minus the index when it is wrong too; the value of
    a class is the sum of errors times costs, and that of an image the mean over its classes.
    Where all errors are 0 or 1 it is one minus the index exactly.

    Weights of pixels are those of `Tversky`.

    Other arguments, and those of a call, are those of `MaskLoss`.

    Source: Berman et al., The Lovász-softmax loss, 2018, image by image.
    """

    code = "lovasz"

    def measure(self, pixels: Pixels) -> Tensor:
        """Value of each image, `(batch,)`."""
        # The weight of a pixel, negative at all classes but its own.
        signed = 2 * pixels.truth - pixels.weights
        logs = pixels.log_probabilities
        errors = ops.where(signed > 0, -ops.expm1(logs), ops.exp(logs))
        # Sorting takes the time; two classes have the same errors and opposite signs.
        two = errors.shape[1] == 2
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
