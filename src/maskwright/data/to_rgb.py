"""Images of any sensor as 8-bit RGB, for screens, and RGB as gray."""

import numpy as np

SAMPLE_PX = 2**18  # that percentiles are computed from
_SHOWN_PERCENTILES = (1, 99)  # ImageJ's and QGIS's stretch are much alike


def as_picture(image: np.ndarray, span: tuple[float, float] | None = None) -> np.ndarray:
    """uint8 RGB `(h, w, 3)` of an image `(h, w, c)` of any depth and number of channels.

    8-bit gray and RGB look as they are. Of more channels the first three are shown; 16-bit and
    float pixels are stretched from their 1st to their 99th percentile, all channels alike, or
    from `span`, which is for parts of an image.
    """
    shown = shown_channels(image)
    if shown.dtype != np.uint8:
        step = max(1, shown.shape[0] * shown.shape[1] // SAMPLE_PX)
        low, high = span or shown_span(shown.reshape(-1, shown.shape[2])[::step])
        stretched = (shown.astype(np.float32) - low) * (255 / max(high - low, 1e-6))
        shown = np.nan_to_num(stretched).clip(0, 255).round().astype(np.uint8)
    return np.broadcast_to(shown, (*shown.shape[:2], 3))


def shown_channels(image: np.ndarray) -> np.ndarray:
    """The first three channels of `(h, w, c)`, or the first."""
    return image[..., :3] if image.shape[2] >= 3 else image[..., :1]


def shown_span(pixels: np.ndarray) -> tuple[float, float]:
    """What is shown as black and as white of an image of which these are some pixels."""
    known = pixels[np.isfinite(pixels)]
    if not known.size:
        return 0.0, 1.0
    low, high = np.percentile(known, _SHOWN_PERCENTILES)
    return float(low), float(high)


def to_gray(image: np.ndarray) -> np.ndarray:
    """Luminance `(h, w, 1)` of an RGB image, of its type, by ITU-R BT.601 as in OpenCV."""
    gray: np.ndarray = image @ np.array([0.299, 0.587, 0.114])
    whole = gray.round() if image.dtype.kind == "u" else gray
    return whole.astype(image.dtype)[..., None]
