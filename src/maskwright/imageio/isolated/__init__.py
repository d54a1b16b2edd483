"""Decoding in processes of their own."""

from maskwright.imageio.isolated.pool import DecoderPool

__all__ = ["DecoderPool"]
