"""Decoded images and masks by position, in memory or in one file on disk."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL

MEMORY_LIMIT_MB = 2048
"""Arrays above this size are kept on disk by default."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images and masks by position; `arrays[i]` gives views `(h, w, c)` and uint8 `(h, w)`.

    Args:
        pixels: Pixels of all images, one after the other, in one dimension.
        labels: Labels of all masks likewise, uint8.
        starts: Where each mask begins in `labels`; its image begins `channels` times later.
        sizes: Height and width of each, `(n, 2)`.
        weights: How much each sample counts, `(n,)`.
        value_range: Lowest and highest value of a pixel: 0 to 255 for uint8, else as they occur.
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
    value_range: tuple[float, float]
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
            value_range=value_range_of(pixels.dtype, [(pixels.min(), pixels.max())]),
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

    def counts(self, num_classes: int) -> np.ndarray:
        """Pixels of each class in each sample, int64 `(n, num_classes)`, without ignored ones."""
        return self._counts[:, :num_classes]

    @cached_property
    def _counts(self) -> np.ndarray:
        rows = [np.bincount(mask.ravel(), minlength=IGNORE_LABEL + 1) for _, mask in self]
        return np.stack(rows)

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


def value_range_of(dtype: np.dtype, ranges: Sequence[Sequence[float]]) -> tuple[float, float]:
    """0 to 255 for uint8, else the extremes of the lowest and highest value of each image."""
    if dtype == np.uint8:
        return 0.0, 255.0
    return float(min(low for low, _ in ranges)), float(max(high for _, high in ranges))
