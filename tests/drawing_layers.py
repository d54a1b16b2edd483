"""Overlapping classes drawn as data sets, for tests of the task multilabel."""

from pathlib import Path

import numpy as np

from drawing_samples import draw

NAMES = ("organ", "tumor", "vessel")


def layers_of(number: int, size: int = 48) -> np.ndarray:
    """Layers uint8 `(size, size, 3)`: a tumor inside an organ, a vessel across both and beyond."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:size, :size]
    top, left = rng.uniform(0.4, 0.6, 2) * size
    radius = rng.uniform(0.25, 0.32) * size
    organ = (rows - top) ** 2 + (columns - left) ** 2 < radius**2
    tumor = (rows - top - 3) ** 2 + (columns - left - 3) ** 2 < (radius * 0.45) ** 2
    vessel = abs(rows - top + rng.uniform(-4, 4)) < 3
    return np.stack([organ, tumor, vessel], axis=-1).astype(np.uint8)


def image_of(number: int, size: int = 48) -> np.ndarray:
    """Picture uint8 `(size, size, 3)` in which each class lights a channel, with noise."""
    noise = np.random.default_rng(number).integers(0, 40, (size, size, 3))
    return (60 + 120 * layers_of(number, size) + noise).astype(np.uint8)


def draw_layers(root: Path, number: int = 12) -> Path:
    """Write images, a folder of masks for each class, and a data.yaml; gives `root`."""
    for index in range(number):
        draw(root / "images" / f"{index}.png", image_of(index))
        for place, name in enumerate(NAMES):
            draw(root / "masks" / name / f"{index}.png", 255 * layers_of(index)[..., place])
    (root / "data.yaml").write_text("overlap: multilabel\n")
    return root
