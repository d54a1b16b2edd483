"""Losses: (labels, logits) → one value for each image."""

from maskwright.losses.combined import NAMES, Sum, loss, parse
from maskwright.losses.overlap import Dice, Tversky
from maskwright.losses.pixel import CrossEntropy, Focal, MaskLoss, two_class

__all__ = [
    "NAMES",
    "CrossEntropy",
    "Dice",
    "Focal",
    "MaskLoss",
    "Sum",
    "Tversky",
    "loss",
    "parse",
    "two_class",
]
