"""Open a trained model as a plain function of arrays, whatever task and engine it is for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.artifact import is_artifact, unpacked
from maskwright.export.engines import ALONE, Threads
from maskwright.export.formats.keras import keras_network
from maskwright.export.formats.table import open_engine
from maskwright.export.listing import Listing, network_digest, read_listing
from maskwright.model_card import CARD_FILE, MODEL_FILE, ModelCard, checksum
from maskwright.types import Format

Card = TypeVar("Card", bound=ModelCard)
Function = TypeVar("Function")

ImageFunction = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From images `(b, h, w, c)` to the outputs of a network by name, all float32."""


def open_model(
    path: Path,
    card_type: type[Card],
    from_keras: Callable[[Any], Function],
    from_artifact: Callable[[Path, Format, Card, Threads], Function],
    threads: Threads = ALONE,
) -> tuple[Function, Card]:
    """The model of a run or an artifact as a function, and its card of type `card_type`.

    Args:
        path: Folder of a run or an artifact.
        card_type: Card of such models.
        from_keras: Function of a Keras model.
        from_artifact: As in `ExportTask`.
        threads: Threads of an engine other than TensorFlow.

    Raises:
        ModelError: If the folder is not that of a finished run or an artifact, the model is not
            the one that its card describes, or the engine is not installed.
    """
    if is_artifact(path):
        folder, listing, card = open_artifact(path, card_type)
        return from_artifact(folder, listing.format, card, threads), card
    model, card = load_run(path, card_type)
    return from_keras(model), card


def load_run(path: Path, card_type: type[Card]) -> tuple[Any, Card]:
    """Keras model and card of a run; `ModelError` as `open_model`."""
    card = checked_card(path, card_type)
    model = load_keras(path / MODEL_FILE)
    channels = model.inputs[0].shape[-1]
    if len(model.inputs) == 1 and channels != card.channels:
        raise ModelError(
            f"{path / MODEL_FILE} requires images with {channels} channels, but its model card "
            f"states {card.channels}."
        )
    return model, card


def open_artifact(path: Path, card_type: type[Card]) -> tuple[Path, Listing, Card]:
    """Folder, listing and card of an artifact, all checked; `ModelError` where they do not fit."""
    folder = unpacked(path)
    listing = read_listing(folder)
    card = card_type.read(folder / CARD_FILE)
    if network_digest(listing.files) != card.model_sha256:
        raise ModelError(
            f"The model card in {path} belongs to another model; export the model again."
        )
    return folder, listing, card


def keras_function(model: Any) -> ImageFunction:
    """Function of a Keras model of images; a single output is named `"logits"`."""
    network = keras_network(model)
    (name,) = network.takes
    return lambda images: network.run({name: images})


def artifact_function(folder: Path, engine: Format, threads: Threads = ALONE) -> ImageFunction:
    """Function of the network of images in an artifact, in its engine."""
    network = open_engine(folder, engine, threads)
    return lambda images: network({"images": images})


def checked_card(path: Path, card_type: type[Card]) -> Card:
    """Card of a run whose model is there and the one that the card describes."""
    model_file = path / MODEL_FILE
    if not model_file.is_file():
        reason = "there is no such folder" if not path.exists() else f"it has no {MODEL_FILE}"
        raise ModelError(
            f"Expected {path} to be the folder of a finished run, with {MODEL_FILE} and "
            f"{CARD_FILE}; {reason}."
        )
    card = card_type.read(path / CARD_FILE)
    if checksum(model_file) != card.model_sha256:
        raise ModelError(
            f"The checksum of {model_file} differs from that in {CARD_FILE}; copy both again from "
            f"the run."
        )
    return card


def load_keras(path: Path) -> Any:
    """Model of a `.keras` file; TensorFlow is imported here and not before."""
    try:
        import keras

        import maskwright.models.rcnn  # noqa: F401  # registers the layers that files name
    except ImportError as error:
        raise ModelError(
            f"Running {path} requires TensorFlow, which cannot be imported ({error}); "
            f"install maskwright[cpu] or maskwright[gpu]."
        ) from error
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises almost anything on a damaged file
        raise ModelError(f"{path} cannot be loaded as a Keras model: {error}") from error
