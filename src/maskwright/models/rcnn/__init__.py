"""Mask R-CNN on the encoders of all other models."""

from maskwright.models.rcnn.learning import rcnn_losses
from maskwright.models.rcnn.network import RcnnParts, mask_rcnn
from maskwright.models.rcnn.settings import PROFILES, Rcnn

__all__ = ["PROFILES", "Rcnn", "RcnnParts", "mask_rcnn", "rcnn_losses"]
