"""Settings become what they stand for: a data set, an augmentation, a network."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.config import RunConfig, TrainConfig
from maskwright.data import DataSet, open_dataset
from maskwright.data.pipeline.augment import Augmentation
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_header

if TYPE_CHECKING:
    from maskwright.models.blueprint import Blueprint

_AUTO_LONGEST_PX = 256
_STRIDE = 32
_LEFT_OUT_TOLD = 20


def resolve_config(
    config: TrainConfig, data: str | Path, on_message: Callable[[str], None]
) -> tuple[TrainConfig, DataSet, dict[str, Any]]:
    """Open a data set as the settings say, and unpack them.

    Returns:
        The settings with the size that `"auto"` stands for, the data set, and the arguments that
        `training.prepare` and `training.train` share.
    """
    from maskwright.losses import loss
    from maskwright.training import Recipe

    if config.objects is not None:
        raise ConfigError("This is for masks of classes; leave `objects` out.")
    # What a setting gets wrong is told of before any data is read.
    augmentation = make_augmentation(config)
    criterion = loss(config.loss, smoothing=config.smoothing)
    dataset = opened(config, data, on_message)
    if config.size == "auto":
        size = None if config.crop else auto_size(dataset)
        config = config.model_copy(update={"size": size})
    shared = {
        "loss": criterion,
        "recipe": Recipe(**config.recipe()),
        "augmentation": augmentation,
        "size": config.size,
        "crop": config.crop,
        "balance": config.class_weights,
        "favor_rare": config.favor_rare,
        "auxiliary_weight": auxiliary_loss_weight(config),
        "seed": config.seed,
        "memory_limit_mb": config.memory_limit_mb,
        "skip_unreadable": config.skip_unreadable,
    }
    return config, dataset, shared


def opened(config: RunConfig, data: str | Path, on_message: Callable[[str], None]) -> DataSet:
    """Data set divided as the settings say; what is left out is told of."""
    dataset = open_dataset(data, **config.division())
    tell_left_out(dataset, on_message, config.skip_unreadable)
    return dataset


def tell_left_out(
    dataset: DataSet, on_message: Callable[[str], None], may_skip: bool = True
) -> None:
    """Tell of the first files that are left out, and how many more there are.

    Raises:
        DataError: If none may be skipped, on the first.
    """
    if dataset.left_out and not may_skip:
        path, reason = dataset.left_out[0]
        about = reason.removesuffix(".") if str(path) in reason else f"{path}: {reason}"
        raise DataError(
            f"{about}; expected an image with its mask, both readable: mend or remove it, or let "
            f"such files be left out with skip_unreadable=true."
        )
    for path, reason in dataset.left_out[:_LEFT_OUT_TOLD]:
        on_message(f"left out: {reason}" if str(path) in reason else f"left out: {path}: {reason}")
    if (more := len(dataset.left_out) - _LEFT_OUT_TOLD) > 0:
        on_message(f"{more} more files are left out; `maskwright check` tells which.")


def auto_size(dataset: DataSet) -> tuple[int, int]:
    """Median height and width of the images, the longer at most 256 px, in multiples of 32."""
    sides = []
    for sample in dataset.samples[:: max(len(dataset.samples) // 200, 1)]:
        try:
            header = read_header(sample.image)
        except DataError:
            continue
        sides.append((header.height, header.width))
    if not sides:
        raise DataError(f"No image in {dataset.root} can be read; run `maskwright check` on it.")
    height, width = np.median(np.array(sides), axis=0)
    factor = min(_AUTO_LONGEST_PX / max(height, width), 1.0)
    return _multiple(height * factor), _multiple(width * factor)


def _multiple(length: float) -> int:
    return max(round(length / _STRIDE), 1) * _STRIDE


def make_augmentation(config: RunConfig) -> Augmentation:
    """Augmentation that the settings describe; `ConfigError` for one that does not exist."""
    changes = dict(config.augmentation)
    return Augmentation.named(changes.pop("strength"), **changes)


def auxiliary_loss_weight(config: TrainConfig) -> float:
    """Weight of each auxiliary loss: as set, or the paper's."""
    from maskwright.models import SUPERVISION

    if config.deep_supervision is not None:
        return config.deep_supervision
    return SUPERVISION.get(config.preset or config.decoder, 0.0)


def describe_model(
    config: TrainConfig,
    *,
    num_classes: int,
    channels: int,
    pixel_range: tuple[float, float],
    seed: int,
    synchronized: bool,
) -> "Blueprint":
    """Network that the settings describe, as `training.train` asks for it."""
    from maskwright import models
    from maskwright.models.blueprint import Blueprint

    if config.one_logit:
        if num_classes != 2:
            raise ConfigError(f"one_logit tells two classes apart; the data has {num_classes}.")
        num_classes = 1
    shape = {"num_classes": num_classes, "channels": channels, "pixel_range": pixel_range}
    weights = config.encoder_weights if config.pretrained else None
    if config.preset is not None:
        build = {**models.PRESETS, **models.PAPERS}[config.preset]
        wanted: dict[str, Any] = {
            "weights": weights,
            "taps": config.taps,
            "deep_supervision": auxiliary_loss_weight(config) > 0 or None,
        }
        options = _taken(build, config.preset, wanted)
        start = {"weights": options.pop("weights")} if "weights" in options else {}
        return Blueprint(config.preset, {**shape, **options}, start)
    decode = models.DECODERS.get(config.decoder)  # `build` tells of a name that does not exist
    wanted = {"transposed": config.transposed, "separable": config.separable}
    return Blueprint(
        "segmenter",
        {
            **shape,
            **encoder_arguments(config),
            "decoder_name": config.decoder,
            "widths": config.decoder_widths,
            "decoder_options": _taken(decode, config.decoder, wanted) if decode else None,
            "output_stride": config.output_stride,
            "dropout": config.dropout,
            "deep_supervision": auxiliary_loss_weight(config) > 0,
        },
        {"weights": weights, "seed": seed, "synchronized": synchronized},
    )


def encoder_arguments(config: RunConfig) -> dict[str, Any]:
    """What the settings say of the encoder, as every builder of a network takes it."""
    given = {
        "encoder_name": config.encoder,
        "encoder_widths": config.encoder_widths,
        "alpha": config.alpha,
        "taps": config.taps,
    }
    return {**given, "norm": config.norm} if isinstance(config, TrainConfig) else given


def _taken(build: Callable[..., Any], name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Options that were set, of a function that has them; `ConfigError` where it has not."""
    chosen = {option: value for option, value in wanted.items() if value is not None}
    for option in chosen.keys() - signature(build).parameters.keys():
        raise ConfigError(f"{name} has no setting `{option}`; leave it out or take another.")
    return chosen
