"""Small arrays and a small model to train on."""

from typing import Any

import keras
import numpy as np

from maskwright.config import TrainConfig
from maskwright.data.pipeline.arrays import Arrays
from maskwright.models import SegmenterSpec
from maskwright.training import Recipe


def scenes(count: int, side: int = 32) -> Arrays:
    """Bright discs on noise; label 1 is the disc."""
    rng = np.random.default_rng(7)
    rows, columns = np.mgrid[:side, :side]
    images, masks = [], []
    for _ in range(count):
        y, x, radius = rng.uniform([8, 8, 4], [side - 8, side - 8, 8])
        mask = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        noise = rng.normal(90, 25, (side, side, 3)) + 60 * mask[..., None]
        images.append(noise.clip(0, 255).astype(np.uint8))
        masks.append(mask.astype(np.uint8))
    return Arrays.from_numpy(np.stack(images), np.stack(masks))


def network(dropout: float = 0.0, synchronized: bool = False) -> keras.Model:
    """Plain encoder of two strides and a U-Net's decoder; the same weights every time."""
    keras.utils.set_random_seed(0)
    return SegmenterSpec(
        2,
        encoder_name="plain",
        encoder_widths=(8, 16),
        decoder_name="unet",
        widths=(8,),
        dropout=dropout,
        seed=0,
        synchronized=synchronized,
    ).build()


def recipe(**changes: Any) -> Recipe:
    """Eight images a step, the encoder frozen at first, so that both phases run."""
    settings = {"batch_size": 8, "freeze": 0.3, "learning_rate": 1e-2, "encoder": "plain"}
    return Recipe(**TrainConfig(**{**settings, **changes}).recipe())
