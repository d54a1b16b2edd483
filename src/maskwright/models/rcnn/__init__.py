"""Mask R-CNN on the encoders of all other models."""

from maskwright.models.rcnn.config import PROFILES, Rcnn
from maskwright.models.rcnn.losses import rcnn_losses
from maskwright.models.rcnn.network import DetectorSpec, mask_rcnn

__all__ = ["PROFILES", "DetectorSpec", "Rcnn", "mask_rcnn", "rcnn_losses"]
