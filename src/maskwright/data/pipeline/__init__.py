"""From samples to batches: samples decoded once, augmented with their masks, and collated.

A new augmentation is a setting in `augmentation.py` and its effect in `augment.py`; order, seeds
and shards of an epoch are in `epochs.py` alone, for every task.
"""

from maskwright.data.pipeline.arrays import Arrays
from maskwright.data.pipeline.augment import augment
from maskwright.data.pipeline.augmentation import STRENGTHS, Augmentation
from maskwright.data.pipeline.load_arrays import load

__all__ = ["STRENGTHS", "Arrays", "Augmentation", "augment", "load"]
