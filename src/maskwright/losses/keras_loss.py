"""A loss of Keras, or a function of the user's, in the form that the training loop takes."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from maskwright.losses.base import AddUp, MaskLoss, Tensor

CUSTOM_LOSS = "custom"
"""Setting of a run whose loss is an object, which no file holds."""


class KerasLoss(MaskLoss):
    """A loss that knows nothing of ignored pixels, which are left out of its mean.

    Where it gives a value for each image or batch, and not for each pixel, as overlaps do, the
    labels of ignored pixels are class 0 in it.

    Args:
        function: `keras.losses.Loss`, or a function of labels and predictions. Labels are integers
            `(b, h, w)`, of a model with a single channel floats `(b, h, w, 1)`.
        activation: `"softmax"` or `"sigmoid"`, which makes the predictions that `function` takes
            from logits; `None` gives it logits.
    """

    def __init__(self, function: Callable[..., Tensor], activation: str | None) -> None:
        super().__init__(name=getattr(function, "name", None) or "keras_loss")
        self.function = function
        self.activation = keras.activations.get(activation or "linear")

    def per_image(
        self,
        labels: Tensor,
        logits: Tensor,
        pixel_weights: Tensor | None = None,
        add_up: AddUp | None = None,
    ) -> Tensor:
        """Value of each image, float32 `(batch,)`; `ValueError` for values of another shape."""
        labels = ops.cast(labels, "int32")
        counted = ops.cast(labels != self.ignore_label, "float32")
        truth = ops.where(labels != self.ignore_label, labels, 0)
        if logits.shape[-1] == 1:
            truth = ops.cast(truth[..., None], "float32")
        values = self._values(truth, self.activation(ops.cast(logits, "float32")))
        weights = counted if pixel_weights is None else counted * pixel_weights
        if len(values.shape) == 4 and values.shape[-1] == 1:
            values = values[..., 0]
        if len(values.shape) == 3:
            total = ops.maximum(ops.sum(counted, axis=(1, 2)), 1.0)
            return ops.sum(values * weights, axis=(1, 2)) / total
        if len(values.shape) > 1:
            raise ValueError(
                f"The loss {self.name} gives values of shape {tuple(values.shape)}; expected one "
                f"for each pixel (b, h, w), for each image (b,), or one for the batch."
            )
        return values * ops.ones_like(counted[:, 0, 0])

    def _values(self, truth: Tensor, predicted: Tensor) -> Tensor:
        """What the loss gives before its mean."""
        if isinstance(self.function, keras.losses.Loss):
            return ops.cast(self.function.call(truth, predicted), "float32")
        return ops.cast(self.function(truth, predicted), "float32")


def custom_loss(value: Any, activation: str | None) -> MaskLoss:
    """A loss as the training loop takes it: one of ours as it is, others as `KerasLoss`."""
    return value if isinstance(value, MaskLoss) else KerasLoss(value, activation)
