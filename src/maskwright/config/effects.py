"""Where settings have an effect: elsewhere they are refused, and no plan records them."""

import re
from collections.abc import Callable, Container
from typing import Any, NamedTuple

from maskwright.architectures import ARCHITECTURES, SCRATCH
from maskwright.errors import ConfigError
from maskwright.model_card import STEPS, InstanceCard
from maskwright.types import DETECTORS


class _Effect(NamedTuple):
    """Settings that have an effect only where `holds`, which another setting, `by`, decides."""

    settings: tuple[str, ...]
    by: str
    holds: Callable[[Any], bool]
    reason: str
    defaults: bool = False
    """Whether a default that is given asks for something, too."""


_DECODER = ("decoder", "decoder_widths", "transposed", "separable", "output_stride")
_ENCODER = ("encoder", "encoder_widths", "alpha")
_ENCODER_START = ("taps", "encoder_weights")
_ENCODER_TRAINING = ("encoder_rate", "freeze", "fix_statistics", "freeze_stem")
_PRETRAINED_PRESETS = {None, *(name for name, preset in ARCHITECTURES.items() if preset.pretrained)}
_NO_BATCH_NORM = ("plain_unet", "small", "unet_plus_plus", "segformer_b0", "reference_cnn")
_MASK_ONLY = ("class_weights", "favor_rare", "one_logit", "threshold", "memory_limit_mb")

_EFFECTS = (
    _Effect(
        (*_ENCODER, *_DECODER, "norm", "dropout", "pooling", "embedding"),
        *("preset", lambda c: c.preset is None, "the preset is a whole network"),
    ),
    _Effect(
        _ENCODER_START,
        "preset",
        lambda c: c.preset in _PRETRAINED_PRESETS,
        "the preset has no pretrained encoder",
    ),
    _Effect(
        ("encoder_weights",),
        *("weights", lambda c: c.weights is None, "these are of the whole network"),
    ),
    _Effect(
        ("fix_statistics",),
        *("preset", lambda c: c.preset not in _NO_BATCH_NORM, "it has no batch normalization"),
    ),
    _Effect(
        ("fix_statistics",),
        "norm",
        lambda c: (
            c.preset is not None or c.encoder not in ("plain", "residual") or c.norm == "batch"
        ),
        "the encoder has no batch normalization",
    ),
    _Effect(
        ("weight_decay",),
        *("optimizer", lambda c: c.optimizer != "adam", "Adam with weight decay is adamw"),
    ),
    _Effect(
        ("measures",),
        *("preset", lambda c: c.preset is None or not c.measures, "the preset has no measures"),
    ),
    _Effect(
        ("pixels",),
        *("preset", lambda c: c.preset is None or c.pixels, "the preset looks at pixels alone"),
    ),
    _Effect(
        ("encoder_widths",),
        "encoder",
        lambda c: c.encoder in ("plain", "residual"),
        "only plain and residual have widths to choose",
    ),
    _Effect(
        ("alpha",),
        "encoder",
        lambda c: c.encoder.startswith("mobilenet"),
        "only MobileNet encoders have a width multiplier",
    ),
    _Effect(
        ("taps",),
        *(
            "encoder",
            lambda c: c.preset is not None or c.encoder not in SCRATCH,
            "its layers are fixed",
        ),
    ),
    _Effect(
        ("encoder_weights",),
        "encoder",
        lambda c: (
            c.preset is not None or c.encoder_weights != "imagenet" or c.encoder not in SCRATCH
        ),
        "it has no published weights",
        defaults=True,
    ),
    _Effect(
        ("fix_statistics",),
        "encoder",
        lambda c: c.preset is not None or not c.encoder.startswith(("vgg", "convnext", "mit_")),
        "it has no batch normalization",
    ),
    _Effect(
        ("crop", "favor_rare"),
        "size",
        lambda c: not isinstance(c.size, tuple) or not c.crop or any(map(_less, c.crop, c.size)),
        "a crop is not smaller than the resized images",
    ),
    _Effect(
        (*_MASK_ONLY, *(name for name in STEPS if not hasattr(InstanceCard, name))),
        *("objects", lambda c: c.objects is None, "it is of no use to single objects"),
    ),
    _Effect(
        ("preset", *_DECODER, "dropout", "deep_supervision", "loss", "smoothing"),
        "objects",
        lambda c: c.objects not in DETECTORS,
        "CondInst and Mask R-CNN have their own networks and losses",
    ),
    _Effect(
        ("detector",),
        "objects",
        lambda c: c.objects in DETECTORS,
        "it describes the models of objects=condinst and objects=mask_rcnn",
    ),
    _Effect(
        ("longer_side",),
        *("objects", lambda c: c.objects is not None, "it is for single objects"),
    ),
    _Effect(
        ("smoothing",),
        "loss",
        lambda c: "ce" in re.findall("[a-z_]+", c.loss),
        "it smooths the labels of cross-entropy, ce",
    ),
    _Effect(
        (
            *(*_ENCODER, *_ENCODER_START, *_ENCODER_TRAINING, "dropout", "embedding"),
            *("size", "context", "outside", "augmentation"),
        ),
        "pixels",
        lambda c: getattr(c, "pixels", True),
        "it concerns the pixels of the crops",
    ),
    _Effect(
        ("mask_perturbation",),
        *("variants", lambda c: c.variants > 0, "no mask with simulated errors is made"),
    ),
    _Effect(
        ("variants",),
        *("mask_perturbation", lambda c: c.mask_perturbation != 0, "there are no errors to vary"),
    ),
    _Effect(
        ("max_regions", "pooling"),
        *("unit", lambda c: c.unit != "region", "each unit has one region"),
    ),
)
"""Each setting has an effect where all rows that name it hold."""


def unused(config: Any) -> dict[str, _Effect]:
    """Settings without an effect beside the others, by name, with the row that says why."""
    fields = type(config).model_fields
    return {
        name: effect
        for effect in reversed(_EFFECTS)
        if effect.by in fields
        for name in effect.settings
        if name in fields and not effect.holds(config)
    }


def refuse_unused(config: Any, overridden: Container[str]) -> None:
    """Raise `ConfigError` for settings that were given, and have no effect beside the others.

    `None` asks for nothing, nor do 0, false and defaults, but beside a preset, which may differ
    from them. `overridden` are settings given after those of a file, which may lose their effect.
    """
    for name, effect in unused(config).items():
        value = getattr(config, name)
        default = type(config).model_fields[name].default
        asks = effect.defaults or effect.by == "preset"
        harmless = value is None or (value in (0, False, default) and not asks)
        given = name in config.model_fields_set and not harmless
        if given and (name in overridden or effect.by not in overridden):
            by = getattr(config, effect.by)
            raise ConfigError(
                f"`{name}` has no effect with {effect.by}={_shown(by)}: {effect.reason}; leave it "
                f"out, or change {effect.by}."
            )


def _less(a: int, b: int) -> bool:
    return a < b


def _shown(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    text = str(value)
    return {"None": "none", "True": "true", "False": "false"}.get(text, text)
