"""Weights that a whole network starts from: of a run, or of a file of torchvision's Mask R-CNN."""

from maskwright.models.transfer.pretrained import Pretrained, Taken, output_names, take_weights
from maskwright.models.transfer.torchvision import read_torchvision

__all__ = [
    "Pretrained",
    "Taken",
    "output_names",
    "read_torchvision",
    "take_weights",
]
