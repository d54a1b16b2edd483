"""The network that settings describe, and the working size of a data set."""

from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.architectures import ARCHITECTURES
from maskwright.config import TrainConfig
from maskwright.data import DataSet
from maskwright.data.pipeline.arrays import Arrays
from maskwright.errors import ConfigError, DataError

if TYPE_CHECKING:
    from maskwright.models.blueprint import Blueprint

_AUTO_LONGEST_PX = 256
_STRIDE = 32


def auto_size(dataset: DataSet) -> tuple[int, int]:
    """Median height and width of the images, the longer at most 256 px, in multiples of 32."""
    sides = []
    for sample in dataset.samples[:: max(len(dataset.samples) // 200, 1)]:
        try:
            header = dataset.header(sample.image)
        except DataError:
            continue
        sides.append((header.height, header.width))
    if not sides:
        raise DataError(f"No image in {dataset.root} can be read; run `maskwright check` on it.")
    height, width = np.median(np.array(sides), axis=0)
    factor = min(_AUTO_LONGEST_PX / max(height, width), 1.0)
    height, width = (max(round(s * factor / _STRIDE), 1) * _STRIDE for s in (height, width))
    return height, width


def auxiliary_loss_weight(config: TrainConfig) -> float:
    """Weight of each auxiliary loss: as set, or the paper's."""
    from maskwright.models import SUPERVISION

    if config.deep_supervision is not None:
        return config.deep_supervision
    decoder = ARCHITECTURES[config.preset].decoder if config.preset else config.decoder
    return SUPERVISION.get(decoder, 0.0)


def describe_model(
    config: TrainConfig, arrays: Arrays, num_classes: int, synchronized: bool = False
) -> "Blueprint":
    """Network that the settings describe, for the images of `arrays`.

    `synchronized` is whether several workers share their batch statistics.
    """
    from maskwright import models
    from maskwright.models.blueprint import Blueprint

    if config.one_logit:
        if num_classes != 2:
            raise ConfigError(f"one_logit tells two classes apart; the data has {num_classes}.")
        num_classes = 1
    shape = {
        "num_classes": num_classes,
        "channels": arrays.channels,
        "pixel_range": arrays.value_range,
    }
    weights = config.initial_encoder_weights
    if config.preset is not None:
        preset = ARCHITECTURES[config.preset]
        wanted: dict[str, Any] = {
            "weights": weights,
            "taps": config.taps,
            "deep_supervision": auxiliary_loss_weight(config) > 0 or None,
        }
        options = _taken(models.BUILDERS[preset.builder], config.preset, wanted)
        start = {"weights": options.pop("weights")} if "weights" in options else {}
        return Blueprint(preset.builder, {**preset.builder_arguments(), **shape, **options}, start)
    decode = models.DECODERS.get(config.decoder)  # `build` tells of a name that does not exist
    wanted = {"transposed": config.transposed, "separable": config.separable}
    return Blueprint(
        "segmenter",
        {
            **shape,
            **config.encoder_arguments(),
            "decoder_name": config.decoder,
            "widths": config.decoder_widths,
            "decoder_options": _taken(decode, config.decoder, wanted) if decode else None,
            "output_stride": config.output_stride,
            "dropout": config.dropout,
            "deep_supervision": auxiliary_loss_weight(config) > 0,
        },
        {"weights": weights, "seed": config.seed, "synchronized": synchronized},
    )


def _taken(build: Callable[..., Any], name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Options that were set, of a function that has them; `ConfigError` where it has not."""
    chosen = {option: value for option, value in wanted.items() if value is not None}
    for option in chosen.keys() - signature(build).parameters.keys():
        raise ConfigError(f"{name} has no setting `{option}`; leave it out or take another.")
    return chosen
