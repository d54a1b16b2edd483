"""Encoders: from images to features by stride, `{2: …, 4: …, 8: …}`.

Each holds its own pixel scaling, so that every model here takes pixels as files have them.
Pretrained families come from `keras.applications`, but for EfficientNet-Lite; the others learn from
nothing.
"""

from maskwright.models.encoders.base import Encoder, Features, PixelFormat, freeze
from maskwright.models.encoders.layers import AtrousPooling, EfficientAttention, StochasticDepth
from maskwright.models.encoders.registry import ENCODERS, FAMILIES, encoder

__all__ = [
    "ENCODERS",
    "FAMILIES",
    "AtrousPooling",
    "EfficientAttention",
    "Encoder",
    "Features",
    "PixelFormat",
    "StochasticDepth",
    "encoder",
    "freeze",
]
