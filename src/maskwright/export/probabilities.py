"""From the logits of a model to probabilities, once and after everything else."""

import cv2
import numpy as np

from maskwright.errors import ModelError
from maskwright.model_card import SemanticCard


def activate(logits: np.ndarray, shape: tuple[int, ...], card: SemanticCard) -> np.ndarray:
    """Probabilities float32 `(b, h, w, classes)` from logits, divided by the card's temperature.

    Args:
        logits: `(b, h, w, classes)`, or `(b, h, w, 1)` with that of the second of two classes.
        shape: `(b, h, w)` of the images.
        card: Of the model.

    Raises:
        ModelError: If the logits have another shape.
    """
    num_classes = card.labels.num_classes
    single = num_classes == 2 and logits.shape == (*shape, 1)
    if not single and logits.shape != (*shape, num_classes):
        raise ModelError(
            f"The model returns logits of shape {logits.shape} for images of shape {shape}, but "
            f"its model card lists {num_classes} classes; model and model card do not match."
        )
    # Plane by plane: NumPy is slow along a short last axis.
    planes = np.divide(np.moveaxis(logits, -1, 0), card.temperature, dtype=np.float32, order="C")
    if single:
        planes = np.concatenate([np.zeros_like(planes), planes])
    planes -= planes.max(axis=0)
    rows = planes.reshape(len(planes), -1, shape[-1])
    # OpenCV takes a seventh and a quarter of NumPy's time for these two, with the same digits.
    for plane in rows:
        cv2.exp(plane, plane)
    planes /= planes.sum(axis=0)
    return cv2.merge(list(rows)).reshape(*shape, num_classes)
