"""Encoders: from images to features by stride, `{2: …, 4: …, 8: …}`.

Each holds its own pixel scaling, so that every model here takes pixels as files have them, 0 to
255. Pretrained families come from `keras.applications`; the others learn from nothing.
"""

from maskwright.models.encoders.base import Encoder, Features, PixelFormat, adapt_kernel, freeze
from maskwright.models.encoders.families import FAMILIES, Family
from maskwright.models.encoders.layers import (
    AtrousPooling,
    EfficientAttention,
    Gelu,
    StochasticDepth,
)
from maskwright.models.encoders.mix_transformer import MIX_TRANSFORMERS
from maskwright.models.encoders.registry import ENCODERS, OUTPUT_STRIDES, encoder

__all__ = [
    "ENCODERS",
    "FAMILIES",
    "MIX_TRANSFORMERS",
    "OUTPUT_STRIDES",
    "AtrousPooling",
    "EfficientAttention",
    "Encoder",
    "Family",
    "Features",
    "Gelu",
    "PixelFormat",
    "StochasticDepth",
    "adapt_kernel",
    "encoder",
    "freeze",
]
