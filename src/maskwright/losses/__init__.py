"""Losses: (labels, logits) → one value for each image. A new one is a `MaskLoss` with a `code`."""

from maskwright.losses.base import LOSSES, MaskLoss
from maskwright.losses.compose import Sum, loss, parse
from maskwright.losses.geometry import Boundary, CenterlineDice
from maskwright.losses.keras_loss import CUSTOM_LOSS, KerasLoss, custom_loss
from maskwright.losses.multilabel import Multilabel
from maskwright.losses.overlap import Dice, FocalTversky, Lovasz, Tversky
from maskwright.losses.pixel import CrossEntropy, Focal, HardPixels

__all__ = [
    "LOSSES",
    "CUSTOM_LOSS",
    "Boundary",
    "CenterlineDice",
    "CrossEntropy",
    "Dice",
    "Focal",
    "FocalTversky",
    "HardPixels",
    "KerasLoss",
    "Lovasz",
    "MaskLoss",
    "Multilabel",
    "Sum",
    "Tversky",
    "loss",
    "custom_loss",
    "parse",
]
