"""Regions of a data set in memory: crops, masks and measures, and the bags of one decision each."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from maskwright.errors import DataError
from maskwright.model_card import RegionCard
from maskwright.tasks.regions import Region, treat, vector
from maskwright.types import Outside


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
        names: Names of the regions.
        bags: What is decided on.
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

    def fingerprint(self) -> str:
        """SHA-256 of everything a model could learn from, hexadecimal."""
        digest = hashlib.sha256(repr((self.names, self.bags, self.rows)).encode())
        for part in (self.crops, self.masks, self.vectors):
            for row in part:
                digest.update(np.ascontiguousarray(row).data)
        return digest.hexdigest()


Row = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Crop, its mask and its feature vector."""
Inputs = dict[str, np.ndarray]
"""Inputs of a classifier, as `models.classifiers` describes them."""


def row(region: Region) -> Row:
    """Input of a classifier for a region: crop, its mask uint8, feature vector."""
    if region.crop is None or region.crop_mask is None:
        raise ValueError(
            "A classifier needs regions with crops; extract them with a `CropSpec` that has a size."
        )
    return region.crop, region.crop_mask.astype(np.uint8), vector(region.measures)


def true_inputs(arrays: RegionArrays, indices: Sequence[int], outside: Outside) -> Inputs:
    """Inputs of a classifier for the bags at `indices`, with their true masks."""
    rows, owners = [], []
    for owner, index in enumerate(indices):
        true_rows = [arrays.rows[region][0] for region in arrays.bags[index].regions]
        rows += true_rows
        owners += [owner] * len(true_rows)
    return as_inputs(
        list(arrays.crops[rows]),
        list(arrays.masks[rows]),
        list(arrays.vectors[rows]),
        owners,
        outside,
        arrays.value_range[1],
    )


def as_inputs(
    crops: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    vectors: Sequence[np.ndarray],
    owners: Sequence[int],
    outside: Outside,
    high: float,
) -> Inputs:
    """Inputs of a classifier: crops `(size, size, c)`, masks `(size, size)`, features `(m,)`.

    `owners` are the indices of their bags, from 0 without a gap, `high` is the pixel value of
    white.
    """
    inside = np.stack(masks).astype(bool)
    images = treat(np.stack(crops).astype(np.float32), inside, outside, high=high)
    bags = np.arange(max(owners) + 1)[:, None] == np.array(owners)
    return {
        "images": images,
        "masks": inside.astype(np.float32),
        "measures": np.stack(vectors).astype(np.float32),
        "bags": bags.astype(np.float32),
    }


def region_inputs(bags: Sequence[Sequence[Region]], card: RegionCard) -> Inputs:
    """Inputs of the classifier of a card for bags of regions with crops, none of them empty."""
    crops, masks, vectors = zip(*(row(region) for bag in bags for region in bag), strict=True)
    owners = [index for index, bag in enumerate(bags) for _ in bag]
    return as_inputs(crops, masks, vectors, owners, card.outside, card.value_range[1])


class ArrayWriter:
    """Collects crops and masks in memory or, above a limit, in temporary files."""

    def __init__(self, limit_mb: float) -> None:
        folder = Path.home() / ".cache" / "maskwright"
        folder.mkdir(parents=True, exist_ok=True)
        self.files = [
            tempfile.SpooledTemporaryFile(int(share * limit_mb * 1e6), dir=str(folder))  # noqa: SIM115
            for share in (0.8, 0.2)
        ]
        self.layouts: list[tuple[np.dtype, tuple[int, ...]]] = []
        self.count = 0

    def add(self, *arrays: np.ndarray) -> None:
        """Append one of each; `DataError` for another shape or type than the first."""
        layouts = [(array.dtype, array.shape) for array in arrays]
        self.layouts = self.layouts or layouts
        if layouts != self.layouts:
            raise DataError(
                f"Expected images of one type; some have {self.layouts[0][1][-1]} channels of "
                f"{self.layouts[0][0]}, others {layouts[0][1][-1]} of {layouts[0][0]}."
            )
        for file, array in zip(self.files, arrays, strict=True):
            file.write(np.ascontiguousarray(array).data)
        self.count += 1

    def arrays(self) -> list[np.ndarray]:
        """Crops and masks, each as one array."""
        arrays: list[np.ndarray] = []
        for file, (dtype, shape) in zip(self.files, self.layouts, strict=True):
            whole = (self.count, *shape)
            file.seek(0)
            if getattr(file, "_rolled", False):
                arrays.append(np.memmap(file, dtype, "r", shape=whole))
            else:
                arrays.append(np.frombuffer(file.read(), dtype).reshape(whole))
        return arrays

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self.files:  # what `arrays` maps stays readable
            file.close()
