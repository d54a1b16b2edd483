"""Encoders for Keras code of one's own: `encoder` gives the features of images by stride."""

from maskwright.models.encoders import (
    ENCODERS,
    Encoder,
    Features,
    PixelFormat,
    encoder,
    freeze,
)

__all__ = ["ENCODERS", "Encoder", "Features", "PixelFormat", "encoder", "freeze"]
