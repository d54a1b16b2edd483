"""Losses: (labels, logits) → one value for each image. A new one is a `MaskLoss` with a `code`."""

from maskwright.losses.compose import Sum, loss, parse
from maskwright.losses.geometry import Boundary, CenterlineDice
from maskwright.losses.multilabel import Multilabel
from maskwright.losses.overlap import Dice, FocalTversky, Lovasz, Tversky
from maskwright.losses.pixel import LOSSES, CrossEntropy, Focal, HardPixels, MaskLoss

__all__ = [
    "LOSSES",
    "Boundary",
    "CenterlineDice",
    "CrossEntropy",
    "Dice",
    "Focal",
    "FocalTversky",
    "HardPixels",
    "Lovasz",
    "MaskLoss",
    "Multilabel",
    "Sum",
    "Tversky",
    "loss",
    "parse",
]
