"""A drawn image that an exported model carries, and the labels that it must make of it."""

from pathlib import Path

import cv2
import numpy as np

from maskwright.card import AnyCard, Card
from maskwright.errors import ModelError
from maskwright.export.activation import activate
from maskwright.export.ensemble import Logits
from maskwright.imageio import atomic_write

SELFTEST_FILE = "selftest.npz"
"""Name of image and labels in the folder of an artifact."""

_OCTAVES = (4, 8, 16, 32, 64)
_RANGES = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0), "float32": (0.0, 1.0)}


def drawn_image(
    card: AnyCard, size: tuple[int, int], seed: int, pixel_range: tuple[float, float] | None = None
) -> np.ndarray:
    """Clouds at several scales with hard-edged discs, float32 `(h, w, channels)`.

    Args:
        card: Says channels and type of the pixels.
        size: Height and width, px.
        seed: Of everything random.
        pixel_range: Values for black and white; those of the type when left out.
    """
    rng = np.random.default_rng([seed, *size])
    height, width = size
    image = np.zeros((height, width, card.channels), np.float32)
    for octave in _OCTAVES:
        grid = rng.uniform(-1, 1, (octave, octave, card.channels)).astype(np.float32)
        large = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        image += large.reshape(image.shape) / np.sqrt(octave)
    rows, columns = np.mgrid[:height, :width]
    for _ in range(12):
        top, left = rng.uniform(0, height), rng.uniform(0, width)
        radius = rng.uniform(0.03, 0.15) * min(height, width)
        inside = (rows - top) ** 2 + (columns - left) ** 2 < radius**2
        image[inside] += rng.uniform(-1, 1, card.channels).astype(np.float32)
    low, high = pixel_range or _RANGES[card.dtype]
    image = (image - image.min()) / max(float(np.ptp(image)), 1e-6)
    return (low + image * (high - low)).astype(np.float32)


def write_selftest(folder: Path, image: np.ndarray, logits: Logits, card: Card) -> None:
    """Write an image and what the model makes of it.

    Args:
        folder: Of the artifact.
        image: `(h, w, c)` float32 as the model takes it.
        logits: The model that was exported, as it was before.
        card: Of the model.
    """
    with atomic_write(folder / SELFTEST_FILE) as beside, beside.open("wb") as file:
        np.savez_compressed(file, image=image, labels=_labels(image, logits, card))


def self_test(folder: Path, logits: Logits, card: Card, least: float = 0.99) -> float:
    """Run the image that an artifact carries; the share of its pixels with the expected label.

    Args:
        folder: Of the artifact.
        logits: Of the artifact, in its engine.
        card: Of the artifact.
        least: Share that is expected.

    Raises:
        ModelError: If the share is smaller, or there is no such image.
    """
    path = folder / SELFTEST_FILE
    try:
        with np.load(path, allow_pickle=False) as file:
            image, wanted = file["image"], file["labels"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read ({error}); export the model again.") from None
    share = float((_labels(image, logits, card) == wanted).mean())
    if share < least:
        raise ModelError(
            f"{folder} gives {share:.1%} of the pixels of its own test image the expected label; "
            f"expected at least {least:.0%}: export the model again, or install the engine in the "
            f"version that artifact.json names."
        )
    return share


def _labels(image: np.ndarray, logits: Logits, card: Card) -> np.ndarray:
    values = activate(logits(image[None]), (1, image.shape[0], image.shape[1]), card)
    return values[0].argmax(-1).astype(np.uint8)
