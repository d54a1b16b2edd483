"""Models of masks as functions from images to logits: of a run, an ensemble or an artifact."""

from pathlib import Path
from typing import Any

import numpy as np

from maskwright.export.artifact import is_artifact, model_folder
from maskwright.export.engines import ALONE, Threads
from maskwright.export.ensemble import Logits, is_ensemble, mean_logits, read_members
from maskwright.export.runtime import (
    ImageFunction,
    artifact_function,
    checked_card,
    keras_function,
    open_artifact,
    open_model,
)
from maskwright.model_card import CARD_FILE, SemanticCard


def load_logits(path: Path, threads: Threads = ALONE) -> tuple[Logits, SemanticCard]:
    """The model of a run as a function from images `(b, h, w, c)` to logits `(b, h, w, classes)`.

    Both arrays are float32, and `b`, `h` and `w` may change from call to call. The logits of an
    ensemble are logarithms of the mean probability of its members.

    Args:
        path: Folder of a run, an ensemble or an artifact.
        threads: Threads of an engine other than TensorFlow.

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
    folder: Path, engine: str, card: SemanticCard, threads: Threads = ALONE
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
