"""Networks: functions on tensors, joined once to a model from images to logits.

A new encoder or decoder is a file in its folder and a line in the registry there; a new published
network is an entry in `maskwright.architectures`.
"""

from maskwright.architectures import ARCHITECTURES, Architecture
from maskwright.models.blocks import BilinearUpsampling, CropLike, Norm, PadToMultiple
from maskwright.models.blueprint import BUILDERS, Blueprint, architecture
from maskwright.models.classifiers import (
    CLASSIFIERS,
    ClassifierSpec,
    adapt_measures,
    parts,
    start_from_measures,
    with_weights,
)
from maskwright.models.condinst import CondInst, CondInstSpec, condinst
from maskwright.models.decoders import Decoded, Decoder, light, unet
from maskwright.models.encoders import ENCODERS, Encoder, Features, PixelFormat, encoder, freeze
from maskwright.models.pooling import (
    POOLINGS,
    AttentionPooling,
    MaxPooling,
    MeanPooling,
    PoolInside,
    Standardize,
)
from maskwright.models.presets import plain_unet, reference_cnn, small, tutorial_unet
from maskwright.models.rcnn import DetectorSpec, Rcnn, mask_rcnn
from maskwright.models.segmenter import (
    DECODERS,
    HEADS,
    SUPERVISION,
    NetworkSpec,
    SegmenterSpec,
    main_model,
    segmenter,
)

__all__ = [
    "ARCHITECTURES",
    "BUILDERS",
    "CLASSIFIERS",
    "DECODERS",
    "ENCODERS",
    "HEADS",
    "POOLINGS",
    "SUPERVISION",
    "Architecture",
    "AttentionPooling",
    "BilinearUpsampling",
    "Blueprint",
    "ClassifierSpec",
    "CondInst",
    "CondInstSpec",
    "CropLike",
    "Decoded",
    "Decoder",
    "DetectorSpec",
    "Encoder",
    "Features",
    "MaxPooling",
    "MeanPooling",
    "NetworkSpec",
    "Norm",
    "PadToMultiple",
    "PixelFormat",
    "PoolInside",
    "Rcnn",
    "SegmenterSpec",
    "Standardize",
    "adapt_measures",
    "architecture",
    "condinst",
    "encoder",
    "freeze",
    "light",
    "main_model",
    "mask_rcnn",
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
