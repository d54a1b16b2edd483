"""Models of masks as functions from images to logits, and from logits to probabilities."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from maskwright.errors import ModelError
from maskwright.export.artifact import is_artifact, model_folder
from maskwright.export.engines import ALONE, Threads
from maskwright.export.ensemble import is_ensemble, read_members
from maskwright.export.runtime import (
    ImageFunction,
    artifact_function,
    checked_card,
    keras_function,
    open_artifact,
    open_model,
)
from maskwright.model_card import CARD_FILE, SemanticCard
from maskwright.types import Format

Logits = Callable[[np.ndarray], np.ndarray]
"""From float32 images `(b, h, w, c)` to logits `(b, h, w, classes)`."""

_SMALLEST = np.float32(1e-30)  # probability that has a logarithm; nothing is decided by less


def load_logits(path: Path, threads: Threads = ALONE) -> tuple[Logits, SemanticCard]:
    """The model of a run, an ensemble or an artifact as a function from images to logits.

    `b`, `h` and `w` may change from call to call. The logits of an ensemble are logarithms of the
    mean probability of its members.

    Raises:
        ModelError: As `open_model`, or if a member of an ensemble is missing or another.
    """
    folder = model_folder(path)
    if not is_ensemble(folder):
        return open_model(folder, SemanticCard, keras_logits, artifact_logits, threads)
    card = _ensemble_card(folder)
    members = [load_logits(member, threads) for member in read_members(folder, card)]
    return mean_logits(members), card


def load_card(path: Path) -> SemanticCard:
    """The card of what `load_logits` would open, which is checked but not opened."""
    folder = model_folder(path)
    if is_ensemble(folder):
        card = _ensemble_card(folder)
        read_members(folder, card)
        return card
    if is_artifact(folder):
        return open_artifact(folder, SemanticCard)[2]
    return checked_card(folder, SemanticCard)


def keras_logits(model: Any) -> Logits:
    """Function of a Keras model from images of any size to logits."""
    return _only_output(keras_function(model))


def artifact_logits(
    folder: Path, engine: Format, card: SemanticCard, threads: Threads = ALONE
) -> Logits:
    """The network of an artifact from images to logits, in its engine."""
    return _only_output(artifact_function(folder, engine, threads))


def _ensemble_card(folder: Path) -> SemanticCard:
    """Card of an ensemble, checked where it is an artifact."""
    if is_artifact(folder):
        return open_artifact(folder, SemanticCard)[2]
    return SemanticCard.read(folder / CARD_FILE)


def _only_output(run: ImageFunction) -> Logits:
    def logits(images: np.ndarray) -> np.ndarray:
        (values,) = run(images).values()
        return values

    return logits


def mean_logits(members: Sequence[tuple[Logits, SemanticCard]]) -> Logits:
    """Function from images to the logarithm of the mean of the members' probabilities.

    Its softmax is that mean. Probabilities are averaged, not logits, so that a member that is sure
    does not outvote those that are not, and that an average of calibrated members stays near what
    they say.
    """

    def logits(images: np.ndarray) -> np.ndarray:
        total: np.ndarray | float = 0.0
        for member, card in members:
            total = total + activate(member(images), images.shape[:3], card)
        mean = np.divide(total, np.float32(len(members)))
        return np.log(np.maximum(mean, _SMALLEST))

    return logits


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
