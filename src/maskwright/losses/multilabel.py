"""Losses of classes that overlap: each class is a decision of its own."""

from typing import Any, Unpack

import keras
import numpy as np
from keras import ops

from maskwright.labels import IGNORE_LABEL
from maskwright.losses.base import AddUp, LossOptions, MaskLoss, Tensor, shared_arguments
from maskwright.losses.inputs import as_logits, overlapping_labels


@keras.saving.register_keras_serializable(package="maskwright")
class Multilabel(MaskLoss):
    """The mean over overlapping classes of a loss of two: the pixels of the class, and all others.

    A pixel belongs to a class with the sigmoid of its logit, whatever the other classes are.

    Args:
        loss: Any of `LOSSES`, or a sum of them.
        combinations: Where labels are numbers of combinations of classes, the layers of each, 0 or
            1, `(n, classes)` with `n` up to the ignore label; `None` where labels are layers.

    Call arguments:
        y_true: 0, 1 or the ignore label, `(batch, height, width, classes)`; with `combinations`,
            their numbers or the ignore label, `(batch, height, width)`.
        y_pred: Logits, or probabilities where the loss has `from_logits=False`,
            `(batch, height, width, classes)`.
        sample_weight: As of `MaskLoss`.
    """

    def __init__(
        self, loss: MaskLoss, combinations: Any = None, **kwargs: Unpack[LossOptions]
    ) -> None:
        super().__init__(**{**kwargs, **shared_arguments(loss)})
        self.loss = loss
        self.combinations = None if combinations is None else np.asarray(combinations).tolist()

    def labels_of(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Labels as `per_image` takes them; `ValueError` where their shape does not fit."""
        if self.combinations is not None:
            return ops.cast(y_true, "int32")
        return overlapping_labels("Multilabel", y_true, y_pred)

    def logits_of(self, y_pred: Tensor) -> Tensor:
        """Logits as `per_image` takes them; `ValueError` where the model gives others."""
        return as_logits("Multilabel", y_pred, self.from_logits, overlapping=True)

    def per_image(
        self,
        labels: Tensor,
        logits: Tensor,
        pixel_weights: Tensor | None = None,
        add_up: AddUp | None = None,
    ) -> Tensor:
        """Value of each image, float32 `(batch,)`, as `MaskLoss.per_image`."""
        if self.combinations is not None:
            labels = layers_of(labels, self.combinations)
        # One class after another, for losses that count over the whole batch.
        values = [
            self.loss.per_image(
                labels[..., place], logits[..., place : place + 1], pixel_weights, add_up
            )
            for place in range(logits.shape[-1])
        ]
        return ops.mean(ops.stack(values), axis=0)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the loss."""
        return {**super().get_config(), "loss": keras.saving.serialize_keras_object(self.loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Multilabel":
        """The loss that `get_config` described."""
        loss = keras.saving.deserialize_keras_object(config.pop("loss"))
        return cls(loss, **config)


def layers_of(numbers: Tensor, combinations: Any) -> Tensor:
    """Layers int32 `(…, classes)`, 0, 1 or `IGNORE_LABEL`, of numbers of combinations of classes.

    `combinations` are as in `Multilabel`; other numbers are ignored.
    """
    known = np.asarray(combinations, np.int32)
    table = np.full((IGNORE_LABEL + 1, known.shape[1]), IGNORE_LABEL, np.int32)
    table[: len(known)] = known
    return ops.take(ops.convert_to_tensor(table), ops.cast(numbers, "int32"), axis=0)
