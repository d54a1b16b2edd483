"""Settings of a training run: read once, checked once, frozen."""

from maskwright.config.base import RunConfig
from maskwright.config.parse import given_settings, parse_settings, read_config
from maskwright.config.regions import RegionConfig
from maskwright.config.segmentation import PRESETS, PRETRAINED_PRESETS, TrainConfig

__all__ = [
    "PRESETS",
    "PRETRAINED_PRESETS",
    "RegionConfig",
    "RunConfig",
    "TrainConfig",
    "given_settings",
    "parse_settings",
    "read_config",
]
