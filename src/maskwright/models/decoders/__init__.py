"""Decoders: from features by stride to what the classes are read from.

All take the outputs of an encoder by stride, `widths` (channels, coarse to fine; the paper's when
left out) and `norm`, the normalization of their convolutions (see `normalization`). They raise
`ConfigError` where the number of widths is another than the decoder needs.
"""

from maskwright.models.decoders.deeplab import deeplab_v3, deeplab_v3_plus, lraspp
from maskwright.models.decoders.multi_scale import (
    fpn,
    pspnet,
    segformer,
    unet_3plus,
    unet_plus_plus,
)
from maskwright.models.decoders.output import Decoded, Decoder
from maskwright.models.decoders.unet import attention_unet, light, linknet, resunet, unet

__all__ = [
    "Decoded",
    "Decoder",
    "attention_unet",
    "deeplab_v3",
    "deeplab_v3_plus",
    "fpn",
    "light",
    "linknet",
    "lraspp",
    "pspnet",
    "resunet",
    "segformer",
    "unet",
    "unet_3plus",
    "unet_plus_plus",
]
