"""Open a trained model as a plain function of arrays: images to logits, or regions to decisions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from maskwright.card import (
    CARD_FILE,
    MODEL_FILE,
    AnyCard,
    Card,
    ObjectCard,
    RegionCard,
    checksum,
)
from maskwright.errors import ModelError
from maskwright.export.artifact import Listing, is_artifact, read_listing, unpacked
from maskwright.export.engines import MAIN, open_engine
from maskwright.export.ensemble import Logits, is_ensemble, mean_logits, read_members
from maskwright.export.plain import read_plain

_REGIONS_AT_ONCE = 64  # looked at; a bag may hold any number

AnyKind = TypeVar("AnyKind", bound=AnyCard)
Say = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From images `(b, h, w, c)` to what a model of objects says of them; see `objects.finder`."""
Decide = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]
"""From the inputs of a classifier to `logits (b, 1)`, `weights (b, n)`, `region_logits (n, 1)`."""


def load_logits(path: Path, threads: int | None = None) -> tuple[Logits, Card]:
    """The model of a run as a function from images `(b, h, w, c)` to logits `(b, h, w, classes)`.

    Both arrays are float32, and `b`, `h` and `w` may change from call to call. The logits of an
    ensemble are logarithms of the mean probability of its members.

    Args:
        path: Folder of a run, an ensemble or an artifact.
        threads: That an engine other than TensorFlow may use; `None` takes the processors there.

    Raises:
        ModelError: If the folder is not that of a finished run, the model is not the one that its
            card describes, a member of an ensemble is missing or another, or TensorFlow is not
            installed.
    """
    if is_artifact(path):
        folder, listing, card = open_artifact(path, Card)
        return artifact_logits(folder, listing.format, threads), card
    if is_ensemble(path):
        joined = Card.read(path / CARD_FILE)
        members = [load_logits(folder, threads) for folder in read_members(path, joined)]
        return mean_logits(members), joined
    model, card = load_run(path)
    return keras_logits(model), card


def load_card(path: Path) -> Card:
    """The card of what `load_logits` would open, which is checked but not opened."""
    if is_artifact(path):
        return open_artifact(path, Card)[2]
    if is_ensemble(path):
        card = Card.read(path / CARD_FILE)
        read_members(path, card)
        return card
    return _checked(path, Card)


def load_run(path: Path) -> tuple[Any, Card]:
    """Keras model and card of a run that draws masks; `ModelError` as `load_logits`."""
    card = _checked(path, Card)
    model = load_keras(path / MODEL_FILE)
    channels = model.input_shape[-1]
    if channels != card.channels:
        raise ModelError(
            f"{path / MODEL_FILE} takes images of {channels} channels, but its card says "
            f"{card.channels}."
        )
    return model, card


def keras_logits(model: Any) -> Logits:
    """Function of a Keras model from images of any size to logits."""
    import tensorflow as tf

    # One graph for all sizes: `predict` takes four times as long for a single image.
    signature = [tf.TensorSpec((None, None, None, model.input_shape[-1]), tf.float32)]
    whole = tf.function(lambda images: model(images, training=False), input_signature=signature)
    # Traced here: TensorFlow takes first calls of many members for tracing in a loop, and warns.
    graph = whole.get_concrete_function()

    def logits(images: np.ndarray, kept: Any = model) -> np.ndarray:
        # `kept` because a graph does not keep the variables alive that it reads.
        return graph(tf.constant(images, tf.float32)).numpy()

    return logits


def artifact_logits(folder: Path, engine: str, threads: int | None = None) -> Logits:
    """The network of an artifact from images to logits, in its engine."""
    if engine == "keras":
        return keras_logits(read_plain(folder))
    run = open_engine(folder, engine, threads)

    def logits(images: np.ndarray) -> np.ndarray:
        (found,) = run({"images": images}).values()
        return found

    return logits


