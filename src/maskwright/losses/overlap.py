"""Losses that compare the overlap of two masks with their sizes."""

from typing import Any

import keras
from keras import ops

from maskwright.labels import IGNORE_LABEL
from maskwright.losses.pixel import AddUp, MaskLoss, Tensor


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
        ignore_label: Label of pixels that do not count, or `None` where all do.

    Weights of pixels weigh their counts, so that of an image alone only their ratios matter.

    Source: Salehi et al., Tversky loss function for image segmentation, 2017.
    """

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        batch: bool = False,
        ignore_label: int | None = IGNORE_LABEL,
        name: str = "tversky",
        **kwargs: Any,
    ) -> None:
        super().__init__(ignore_label, name, **kwargs)
        self.alpha = alpha
        self.beta = beta
        self.smooth = smooth
        self.batch = batch

    def measure(
        self, truth: Tensor, log_probabilities: Tensor, counted: Tensor, add_up: AddUp | None
    ) -> Tensor:
        """Value of each image, `(batch,)`."""
        return _tversky(
            truth,
            log_probabilities,
            (self.alpha, self.beta, self.smooth),
            batch=self.batch,
            add_up=add_up,
        )

    def get_config(self) -> dict[str, Any]:
        """What makes the same loss again."""
        own = {
            "alpha": self.alpha,
            "beta": self.beta,
            "smooth": self.smooth,
            "batch": self.batch,
        }
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="maskwright")
class Dice(MaskLoss):
    """One minus the soft Dice overlap, averaged over classes.

    For each class, with soft counts of pixels,
    `1 - (2 * hit + smooth) / (guess + truth + smooth)`.

    Args:
        smooth: Pixels added above and below; a class absent from both masks matches.
        batch: Count over the whole batch instead of image by image. Small batches and rare classes
            gain from it, since a class seldom fills every image; each image gets the same value.
        ignore_label: Label of pixels that do not count, or `None` where all do.

    Weights of pixels weigh their counts, so that of an image alone only their ratios matter.

    Source: Milletari et al., V-Net, 2016, with plain instead of squared sums.
    """

    def __init__(
        self,
        smooth: float = 1.0,
        batch: bool = False,
        ignore_label: int | None = IGNORE_LABEL,
        name: str = "dice",
        **kwargs: Any,
    ) -> None:
        super().__init__(ignore_label, name, **kwargs)
        self.smooth = smooth
        self.batch = batch

    def measure(
        self, truth: Tensor, log_probabilities: Tensor, counted: Tensor, add_up: AddUp | None
    ) -> Tensor:
        """Value of each image, `(batch,)`."""
        # Dice is Tversky with halves, divided through by two.
        return _tversky(
            truth, log_probabilities, (0.5, 0.5, self.smooth / 2), batch=self.batch, add_up=add_up
        )

    def get_config(self) -> dict[str, Any]:
        """What makes the same loss again."""
        return {**super().get_config(), "smooth": self.smooth, "batch": self.batch}


def _tversky(
    truth: Tensor,
    log_probabilities: Tensor,
    settings: tuple[float, float, float],
    batch: bool,
    add_up: AddUp | None,
) -> Tensor:
    """One minus the Tversky index of each image, `(batch,)`; `settings` are alpha, beta, smooth."""
    alpha, beta, smooth = settings
    # Soft confusion matrix, (batch, true class, guessed class). One product of matrices gives hits
    # and both totals with weights and ignored pixels accounted for; sums over the pixels of
    # several (batch, pixels, classes) tensors took a third longer.
    counts = ops.matmul(ops.transpose(truth, (0, 2, 1)), ops.exp(log_probabilities))
    if batch:
        counts = ops.sum(counts, axis=0, keepdims=True)
        counts = counts if add_up is None else add_up(counts)
    hit = ops.diagonal(counts, axis1=1, axis2=2)
    wrong = alpha * (ops.sum(counts, axis=1) - hit) + beta * (ops.sum(counts, axis=2) - hit)
    # Equal to one minus the index, without the cancellation near a perfect overlap; the floor
    # serves `smooth=0` where a class is in neither mask.
    values = ops.mean(wrong / ops.maximum(hit + wrong + smooth, 1e-7), axis=-1)
    return ops.broadcast_to(values, ops.shape(truth)[:1])
