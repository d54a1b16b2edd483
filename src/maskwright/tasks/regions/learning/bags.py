"""Regions of a data set in memory: crops, masks and measures, and the bags of one decision each."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.model_card import RegionCard
from maskwright.tasks.regions import Region, treat, vector
from maskwright.types import Outside

Row = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Crop `(size, size, c)`, its mask `(size, size)`, not 0 inside, and its feature vector `(m,)`."""
Inputs = dict[str, np.ndarray]
"""Inputs of a classifier, as `models.classifiers` describes them."""


@dataclass(frozen=True)
class Bag:
    """What one decision is made on; regions are indices in `RegionArrays`.

    `case` is what splits and intervals do not separate, `weight` the mean of its images. Predicted
    regions are all that a segmenter predicts in its images, false positives too.
    """

    id: str
    case: str
    label: int
    weight: float
    images: tuple[str, ...]
    regions: tuple[int, ...]
    predicted_regions: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class RegionArrays:
    """Crops of all regions, each with its true mask and with perturbed and predicted ones.

    Args:
        crops: `(rows, size, size, channels)` in the images' type.
        masks: uint8 `(rows, size, size)`, 1 inside.
        vectors: Features, float32 `(rows, m)`.
        rows: Rows of each region, that of its true mask first. A row that training draws more
            often than others is repeated.
        value_range: Pixel values of black and white.
        skipped: A sentence for each sample that was skipped.
    """

    crops: np.ndarray
    masks: np.ndarray
    vectors: np.ndarray
    rows: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    bags: tuple[Bag, ...]
    value_range: tuple[float, float]
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.bags)

    @property
    def labels(self) -> np.ndarray:
        """Label of each bag, int32 `(bags,)`."""
        return np.array([bag.label for bag in self.bags], np.int32)

    def true_rows(self, bag: Bag) -> list[Row]:
        """Rows of the true masks of a bag."""
        rows = [self.rows[region][0] for region in bag.regions]
        return [(self.crops[row], self.masks[row], self.vectors[row]) for row in rows]

    def fingerprint(self) -> str:
        """SHA-256 of everything a model could learn from, hexadecimal."""
        digest = hashlib.sha256(repr((self.names, self.bags, self.rows)).encode())
        for part in (self.crops, self.masks, self.vectors):
            for row in part:
                digest.update(np.ascontiguousarray(row).data)
        return digest.hexdigest()


def row(region: Region) -> Row:
    """Input of a classifier for a region: crop, its mask uint8, feature vector."""
    if region.crop is None or region.crop_mask is None:
        raise ValueError(
            "A classifier needs regions with crops; extract them with a `CropSpec` that has a size."
        )
    return region.crop, region.crop_mask.astype(np.uint8), vector(region.measures)


def region_inputs(bags: Sequence[Sequence[Region]], card: RegionCard) -> Inputs:
    """Inputs of the classifier of a card for bags of regions with crops, none of them empty."""
    rows = [[row(region) for region in bag] for bag in bags]
    return as_inputs(rows, card.outside, card.value_range[1])


def as_inputs(bags: Iterable[Sequence[Row]], outside: Outside, high: float) -> Inputs:
    """Inputs of a classifier for bags of rows, none empty; `high` is the pixel value of white."""
    pairs = [(owner, row) for owner, rows in enumerate(bags) for row in rows]
    owners = np.array([owner for owner, _ in pairs])
    crops, masks, vectors = (np.stack(part) for part in zip(*(r for _, r in pairs), strict=True))
    inside = masks.astype(bool)
    return {
        "images": treat(crops.astype(np.float32), inside, outside, high=high),
        "masks": inside.astype(np.float32),
        "measures": vectors.astype(np.float32),
        "bags": (np.arange(owners[-1] + 1)[:, None] == owners).astype(np.float32),
    }