def open_artifact(path: Path, kind: type[AnyKind]) -> tuple[Path, Listing, AnyKind]:
    """Folder, list and card of an artifact, all checked; `ModelError` where they do not fit."""
    folder = unpacked(path)
    listing = read_listing(folder)
    card = kind.read(folder / CARD_FILE)
    if listing.files.get(MAIN[listing.format]) != card.model_sha256:
        raise ModelError(f"The card in {path} is that of another model; export the model again.")
    return folder, listing, card


def load_objects(path: Path) -> tuple[Say, ObjectCard]:
    """The model of a run that finds single objects, as a function.

    Raises:
        ModelError: As `load_logits`.
    """
    card = _checked(path, ObjectCard)
    return keras_objects(load_keras(path / MODEL_FILE)), card


def keras_objects(model: Any) -> Say:
    """Function of a Keras model of objects, for images of any size; logits go by that name."""
    import tensorflow as tf

    signature = [tf.TensorSpec((None, None, None, model.input_shape[-1]), tf.float32)]
    graph = tf.function(lambda images: model(images, training=False), input_signature=signature)

    def say(images: np.ndarray, kept: Any = model) -> dict[str, np.ndarray]:
        said = graph(tf.constant(images, tf.float32))
        named = said if isinstance(said, dict) else {"logits": said}
        return {name: value.numpy() for name, value in named.items()}

    return say


def load_decisions(path: Path) -> tuple[Decide, RegionCard]:
    """The classifier of a run as a function of the inputs that `models.classifiers` describes.

    Raises:
        ModelError: As `load_logits`.
    """
    card = _checked(path, RegionCard)
    return keras_decisions(load_keras(path / MODEL_FILE)), card


def keras_decisions(model: Any) -> Decide:
    """Function of a Keras classifier; regions are looked at a few at a time, so that bags of any
    number fit into memory.
    """
    import tensorflow as tf

    from maskwright.models import parts

    embed, pool = parts(model)

    def graph(part: Any) -> Any:
        specs = {tensor.name: tf.TensorSpec(tensor.shape, tf.float32) for tensor in part.inputs}
        return tf.function(lambda inputs: part(inputs, training=False), input_signature=[specs])

    look, join = graph(embed), graph(pool)
    wanted = [tensor.name for tensor in embed.inputs]

    def decide(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        number = inputs["bags"].shape[1]
        seen: list[dict[str, np.ndarray]] = []
        for first in range(0, number, _REGIONS_AT_ONCE):
            some = {
                name: tf.constant(inputs[name][first : first + _REGIONS_AT_ONCE], tf.float32)
                for name in wanted
            }
            seen.append({name: value.numpy() for name, value in look(some).items()})
        regions = {name: np.concatenate([part[name] for part in seen]) for name in seen[0]}
        bags = tf.constant(inputs["bags"], tf.float32)
        told = join({**{name: tf.constant(value) for name, value in regions.items()}, "bags": bags})
        found = {name: value.numpy() for name, value in told.items()}
        return {**found, "region_logits": regions["region_logits"]}

    return decide


def _checked(path: Path, kind: type[AnyKind]) -> AnyKind:
    """Card of a run whose model is there and the one that the card describes."""
    model_file = path / MODEL_FILE
    if not model_file.is_file():
        found = "there is no such folder" if not path.exists() else f"it has no {MODEL_FILE}"
        raise ModelError(
            f"Expected {path} to be the folder of a finished run, with {MODEL_FILE} and "
            f"{CARD_FILE}; {found}."
        )
    card = kind.read(path / CARD_FILE)
    if checksum(model_file) != card.model_sha256:
        raise ModelError(
            f"{model_file} is not the model that {CARD_FILE} beside it describes (their checksums "
            f"differ); copy both again from the run."
        )
    return card


def load_keras(path: Path) -> Any:
    """Model of a `.keras` file; TensorFlow is imported here and not before."""
    try:
        import keras

        import maskwright.models.rcnn  # noqa: F401  # registers the layers that files name
    except ImportError as error:
        raise ModelError(
            f"Running {path} needs TensorFlow, which cannot be imported ({error}); "
            f"install maskwright[cpu] or maskwright[gpu]."
        ) from error
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises almost anything on a damaged file
        raise ModelError(f"{path} cannot be loaded as a Keras model: {error}") from error
