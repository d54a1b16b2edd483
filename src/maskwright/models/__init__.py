"""Networks: functions on tensors, joined once to a model from images to logits."""

from maskwright.models.architectures import PAPERS
from maskwright.models.blocks import BilinearUpsampling, CropLike, PadToMultiple
from maskwright.models.classifiers import (
    CLASSIFIERS,
    adapt_measures,
    build_classifier,
    parts,
    reference_cnn,
    region_classifier,
    start_from_measures,
    with_weights,
)
from maskwright.models.decoders import DECODERS, SUPERVISION, Decoded, light, unet
from maskwright.models.encoders import ENCODERS, Encoder, Features, encoder, freeze
from maskwright.models.pooling import (
    POOLINGS,
    AttentionPooling,
    MaxPooling,
    MeanPooling,
    PoolInside,
    Standardize,
)
from maskwright.models.presets import PRESETS, build, plain_unet, small, tutorial_unet
from maskwright.models.segmenter import main_model, segmenter

__all__ = [
    "CLASSIFIERS",
    "DECODERS",
    "ENCODERS",
    "PAPERS",
    "POOLINGS",
    "PRESETS",
    "SUPERVISION",
    "AttentionPooling",
    "BilinearUpsampling",
    "CropLike",
    "Decoded",
    "Encoder",
    "Features",
    "MaxPooling",
    "MeanPooling",
    "PadToMultiple",
    "PoolInside",
    "Standardize",
    "adapt_measures",
    "build",
    "build_classifier",
    "encoder",
    "freeze",
    "light",
    "main_model",
    "parts",
    "plain_unet",
    "reference_cnn",
    "region_classifier",
    "segmenter",
    "small",
    "start_from_measures",
    "tutorial_unet",
    "unet",
    "with_weights",
]
