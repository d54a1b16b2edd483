"""Losses: (labels, logits) → one value for each image."""

from maskwright.losses.boundary import Boundary
from maskwright.losses.combined import NAMES, Sum, loss, parse
from maskwright.losses.hard import HardPixels
from maskwright.losses.lovasz import Lovasz
from maskwright.losses.overlap import Dice, FocalTversky, Tversky
from maskwright.losses.pixel import CrossEntropy, Focal, MaskLoss, two_class
from maskwright.losses.thin import CentrelineDice

__all__ = [
    "NAMES",
    "Boundary",
    "CentrelineDice",
    "CrossEntropy",
    "Dice",
    "Focal",
    "FocalTversky",
    "HardPixels",
    "Lovasz",
    "MaskLoss",
    "Sum",
    "Tversky",
    "loss",
    "parse",
    "two_class",
]
