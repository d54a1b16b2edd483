"""Initial weights of a whole network, from a run or from a file of torchvision's Mask R-CNN."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from maskwright.config import TrainConfig
from maskwright.data import DataSet
from maskwright.data.learned_images import LearnedImages
from maskwright.data.parallel import in_threads
from maskwright.data.samples import counted, examples
from maskwright.errors import ModelError
from maskwright.labels import Labels
from maskwright.model_card import (
    CARD_FILE,
    LEARNED_FILE,
    MODEL_FILE,
    NETWORK_FILE,
    InstanceCard,
    MultilabelCard,
    SemanticCard,
    read_task,
)
from maskwright.types import Alert, OnMessage

if TYPE_CHECKING:
    import keras

    from maskwright.models.blueprint import Blueprint
    from maskwright.models.transfer import Pretrained, Taken
    from maskwright.training import TrainOptions

_CARDS = {card.task: card for card in (SemanticCard, MultilabelCard, InstanceCard)}


def initializer(
    config: TrainConfig,
    dataset: DataSet,
    labels: Labels,
    network: "Blueprint",
    options: "TrainOptions",
) -> "Callable[[keras.Model], None] | None":
    """`TrainingSetup.initialize` for the weights of the settings; `None` where there are none.

    Says what is taken, and of which images set aside the weights are not independent.
    """
    from maskwright.models.transfer import output_names, take_weights

    if config.weights is None:
        return None
    path = Path(config.weights)
    if not options.resume:
        _report_known(path, dataset, options.on_message)

    def initialize(model: "keras.Model") -> None:
        taken = take_weights(model, network, output_names(labels, network), read_weights(path))
        options.on_message(_sentence(path, taken))

    return initialize


def _report_known(path: Path, dataset: DataSet, on_message: OnMessage) -> None:
    """Warn of images set aside that the run of some weights has learned from."""
    learned = LearnedImages.read([path]).train if (path / LEARNED_FILE).is_file() else frozenset()
    held_out = [sample for sample in dataset.samples if sample.split not in ("train", None)]
    if not learned or not held_out:
        return
    hashes = in_threads(dataset.content_hash, held_out, "Comparing images")
    known = sum(each in learned for each in hashes)
    if known:
        on_message(
            Alert(
                f"{path} has learned from {known} of {counted(len(held_out), 'image')} that are "
                f"set aside here for validation and test: validation scores are too good, and "
                f"`evaluate` leaves these images out. Train it with the same division of the data, "
                f"or start from another run."
            )
        )


def _sentence(path: Path, taken: "Taken") -> str:
    text = f"Starts from {path}: {taken.parameters:,} of {taken.total:,} parameters are taken"
    if taken.classes:
        text += f", the outputs for {examples(taken.classes)} among them"
    if taken.new:
        text += f"; the outputs for {examples(taken.new)} start at random"
    return f"{text}."


def check_weights(config: TrainConfig, options: "TrainOptions") -> None:
    """`ModelError` if the weights of the settings are in no run or file, unless they are used."""
    if config.weights is not None and not options.resume:
        _check_place(Path(config.weights))


def read_weights(path: Path) -> "Pretrained":
    """The network of a finished run, or of a file of torchvision's Mask R-CNN.

    Raises `ModelError` if there is none, or it is one of decisions on regions.
    """
    from maskwright.models import Blueprint, main_model
    from maskwright.models.transfer import Pretrained, output_names, read_torchvision

    _check_place(path)
    if path.is_file():
        return read_torchvision(path)
    labels = _CARDS[_segmentation_task(path)].read(path / CARD_FILE).labels
    blueprint = Blueprint.from_json((path / NETWORK_FILE).read_bytes())
    model = main_model(blueprint.build())
    try:
        model.load_weights(path / MODEL_FILE)
    except Exception as error:  # Keras raises almost anything on a damaged file
        raise ModelError(
            f"{path / MODEL_FILE} does not hold the weights of the network in {NETWORK_FILE} "
            f"({error}); copy the run again."
        ) from None
    return Pretrained(path, blueprint, model, output_names(labels, blueprint))


def _check_place(path: Path) -> None:
    """`ModelError` unless there is a file, or a finished run of a task with masks."""
    if path.is_file():
        return
    for name in (CARD_FILE, NETWORK_FILE, MODEL_FILE):
        if not (path / name).is_file():
            reason = f"it has no {name}" if path.is_dir() else "there is no such folder or file"
            raise ModelError(
                f"Expected weights of the folder of a finished run, or a file of torchvision's "
                f"Mask R-CNN, in {path}; {reason}."
            )
    _segmentation_task(path)


def _segmentation_task(path: Path) -> str:
    task = read_task(path / CARD_FILE)
    if task not in _CARDS:
        raise ModelError(
            f"Expected weights of a model of {', '.join(_CARDS)}; {path} is one of {task}."
        )
    return task
