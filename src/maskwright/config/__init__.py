"""Settings of a training run: read once, checked once, frozen."""

from maskwright.config.base import RunConfig
from maskwright.config.parse import given_settings, parse_settings, read_config
from maskwright.config.regions import RegionConfig
from maskwright.config.segmentation import TrainConfig

__all__ = [
    "RegionConfig",
    "RunConfig",
    "TrainConfig",
    "given_settings",
    "parse_settings",
    "read_config",
]
