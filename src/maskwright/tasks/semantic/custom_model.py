"""Models that were built in Keras elsewhere, trained and kept as runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.config import TrainConfig
from maskwright.data import DataSet
from maskwright.data.pipeline.arrays import Arrays
from maskwright.errors import ConfigError
from maskwright.model_card import NETWORK_FILE
from maskwright.tasks.semantic.network import auxiliary_loss_weight, describe_model
from maskwright.tasks.transfer import initializer
from maskwright.types import Alert

if TYPE_CHECKING:
    import keras

    from maskwright.losses import MaskLoss
    from maskwright.models.blueprint import Blueprint
    from maskwright.training import Recipe, TrainOptions

_OF_NETWORKS = (
    *("encoder", "encoder_weights", "encoder_widths", "taps", "alpha", "dropout", "preset"),
    *("decoder", "decoder_widths", "transposed", "separable", "norm", "output_stride"),
    *("deep_supervision", "one_logit", "encoder_rate", "freeze", "fix_statistics", "freeze_stem"),
    *("weights", "objects", "detector", "longer_side"),
)
"""Settings that describe networks of ours, or how these are trained."""

_ANY_SIZE = (64, 96)  # px, of images that keep their own, padded to multiples of 32
_MOST_SCALED = 20.0  # of pixels that a model has scaled: beyond it, it was made for others


def check_custom_settings(given: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for settings that have no effect on a model of the user's."""
    if unused := [name for name in _OF_NETWORKS if given.get(name) not in (None, False)]:
        raise ConfigError(
            f"`{unused[0]}` has no effect on a model of your own; leave it out, or `model`."
        )


def model_of_run(folder: Path) -> "keras.Model | None":
    """Network of a run that was begun with a model of the user's, with random weights; else `None`.

    Raises `ModelError` if it has layers that are not registered here.
    """
    from maskwright.models import Blueprint

    path = folder / NETWORK_FILE
    if not path.is_file():
        return None
    blueprint = Blueprint.from_json(path.read_bytes())
    return blueprint.build() if blueprint.builder == "keras" else None


def resolve_custom(config: TrainConfig, dataset: DataSet, model: "keras.Model") -> TrainConfig:
    """Settings with the size that a model of the user's takes; `ConfigError` if it cannot be used.

    Nothing of a pretrained encoder remains in them.
    """
    from maskwright.models.keras_network import check_model, fixed_size

    if dataset.multilabel:
        raise ConfigError(
            "The classes of the data overlap, which models of your own cannot be trained on: leave "
            "`model` out, or name classes that exclude each other in data.yaml."
        )
    check_model(model, dataset.labels.num_classes)
    size = fixed_size(model)
    changes: dict[str, Any] = {"encoder_weights": None}
    if size is not None:
        name, stated = ("crop", config.crop) if config.crop else ("size", config.size)
        if stated not in ("auto", size) or (config.crop and size[0] != size[1]):
            raise ConfigError(
                f"The model takes images of {size[0]}x{size[1]} px; leave `{name}` out, which is "
                f"{stated}."
            )
        if not config.crop:
            changes["size"] = size
    return config.model_copy(update=changes)


@dataclass(frozen=True)
class RunNetwork:
    """The network of a run, and what depends on whether it is one of ours.

    Args:
        initialize: Called with the network before training, or `None`.
        auxiliary_weight: Weight of each auxiliary loss.
        settings: What the run is repeated with.
    """

    network: "Blueprint"
    initialize: "Callable[[keras.Model], None] | None"
    loss: "MaskLoss"
    auxiliary_weight: float
    recipe: "Recipe"
    settings: Mapping[str, Any]


def describe_network(
    dataset: DataSet,
    config: TrainConfig,
    options: "TrainOptions",
    train: Arrays,
    synchronized: bool,
) -> RunNetwork:
    """Network of the settings, or the model of the options; `ConfigError` if it cannot be used.

    `synchronized` is whether several workers share their batch statistics.
    """
    from maskwright.losses import custom_loss, loss
    from maskwright.models.keras_network import activation_of
    from maskwright.training import Recipe

    recipe, settings, labels = Recipe(**config.recipe()), config.effective(), dataset.labels
    activation = None if options.model is None else activation_of(options.model)
    if options.loss is None:
        learned = loss(config.loss, smoothing=config.smoothing)
    else:
        learned = custom_loss(options.loss, activation)
    if options.model is None:
        network = describe_model(config, train, labels.num_classes, synchronized)
        initialize = initializer(config, dataset, labels, network, options)
        weight = auxiliary_loss_weight(config)
        return RunNetwork(network, initialize, learned, weight, recipe, settings)
    network, model = _custom_network(config, train, labels.num_classes, options)

    def begin(built: "keras.Model") -> None:
        built.set_weights(model.get_weights())

    # Nothing is held back as a pretrained encoder would be.
    recipe = replace(recipe, encoder_rate=1.0, freeze=0.0, fix_statistics=False, freeze_stem=False)
    settings = {name: value for name, value in settings.items() if name not in _OF_NETWORKS}
    return RunNetwork(network, begin, learned, 0.0, recipe, settings)


def _custom_network(
    config: TrainConfig, train: Arrays, num_classes: int, options: "TrainOptions"
) -> "tuple[Blueprint, keras.Model]":
    """What a file says of the model of the options, and the model as it is trained."""
    from maskwright.models import Blueprint
    from maskwright.models.keras_network import as_logits, check_size

    model = as_logits(options.model, num_classes)
    channels = model.inputs[0].shape[-1]
    if channels != train.channels:
        raise ConfigError(
            f"The model takes images of {channels} channels; those of the data have "
            f"{train.channels}."
        )
    size = config.crop or config.size
    check_size(model, size if isinstance(size, tuple) else _ANY_SIZE, channels)
    _warn_of_scale(model, train, options)
    return Blueprint.of_model(model), model


def _warn_of_scale(model: "keras.Model", train: Arrays, options: "TrainOptions") -> None:
    """Tell where a model scales pixels of another range than those of the data."""
    from maskwright.models.keras_network import rescaled

    low, high = train.value_range
    scaled = rescaled(model, high)
    if scaled is not None and high != 255 and abs(scaled) > _MOST_SCALED:
        options.on_message(
            Alert(
                f"The images have values from {low:g} to {high:g}, which the first layer of the "
                f"model scales to as much as {scaled:g}: a scale for pixels from 0 to 255 does not "
                f"suit them."
            )
        )
