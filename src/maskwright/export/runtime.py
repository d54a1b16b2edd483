"""Open a trained model as a plain function of arrays: images to logits, or regions to decisions."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.artifact import (
    Listing,
    is_artifact,
    network_digest,
    read_listing,
    unpacked,
)
from maskwright.export.engines import ALONE, Network, Threads, open_engine
from maskwright.export.ensemble import Logits, is_ensemble, mean_logits, read_members
from maskwright.export.weights_archive import read_plain
from maskwright.model_card import (
    CARD_FILE,
    MODEL_FILE,
    InstanceCard,
    ModelCard,
    RegionCard,
    SemanticCard,
    checksum,
)
from maskwright.types import InstanceMethod

CLASSIFIER_PARTS = ("look", "join")
"""Folders of the two networks of a classifier, as `models.parts` gives them, in an artifact."""

_REGIONS_AT_ONCE = 64  # looked at; a bag may hold any number

_SAID: Mapping[InstanceMethod, frozenset[str]] = {
    "centers": frozenset({"logits"}),
    "mask_rcnn": frozenset({"boxes", "scores", "labels", "masks"}),
}

AnyKind = TypeVar("AnyKind", bound=ModelCard)
DetectorFn = Callable[[np.ndarray], dict[str, np.ndarray]]
"""From images `(b, h, w, c)` to what a model of objects says of them; see `objects.finder`."""
ClassifierFn = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]
"""From the inputs of a classifier to `logits (b, 1)`, `weights (b, n)`, `region_logits (n, 1)`."""


def load_logits(path: Path, threads: Threads = ALONE) -> tuple[Logits, SemanticCard]:
    """The model of a run as a function from images `(b, h, w, c)` to logits `(b, h, w, classes)`.

    Both arrays are float32, and `b`, `h` and `w` may change from call to call. The logits of an
    ensemble are logarithms of the mean probability of its members.

    Args:
        path: Folder of a run, an ensemble or an artifact.
        threads: Of an engine other than TensorFlow.

    Raises:
        ModelError: If the folder is not that of a finished run, the model is not the one that its
            card describes, a member of an ensemble is missing or another, or TensorFlow is not
            installed.
    """
    if is_artifact(path):
        folder, listing, card = open_artifact(path, SemanticCard)
        if not is_ensemble(folder):
            return artifact_logits(folder, listing.format, threads), card
        path = folder
    if is_ensemble(path):
        joined = SemanticCard.read(path / CARD_FILE)
        members = [load_logits(folder, threads) for folder in read_members(path, joined)]
        return mean_logits(members), joined
    model, card = load_run(path, SemanticCard)
    return keras_logits(model), card


def load_card(path: Path) -> SemanticCard:
    """The card of what `load_logits` would open, which is checked but not opened."""
    if is_artifact(path):
        folder, _, card = open_artifact(path, SemanticCard)
        if not is_ensemble(folder):
            return card
        path = folder
    if is_ensemble(path):
        card = SemanticCard.read(path / CARD_FILE)
        read_members(path, card)
        return card
    return checked_card(path, SemanticCard)


def load_run(path: Path, kind: type[AnyKind]) -> tuple[Any, AnyKind]:
    """Keras model and card of a run; `ModelError` as `load_logits`."""
    card = checked_card(path, kind)
    model = load_keras(path / MODEL_FILE)
    channels = model.inputs[0].shape[-1]
    if kind is not RegionCard and channels != card.channels:
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


def artifact_logits(folder: Path, engine: str, threads: Threads = ALONE) -> Logits:
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
    if network_digest(listing.files) != card.model_sha256:
        raise ModelError(f"The card in {path} is that of another model; export the model again.")
    return folder, listing, card


def load_objects(path: Path, threads: Threads = ALONE) -> tuple[DetectorFn, InstanceCard]:
    """The model of a run that finds single objects, as a function.

    Args:
        path: Folder of a run or of an artifact.
        threads: Of an engine other than TensorFlow.

    Raises:
        ModelError: As `load_logits`.
    """
    if is_artifact(path):
        folder, listing, card = open_artifact(path, InstanceCard)
        return artifact_objects(folder, listing.format, card.method, threads), card
    model, card = load_run(path, InstanceCard)
    return keras_objects(model), card


def artifact_objects(
    folder: Path, engine: str, method: InstanceMethod, threads: Threads = ALONE
) -> DetectorFn:
    """The network of an artifact from images to what it says of their objects, in its engine."""
    if engine == "keras":
        return _saying(keras_objects(read_plain(folder)), method, folder)
    network = open_engine(folder, engine, threads)
    return _saying(lambda images: network({"images": images}), method, folder)


def _saying(ask: DetectorFn, method: InstanceMethod, folder: Path) -> DetectorFn:
    """The same, with the names that a method has for what it says; `ModelError` for others."""
    expected = _SAID[method]

    def say(images: np.ndarray) -> dict[str, np.ndarray]:
        found = ask(images)
        if len(found) == len(expected) == 1:
            return dict(zip(expected, found.values(), strict=True))
        if found.keys() != expected:
            raise ModelError(
                f"The network in {folder} gives {', '.join(sorted(found))}; one of {method} gives "
                f"{', '.join(sorted(expected))}: export the model again."
            )
        return found

    return say


def keras_objects(model: Any) -> DetectorFn:
    """Function of a Keras model of objects, for images of any size; logits go by that name."""
    import tensorflow as tf

    signature = [tf.TensorSpec((None, None, None, model.input_shape[-1]), tf.float32)]
    whole = tf.function(lambda images: model(images, training=False), input_signature=signature)
    graph = whole.get_concrete_function()

    def say(images: np.ndarray, kept: Any = model) -> dict[str, np.ndarray]:
        said = graph(tf.constant(images, tf.float32))
        named = said if isinstance(said, dict) else {"logits": said}
        return {name: value.numpy() for name, value in named.items()}

    return say


def load_decisions(path: Path, threads: Threads = ALONE) -> tuple[ClassifierFn, RegionCard]:
    """The classifier of a run as a function of the inputs that `models.classifiers` describes.

    Args:
        path: Folder of a run or of an artifact.
        threads: Of an engine other than TensorFlow.

    Raises:
        ModelError: As `load_logits`.
    """
    if is_artifact(path):
        folder, listing, card = open_artifact(path, RegionCard)
        return artifact_decisions(folder, listing.format, threads), card
    model, card = load_run(path, RegionCard)
    return keras_decisions(model), card


def keras_decisions(model: Any) -> ClassifierFn:
    """Function of a Keras classifier."""
    import tensorflow as tf

    from maskwright.models import parts

    def graph(part: Any) -> Network:
        specs = {tensor.name: tf.TensorSpec(tensor.shape, tf.float32) for tensor in part.inputs}
        whole = tf.function(lambda given: part(given, training=False), input_signature=[specs])

        def run(given: dict[str, np.ndarray], kept: Any = part) -> dict[str, np.ndarray]:
            said = whole({name: tf.constant(value) for name, value in given.items()})
            return {name: value.numpy() for name, value in said.items()}

        return Network(tuple(specs), run)

    return decided_in_two(*map(graph, parts(model)))


def artifact_decisions(folder: Path, engine: str, threads: Threads = ALONE) -> ClassifierFn:
    """The classifier of an artifact, in its engine."""
    if engine == "keras":
        return keras_decisions(read_plain(folder, classifier=True))
    return decided_in_two(
        *(open_engine(folder / part, engine, threads) for part in CLASSIFIER_PARTS)
    )


def decided_in_two(look: Network, join: Network) -> ClassifierFn:
    """Function of the two parts of a classifier; regions are looked at a few at a time, so that
    bags of any number fit into memory.
    """

    def decide(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        number = inputs["bags"].shape[1]
        seen: list[dict[str, np.ndarray]] = []
        for first in range(0, number, _REGIONS_AT_ONCE):
            some = slice(first, first + _REGIONS_AT_ONCE)
            seen.append(look({n: inputs[n][some] for n in inputs if n != "bags"}))
        regions = {name: np.concatenate([part[name] for part in seen]) for name in seen[0]}
        found = join({**regions, "bags": inputs["bags"]})
        return {**found, "region_logits": regions["region_logits"]}

    return decide


def checked_card(path: Path, kind: type[AnyKind]) -> AnyKind:
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
