"""Settings of a training run: read once, checked once, frozen."""

from maskwright.config.masks import PRESETS, PRETRAINED_PRESETS, TrainConfig
from maskwright.config.reading import parse_settings, read_config
from maskwright.config.regions import RegionConfig
from maskwright.config.shared import RunConfig

__all__ = [
    "PRESETS",
    "PRETRAINED_PRESETS",
    "RegionConfig",
    "RunConfig",
    "TrainConfig",
    "parse_settings",
    "read_config",
]
