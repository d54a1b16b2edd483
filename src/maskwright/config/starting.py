"""Settings that describe the weights that a run starts from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from maskwright.config.base import RunConfig
from maskwright.errors import ConfigError
from maskwright.imageio import read_yaml
from maskwright.types import Alert, OnMessage

Config = TypeVar("Config", bound=RunConfig)

_OF_ENCODERS = ("encoder", "encoder_weights", "alpha", "taps", "preset", "weights")

_NETWORK = (
    *("preset", "encoder", "encoder_widths", "alpha", "taps", "norm", "output_stride"),
    *("decoder", "decoder_widths", "transposed", "separable", "deep_supervision", "one_logit"),
    *("objects", "detector"),
)
_TORCHVISION = {
    "objects": "mask_rcnn",
    "encoder": "resnet50_v1_5",
    "detector": {"profile": "torchvision"},
}
"""Settings of the network in a file of torchvision's `maskrcnn_resnet50_fpn`."""


def network_settings(weights: Any) -> dict[str, Any]:
    """Settings of the network of a run, or of a file of weights; none where there is neither.

    A run that was resumed may have outlived the one that it started from.
    """
    if not isinstance(weights, str | Path):
        return {}
    if Path(weights).is_file():
        return dict(_TORCHVISION)
    plan = Path(weights) / "plan.yaml"
    values = read_yaml(plan) if plan.is_file() else {}
    if not isinstance(values, Mapping):
        raise ConfigError(f"Expected lines of `key: value` in the settings file {plan}.")
    return {name: values[name] for name in _NETWORK if name in values}


def with_network(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings, and where they name `weights`, those of that network that are not stated."""
    taken = network_settings(settings.get("weights"))
    merged = {**taken, **settings}
    stated = settings.get("detector")
    if isinstance(stated, Mapping) and isinstance(taken.get("detector"), Mapping):
        merged["detector"] = {**taken["detector"], **stated}
    return merged


def with_encoder_at_hand(config: Config, on_message: OnMessage) -> Config:
    """Settings with another encoder, which is told, where that of the defaults has no weights here.

    Settings that choose an encoder, or say what it starts from, stay as they are.
    """
    from maskwright.models.encoders.published import default_encoder

    stated = {name for name in _OF_ENCODERS if name in config.model_fields_set}
    if stated or not getattr(config, "pixels", True):
        return config
    encoder, told = default_encoder()
    if told is None:
        return config
    on_message(Alert(told))
    changed = config.model_copy(update={"encoder": encoder})
    changed.model_fields_set.discard("encoder")  # rules take what was stated for the user's choice
    return changed
