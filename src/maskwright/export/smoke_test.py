"""What a model is tried on when it is exported; one of it an artifact carries, with the answer."""

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from maskwright.errors import ModelError
from maskwright.export.listing import SELFTEST_FILE
from maskwright.imageio import atomic_write
from maskwright.model_card import ModelCard

Example = Mapping[str, np.ndarray]
"""Arrays by name: an `image (h, w, c)`, perhaps its `labels (h, w)`; or the inputs of bags."""

_LEAST = 0.99  # share of an answer that must be as expected
_NEAR = 0.01  # of a probability; labels are equal or not
_OCTAVES = (4, 8, 16, 32, 64)
_RANGES = {"uint8": (0.0, 255.0), "uint16": (0.0, 65535.0), "float32": (0.0, 1.0)}


def drawn_image(
    card: ModelCard,
    size: tuple[int, int],
    seed: int,
    pixel_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """Clouds at several scales with hard-edged discs, float32 `(h, w, channels)`, as `card` says.

    `size` is height and width, px; `pixel_range` holds the values for black and white, those of the
    card's type when left out.
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


def write_selftest(folder: Path, example: Example, expected: np.ndarray) -> None:
    """Write what an artifact is to be tried on, and the labels or probabilities that the model that
    was exported makes of it.
    """
    with atomic_write(folder / SELFTEST_FILE) as beside, beside.open("wb") as file:
        np.savez_compressed(file, expected=expected, allow_pickle=False, **example)


def self_test(folder: Path, answer: Callable[[Example], np.ndarray]) -> float:
    """Try an artifact on what it carries; the share of its answer that is as expected.

    `answer` gives the labels or probabilities that the artifact makes of an example.

    Raises:
        ModelError: If less than 99 % of the labels, or of the probabilities by 0.01, are those
            expected, or the artifact carries nothing to be tried on.
    """
    path = folder / SELFTEST_FILE
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        expected = arrays.pop("expected")
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path} cannot be read ({error}); export the model again.") from None
    actual = answer(arrays)
    near = np.abs(actual.astype(np.float32) - expected) <= _NEAR
    share = float(near.mean()) if actual.shape == expected.shape else 0.0
    if share < _LEAST:
        raise ModelError(
            f"{folder} reproduces {share:.1%} of the expected output of its self-test; expected at "
            f"least {_LEAST:.0%}: export the model again, or install the engine version listed in "
            f"artifact.json."
        )
    return share
