"""Words that cards, settings and commands share; it imports nothing, so that `--help` is quick."""

from collections.abc import Callable
from typing import Literal

Unit = Literal["region", "image", "case"]
"""What one decision is made on: a region, or all of an image, or all of a case."""
RegionKind = Literal["components", "instances", "whole"]
"""What a region of a mask is: a connected component, a value, or all that is not background."""
Outside = Literal["kept", "darkened", "removed", "channel"]
"""What becomes of the pixels of a crop that the mask leaves out."""
InstanceMethod = Literal["centers", "mask_rcnn"]
"""How single objects are found: split by their centers and depths, or detected one by one."""
Format = Literal["keras", "savedmodel", "onnx", "openvino", "litert"]
"""Engine that an exported model is for."""
Engine = Literal["local", "ray"]
"""What works through a folder of images: this process, or the workers of a Ray cluster."""
OnMessage = Callable[[str], None]
"""Called with each message to the user, one sentence."""


def ignore_message(message: str) -> None:
    """Drop a message."""
