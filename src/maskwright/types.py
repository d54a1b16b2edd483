"""Types of model cards, settings and messages; without heavy imports, so `--help` is fast."""

import warnings
from collections.abc import Callable
from typing import Literal

from maskwright.errors import MaskwrightWarning

Unit = Literal["region", "image", "case"]
"""Unit of a decision: a region, all regions of an image, or all images of a case."""
RegionKind = Literal["components", "instances", "whole"]
"""Definition of a region: a connected component, a pixel value, or all foreground."""
Outside = Literal["kept", "darkened", "removed", "channel"]
"""Treatment of the pixels of a crop outside the mask."""
InstanceMethod = Literal["centers", "condinst", "mask_rcnn"]
"""Instance segmentation: a watershed on predicted centers and distances, CondInst, Mask R-CNN."""
MASK_STRIDE = 4
"""Stride of the masks of a CondInst, px."""
PIXEL_STRIDE = 2
"""Stride of the classes of pixels that refine its outlines, px."""
DETECTORS: tuple[InstanceMethod, ...] = ("condinst", "mask_rcnn")
"""Methods that predict each object alone, with networks of their own."""
Symmetry = Literal["horizontal_flip", "vertical_flip", "rotation"]
"""A change of training images that the answer is to follow; rotation is by 90 degrees or more."""
Tracker = Literal["tensorboard", "mlflow", "wandb"]
"""Where a training run is logged, besides its own files."""
Format = Literal["keras", "savedmodel", "onnx", "openvino", "litert"]
CardFormat = Literal["huggingface", "bioimageio"]
"""Inference engine of an exported model."""
Engine = Literal["local", "ray"]
"""Where the images of a folder are processed: this process, or a Ray cluster."""
OnMessage = Callable[[str], None]
"""Called with each message to the user, one sentence."""


class Alert(str):
    """A message that warns, which Python shows even where nobody listens to messages."""

    __slots__ = ()


def ignore_message(message: str) -> None:
    """Drop a message."""


def show_alert(message: str) -> None:
    """Show an `Alert` as a `MaskwrightWarning`, and drop any other message."""
    if isinstance(message, Alert):
        warnings.warn(str(message), MaskwrightWarning, stacklevel=3)
