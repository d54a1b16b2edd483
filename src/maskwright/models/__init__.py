"""Networks: functions on tensors, joined once to a model from images to logits.

A new encoder or decoder is a file in its folder and a line in the registry there; a new published
network is an entry in `maskwright.architectures`.
"""

from maskwright.architectures import ARCHITECTURES, Architecture
from maskwright.models.blocks import Norm
from maskwright.models.blueprint import BUILDERS, Blueprint
from maskwright.models.classifier_parts import (
    adapt_measures,
    parts,
    start_from_measures,
    with_weights,
)
from maskwright.models.classifiers import ClassifierSpec, reference_cnn
from maskwright.models.decoders import DECODERS, SUPERVISION, light, unet
from maskwright.models.encoders import ENCODERS, Encoder, PixelFormat, encoder, freeze
from maskwright.models.pooling import PoolInside
from maskwright.models.presets import plain_unet, small, tutorial_unet
from maskwright.models.segmenter import main_model, segmenter
from maskwright.models.specs import DetectorSpec, NetworkSpec, SegmenterSpec, architecture

__all__ = [
    "ARCHITECTURES",
    "BUILDERS",
    "DECODERS",
    "ENCODERS",
    "SUPERVISION",
    "Architecture",
    "Blueprint",
    "ClassifierSpec",
    "DetectorSpec",
    "Encoder",
    "NetworkSpec",
    "Norm",
    "PixelFormat",
    "PoolInside",
    "SegmenterSpec",
    "adapt_measures",
    "architecture",
    "encoder",
    "freeze",
    "light",
    "main_model",
    "parts",
    "plain_unet",
    "reference_cnn",
    "segmenter",
    "small",
    "start_from_measures",
    "tutorial_unet",
    "unet",
    "with_weights",
]
