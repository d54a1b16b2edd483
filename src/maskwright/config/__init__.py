"""Settings of training runs: read from YAML and the command line, validated once, then frozen.

A new setting is a field with a description of its own; code outside `api` receives plain values.
"""

from maskwright.config.base import RunConfig
from maskwright.config.parse import parse_settings, read_config
from maskwright.config.regions import RegionConfig
from maskwright.config.segmentation import PRESETS, PRETRAINED_PRESETS, TrainConfig

__all__ = [
    "PRESETS",
    "PRETRAINED_PRESETS",
    "RegionConfig",
    "RunConfig",
    "TrainConfig",
    "parse_settings",
    "read_config",
]
