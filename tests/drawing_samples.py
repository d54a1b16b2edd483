"""Small data sets on disk for the tests of reading."""

from pathlib import Path

import numpy as np
from PIL import Image

MASK = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]], np.uint8)
"""Three rows of four pixels, two classes."""


def draw(path: Path, pixels: np.ndarray | None = None, mode: str = "L", **options: object) -> Path:
    """Write pixels as the ending of the path says; a gray image as large as `MASK` by default."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if pixels is None:
        pixels = np.full((*MASK.shape, 3), 90, np.uint8)
    image = Image.fromarray(pixels)
    if mode == "P":
        image.putpalette(options.pop("palette"))
    image.save(path, **options)
    return path
