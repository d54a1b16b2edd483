"""Losses that compare the overlap of two masks with their sizes."""

from typing import Any

import keras
from keras import ops

from maskwright.losses.pixel import AddUp, MaskLoss, Pixels, Tensor

_LEAST = 1e-7


@keras.saving.register_keras_serializable(package="maskwright")
class Tversky(MaskLoss):
    """One minus the soft Tversky index, averaged over classes.

    For each class, with soft counts of pixels,
    `1 - (hit + smooth) / (hit + alpha * false + beta * missed + smooth)`.

    Args:
        alpha: Weight of false positives.
        beta: Weight of false negatives; more than `alpha` finds more of rare classes.
        smooth: Pixels added above and below; a class absent from both masks matches.
        batch: Count over the whole batch instead of image by image. Small batches and rare classes
            gain from it, since a class seldom fills every image; each image gets the same value.

    Weights of pixels weigh their counts, so that of an image alone only their ratios matter.

    Source: Salehi et al., Tversky loss function for image segmentation, 2017.
    """

    code = "tversky"

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        batch: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth
        self.batch = batch

    def measure(self, pixels: Pixels, add_up: AddUp | None) -> Tensor:
        """Value of each image, `(batch,)`."""
        return _tversky(pixels, self.alpha, self.beta, self.smooth, self.batch, add_up)


@keras.saving.register_keras_serializable(package="maskwright")
class Dice(MaskLoss):
    """One minus the soft Dice overlap, averaged over classes.

    For each class, with soft counts of pixels,
    `1 - (2 * hit + smooth) / (guess + truth + smooth)`.

    Args:
        smooth: As in `Tversky`, which this is with `alpha` and `beta` of one half.
        batch: As in `Tversky`.

    Source: Milletari et al., V-Net, 2016, with plain instead of squared sums.
    """

    code = "dice"

    def __init__(self, smooth: float = 1.0, batch: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.smooth = smooth
        self.batch = batch

    def measure(self, pixels: Pixels, add_up: AddUp | None) -> Tensor:
        """Value of each image, `(batch,)`."""
        # Divided through by two.
        return _tversky(pixels, 0.5, 0.5, self.smooth / 2, self.batch, add_up)


@keras.saving.register_keras_serializable(package="maskwright")
class FocalTversky(Tversky):
    """A root of one minus the soft Tversky index of each class, averaged over classes.

    `(1 - index) ** (1 / gamma)`: above 1, `gamma` makes the slope steeper the closer a class is to
    its truth, so that small regions are worked on to the end. The slope would be infinite at 0; it
    ends where `1 - index` is 1e-7.

    Args:
        gamma: What the root is taken by; 1 is Tversky. All else is as there.

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
        **kwargs: Any,
    ) -> None:
        super().__init__(alpha, beta, smooth, batch, **kwargs)
        self.gamma = gamma

    def measure(self, pixels: Pixels, add_up: AddUp | None) -> Tensor:
        """Value of each image, `(batch,)`."""
        return _tversky(
            pixels, self.alpha, self.beta, self.smooth, self.batch, add_up, 1 / self.gamma
        )


def _tversky(
    pixels: Pixels,
    alpha: float,
    beta: float,
    smooth: float,
    batch: bool,
    add_up: AddUp | None,
    power: float = 1.0,
) -> Tensor:
    """One minus the Tversky index, to a power, of each image, averaged over classes, `(batch,)`."""
    guess = ops.exp(pixels.log_probabilities)
    counts = ops.stack(
        [
            ops.sum(guess * pixels.truth, axis=2),
            ops.sum(guess * pixels.weights, axis=2),
            ops.sum(pixels.truth, axis=2),
        ]
    )
    if batch:
        counts = ops.sum(counts, axis=1, keepdims=True)
        counts = counts if add_up is None else add_up(counts)
    hit, guessed, true = counts[0], counts[1], counts[2]
    # Rounding may leave a hit above its totals by a hair.
    wrong = alpha * ops.relu(guessed - hit) + beta * ops.relu(true - hit)
    # Equal to one minus the index; the floor serves `smooth=0` where a class is in neither mask.
    values = wrong / ops.maximum(hit + wrong + smooth, _LEAST)
    if power != 1:
        values = ops.power(ops.maximum(values, _LEAST), power) - _LEAST**power  # 0 stays 0
    return ops.broadcast_to(ops.mean(values, axis=-1), ops.shape(pixels.counted))
