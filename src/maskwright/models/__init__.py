"""Networks: functions on tensors, joined once to a model from images to logits."""

from maskwright.models.blocks import BilinearUpsampling, CropLike, PadToMultiple
from maskwright.models.decoders import DECODERS, light, unet
from maskwright.models.encoders import ENCODERS, Encoder, Features, encoder, freeze
from maskwright.models.presets import PRESETS, build, plain_unet, small, tutorial_unet
from maskwright.models.segmenter import segmenter

__all__ = [
    "DECODERS",
    "ENCODERS",
    "PRESETS",
    "BilinearUpsampling",
    "CropLike",
    "Encoder",
    "Features",
    "PadToMultiple",
    "build",
    "encoder",
    "freeze",
    "light",
    "plain_unet",
    "segmenter",
    "small",
    "tutorial_unet",
    "unet",
]
