"""Decoded images and masks by position, in memory or in a file; the balance of their classes."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from maskwright.data.pipeline.pixel_range import robust_range, spread_positions
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL

MEMORY_LIMIT_MB = 2048  # arrays above this size are kept on disk by default
_JITTER = 0.25  # of the crop: how far its center may lie from the pixel that was chosen


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images and masks by position; `arrays[i]` gives views `(h, w, c)` and uint8 `(h, w)`.

    Args:
        pixels: Pixels of all images, one after the other, in one dimension.
        labels: Labels of all masks likewise, uint8.
        starts: Where each mask begins in `labels`; its image begins `channels` times later.
        sizes: Height and width of each, `(n, 2)`.
        skipped: One sentence for each sample that cannot be read.
    """

    pixels: np.ndarray
    labels: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    channels: int
    weights: np.ndarray
    ids: tuple[str, ...]
    cases: tuple[str, ...]
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        height, width = (int(side) for side in self.sizes[index])
        start, area = int(self.starts[index]), height * width
        channels = self.channels
        image = self.pixels[start * channels : (start + area) * channels]
        labels = self.labels[start : start + area]
        return image.reshape(height, width, channels), labels.reshape(height, width)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self[index] for index in range(len(self)))

    @classmethod
    def from_numpy(
        cls,
        images: Sequence[np.ndarray] | np.ndarray,
        labels: Sequence[np.ndarray] | np.ndarray,
        ids: Sequence[str] | None = None,
    ) -> "Arrays":
        """Arrays from images `(h, w, c)` of one type and labels `(h, w)`, which are copied."""
        sizes = np.array([mask.shape for mask in labels], np.int64).reshape(-1, 2)
        if not len(images) or [image.shape[:2] for image in images] != [tuple(s) for s in sizes]:
            raise DataError("Expected at least one image, and a mask of its size for each.")
        names = tuple(ids or (str(index) for index in range(len(images))))
        pixels = np.concatenate([np.asarray(image).ravel() for image in images])
        return cls(
            pixels=pixels,
            labels=np.concatenate([np.asarray(mask, np.uint8).ravel() for mask in labels]),
            starts=starts_of(sizes),
            sizes=sizes,
            channels=images[0].shape[2],
            weights=np.ones(len(names), np.float32),
            ids=names,
            cases=names,
        )

    @property
    def dtype(self) -> str:
        """Type of the pixels, `"uint8"`, `"uint16"` or `"float32"`."""
        return str(self.pixels.dtype)

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width that all have, or `None` where they differ."""
        if (self.sizes == self.sizes[0]).all():
            return int(self.sizes[0, 0]), int(self.sizes[0, 1])
        return None

    @cached_property
    def counts(self) -> np.ndarray:
        """Pixels of each label in each sample, int64 `(n, 256)`; the last counts ignored ones."""
        rows = [np.bincount(mask.ravel(), minlength=IGNORE_LABEL + 1) for _, mask in self]
        return np.stack(rows)

    @cached_property
    def sample(self) -> tuple[np.ndarray, np.ndarray]:
        """Some pixels of all images, `(n, channels)`, and their labels, `(n,)`."""
        areas = self.sizes.prod(axis=1)
        ends = np.cumsum(areas)
        positions = spread_positions(int(ends[-1]))
        image = np.searchsorted(ends, positions, side="right")
        places = self.starts[image] + positions - (ends - areas)[image]
        return self.pixels.reshape(-1, self.channels)[places], self.labels[places]

    @cached_property
    def value_range(self) -> tuple[float, float]:
        """Pixel values of black and white, as `robust_range`."""
        return robust_range(*self.sample)

    def fingerprint(self) -> str:
        """SHA-256 of everything a model could learn from, hexadecimal."""
        digest = hashlib.sha256(repr((self.ids, self.sizes.tolist(), self.dtype)).encode())
        for image, mask in self:
            digest.update(image.data)
            digest.update(mask.data)
        return digest.hexdigest()


def starts_of(sizes: np.ndarray) -> np.ndarray:
    """Where each image of sizes `(n, 2)` begins, one after the other, pixels."""
    return np.concatenate([[0], np.cumsum(sizes.prod(axis=1))[:-1]]).astype(np.int64)


def class_weights(arrays: Arrays, num_classes: int) -> np.ndarray:
    """Weight of each class, float32: median frequency, at most 25 apart, mean one over pixels.

    The frequency of a class is its share of the pixels of the images it occurs in; a class that
    never occurs gets 1. Source: Eigen and Fergus, 2015; ours are clipped to `[0.2, 5]` and divided
    by their mean over all pixels that count, so that they do not change the learning rate.
    """
    counts = arrays.counts[:, :num_classes]
    total = counts.sum(axis=0)
    occurs = total > 0
    weights = np.ones(num_classes)
    if not occurs.any():
        return weights.astype(np.float32)
    around = ((counts > 0) * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    frequency = total[occurs] / around[occurs]
    weights[occurs] = np.clip(np.median(frequency) / frequency, 0.2, 5.0)
    weights[occurs] /= (weights * total).sum() / total.sum()
    return weights.astype(np.float32)


def rare_class_weights(arrays: Arrays, num_classes: int) -> np.ndarray:
    """Chance of each class to be the middle of a crop: one over its pixels, sum one; float64."""
    total = arrays.counts[:, :num_classes].sum(axis=0)
    inverse = np.where(total > 0, 1 / np.maximum(total, 1), 0.0)
    return inverse / max(float(inverse.sum()), np.finfo(float).tiny)


def weight_table(class_weights: np.ndarray | None) -> np.ndarray:
    """Weight of a pixel by its label, float32 `(256,)`, 0 for the ignore label; `None` for ones."""
    table = np.ones(256, np.float32)
    if class_weights is not None:
        table[: len(class_weights)] = class_weights
    table[IGNORE_LABEL] = 0
    return table


def class_chances(arrays: Arrays, favor: np.ndarray) -> np.ndarray:
    """Chance of each class to be chosen in each sample, `(n, num_classes)`; rows sum to 1 or 0."""
    present = (arrays.counts[:, : len(favor)] > 0) * favor
    return present / np.maximum(present.sum(axis=1, keepdims=True), np.finfo(float).tiny)


def favored_center(
    labels: np.ndarray, chances: np.ndarray, crop: tuple[int, int], rng: np.random.Generator
) -> tuple[float, float]:
    """Row and column of the center of a crop near a random pixel of a class, drawn by `chances`."""
    label = rng.choice(len(chances), p=chances)
    pixels = np.flatnonzero(labels == label)
    row, column = divmod(int(pixels[rng.integers(len(pixels))]), labels.shape[1])
    return (
        row + crop[0] * rng.uniform(-_JITTER, _JITTER),
        column + crop[1] * rng.uniform(-_JITTER, _JITTER),
    )
