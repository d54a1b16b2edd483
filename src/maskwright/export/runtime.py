"""Open a trained model of any task and engine as a function of arrays; masks from logits."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from scipy.special import expit

from maskwright.errors import ModelError
from maskwright.export.artifact import is_artifact, model_folder, unpacked
from maskwright.export.engines import ALONE, Threads, check_outputs
from maskwright.export.ensemble import is_ensemble, read_members
from maskwright.export.formats.keras import keras_network
from maskwright.export.formats.table import open_engine
from maskwright.export.listing import Listing, network_digest, read_listing
from maskwright.model_card import CARD_FILE, MODEL_FILE, ModelCard, SemanticCard, checksum
from maskwright.types import Format

Card = TypeVar("Card", bound=ModelCard)
Function = TypeVar("Function")

ImageFunction = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From images `(b, h, w, c)` to the outputs of a network by name, all float32."""
Logits = Callable[[np.ndarray], np.ndarray]
"""From float32 images `(b, h, w, c)` to logits `(b, h, w, classes)`."""

_SMALLEST = np.float32(1e-30)  # probability that has a logarithm; nothing is decided by less


def open_model(
    path: Path,
    card_type: type[Card],
    from_keras: Callable[[Any], Function],
    from_artifact: Callable[[Path, Format, Card, Threads], Function],
    threads: Threads = ALONE,
) -> tuple[Function, Card]:
    """The model of a run or an artifact as a function, and its card of type `card_type`.

    `from_keras` and `from_artifact` are as in `ExportTask`; `threads` are those of an engine other
    than TensorFlow. Raises `ModelError` if the folder is not that of a finished run or an artifact,
    the model is not the one that its card describes, or the engine is not installed.
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

    def run(images: np.ndarray) -> dict[str, np.ndarray]:
        return network({"images": images})

    check_outputs(folder, lambda example: run(example["image"][None]))
    return run


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
    """Model of a `.keras` file, all of whose weights are finite.

    TensorFlow is imported here and not before.
    """
    try:
        import keras

        import maskwright.models.rcnn  # noqa: F401  # registers the layers that files name
    except ImportError as error:
        raise ModelError(
            f"Running {path} requires TensorFlow, which cannot be imported ({error}); "
            f"install maskwright[cpu] or maskwright[gpu]."
        ) from error
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises almost anything on a damaged file
        raise ModelError(f"{path} cannot be loaded as a Keras model: {error}") from error
    for weight in model.weights:
        values = keras.ops.convert_to_numpy(weight)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelError(
                f"The weights {weight.path} in {path} hold NaN or infinite values, so that it "
                f"predicts nothing; train it again with a lower learning_rate."
            )
    return model


def load_logits(
    path: Path, threads: Threads = ALONE, card_type: type[SemanticCard] = SemanticCard
) -> tuple[Logits, SemanticCard]:
    """The model of a run, an ensemble or an artifact as a function from images to logits.

    Its card is of type `card_type`. The logits of an ensemble are logarithms of the mean
    probability of its members. Raises `ModelError` as `open_model`, or if a member of an ensemble
    is missing or another.
    """
    folder = model_folder(path)
    if not is_ensemble(folder):
        return open_model(folder, card_type, keras_logits, artifact_logits, threads)
    card, members = card_and_members(folder, card_type)
    return mean_logits([load_logits(member, threads) for member in members]), card


def load_card(path: Path, card_type: type[SemanticCard] = SemanticCard) -> SemanticCard:
    """The card of what `load_logits` would open, which is checked but not opened."""
    return card_and_members(model_folder(path), card_type)[0]


def keras_logits(model: Any) -> Logits:
    """Function of a Keras model from images of any size to logits."""
    return _logits_of(keras_function(model))


def artifact_logits(
    folder: Path, engine: Format, card: SemanticCard, threads: Threads = ALONE
) -> Logits:
    """The network of an artifact from images to logits, in its engine."""
    return _logits_of(artifact_function(folder, engine, threads))


def card_and_members(
    folder: Path, card_type: type[SemanticCard]
) -> tuple[SemanticCard, list[Path]]:
    """Card of a model, and the folders of its members, all checked."""
    if is_artifact(folder):
        _, _, card = open_artifact(folder, card_type)
    elif is_ensemble(folder):
        card = card_type.read(folder / CARD_FILE)
    else:
        card = checked_card(folder, card_type)
    return card, read_members(folder, card) if is_ensemble(folder) else []


def _logits_of(run: ImageFunction) -> Logits:
    def logits(images: np.ndarray) -> np.ndarray:
        outputs = run(images)
        # Engines may name a single output otherwise.
        return outputs["logits"] if "logits" in outputs else next(iter(outputs.values()))

    return logits


def mean_logits(members: Sequence[tuple[Logits, SemanticCard]]) -> Logits:
    """Function from images to the logarithm of the mean of the members' probabilities.

    Probabilities are averaged, not logits, so that a member that is sure does not outvote those
    that are not, and an average of calibrated members stays calibrated.
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

    Those of a pixel add up to one, unless classes overlap.

    The logits are `(b, h, w, classes)`, or `(b, h, w, 1)` with that of the second of two classes;
    `ModelError` if they do not fit `shape`, the `(b, h, w)` of the images.
    """
    num_classes = card.labels.num_classes
    single = num_classes == 2 and not card.overlapping and logits.shape == (*shape, 1)
    if not single and logits.shape != (*shape, num_classes):
        raise ModelError(
            f"The model returns logits of shape {logits.shape} for images of shape {shape}, but "
            f"its model card lists {num_classes} classes; model and model card do not match."
        )
    # Plane by plane: NumPy is slow along a short last axis.
    planes = np.divide(np.moveaxis(logits, -1, 0), card.temperature, dtype=np.float32, order="C")
    if card.overlapping:
        return np.ascontiguousarray(np.moveaxis(expit(planes), 0, -1))
    if single:
        planes = np.concatenate([np.zeros_like(planes), planes])
    planes -= planes.max(axis=0)
    rows = planes.reshape(len(planes), -1, shape[-1])
    # OpenCV takes a seventh and a quarter of NumPy's time for these two, with the same digits.
    for plane in rows:
        cv2.exp(plane, plane)
    planes /= planes.sum(axis=0)
    return cv2.merge(list(rows)).reshape(*shape, num_classes)
