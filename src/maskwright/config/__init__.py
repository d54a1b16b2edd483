"""Settings of training runs: read from YAML and the command line, validated once, then frozen.

A new setting is a field with a description of its own; code outside `api` receives plain values.
"""

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
