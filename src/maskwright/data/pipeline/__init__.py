"""From samples to batches: samples decoded once, augmented with their masks, and collated.

A new augmentation is a setting in `augmentation.py` and its effect in `augment.py`; order, seeds
and shards of an epoch are in `epochs.py` alone, for every task.
"""

from maskwright.data.pipeline.arrays import (
    MEMORY_LIMIT_MB,
    Arrays,
    class_weights,
    rare_class_weights,
)
from maskwright.data.pipeline.augment import augment
from maskwright.data.pipeline.augmentation import STRENGTHS, Augmentation
from maskwright.data.pipeline.load_arrays import load

__all__ = [
    "MEMORY_LIMIT_MB",
    "STRENGTHS",
    "Arrays",
    "Augmentation",
    "augment",
    "class_weights",
    "load",
    "rare_class_weights",
]
