"""Pixels of an image in the channels and the range that a model takes."""

import numpy as np

from maskwright.data.geometry import luminance
from maskwright.errors import DataError


def model_pixels(images: np.ndarray, channels: int, dtype: str) -> np.ndarray:
    """float32 images `(b, h, w, channels)` in the range of `dtype`; see `Predictor.__call__`."""
    kind = images.dtype.name
    pixels: np.ndarray = known_pixels(images).astype(np.float32, copy=False)
    if images.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise DataError("The image holds NaN or infinite pixels; expected finite numbers.")
    if (kind, dtype) == ("uint16", "uint8"):
        pixels = pixels / 257  # 65535 / 255
    elif (kind, dtype) == ("uint8", "uint16"):
        pixels = pixels * 257
    received = pixels.shape[-1]
    if received == channels:
        return pixels
    if channels == 1 and received in (3, 4):
        return luminance(pixels[..., :3])
    if channels in (1, 3) and received in (1, 2):
        return pixels[..., :1].repeat(channels, axis=-1)
    if channels == 3 and received == 4:
        return pixels[..., :3]
    raise DataError(
        f"The model takes images of {channels} channels; this one has {received}, which cannot be "
        f"turned into them."
    )


def checked_image(image: np.ndarray) -> np.ndarray:
    """The same pixels, as `known_pixels`; `DataError` where it is not of shape `(h, w, c)`."""
    if not isinstance(image, np.ndarray):
        raise DataError(
            f"Expected an image as a NumPy array, received a {type(image).__name__}; read_image "
            f"reads a file, and np.asarray turns a list into an array."
        )
    if image.ndim != 3 or 0 in image.shape:
        raise DataError(
            f"Expected an image of shape (height, width, channels), received {image.shape}."
        )
    return known_pixels(image)


def known_pixels(images: np.ndarray) -> np.ndarray:
    """The same pixels as uint8, uint16 or float32; `DataError` for other integers."""
    if images.dtype.kind == "f":
        return images.astype(np.float32, copy=False)
    if images.dtype not in (np.uint8, np.uint16):
        raise DataError(f"Expected pixels of uint8, uint16 or float, received {images.dtype}.")
    return images
