"""Show images of any sensor on a screen."""

import numpy as np

_SHOWN_PERCENTILES = (1, 99)  # ImageJ's and QGIS's stretch are much alike
_SAMPLE_PX = 2**18  # enough pixels to know percentiles by


def as_picture(image: np.ndarray) -> np.ndarray:
    """uint8 RGB `(h, w, 3)` of an image `(h, w, c)` of any depth and number of channels.

    8-bit grey and RGB look as they are. Of more channels the first three are shown; 16-bit and
    float pixels are stretched from their 1st to their 99th percentile, all channels alike.
    """
    shown = image[..., :3] if image.shape[2] >= 3 else image[..., :1]
    if shown.dtype != np.uint8:
        every = max(1, shown.shape[0] * shown.shape[1] // _SAMPLE_PX)
        sample = shown.reshape(-1, shown.shape[2])[::every]
        low, high = np.nanpercentile(sample, _SHOWN_PERCENTILES)
        stretched = (shown.astype(np.float32) - low) * (255 / max(high - low, 1e-6))
        shown = np.nan_to_num(stretched).clip(0, 255).round().astype(np.uint8)
    return np.broadcast_to(shown, (*shown.shape[:2], 3))
