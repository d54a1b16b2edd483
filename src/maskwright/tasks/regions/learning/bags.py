"""Regions cut out once and kept: crops, their masks and measures, and the bags they lie in."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from maskwright.errors import DataError
from maskwright.tasks.regions.extraction.extract import Region, extract
from maskwright.tasks.regions.extraction.features import VECTOR_NAMES, vector
from maskwright.types import RegionKind


@dataclass(frozen=True)
class CropSpec:
    """How a mask becomes regions, and regions become crops.

    Args:
        regions: What a region of a mask is.
        size: Side of the crops, px.
        context: Margin around the box, as a share of its sides; `None` for the whole image.
        min_area_px: Smaller regions are left out.
        min_guess_px: Smaller regions of a segmenter's masks are left out as specks.
        full_scale: Value of a pixel that counts as full, for images of floats; `None` for the
            largest of each type.
    """

    regions: RegionKind
    size: int
    context: float | None
    min_area_px: int = 1
    min_guess_px: int = 1
    full_scale: float | None = None

    def cut(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        image_id: str,
        regions: RegionKind | None = None,
        background: int | None = 0,
        guessed: bool = False,
    ) -> list[Region]:
        """Regions of a mask with their crops.

        Args:
            image: `(h, w, c)`.
            mask: Labels or instances, `(h, w)`.
            image_id: Name of the image.
            regions: What a region is, in place of the view's own.
            background: Label that is no region, or `None`.
            guessed: The mask is a segmenter's. Unless `regions` says so, it tells no objects
                apart, so that touching ones are one region.
        """
        own = "components" if guessed and self.regions == "instances" else self.regions
        kind = regions or own
        return extract(
            image,
            mask,
            image_id=image_id,
            kind=kind,
            background=background,
            min_area_px=max(self.min_area_px, self.min_guess_px if guessed else 1),
            context=self.context,
            size=self.size,
            full_scale=self.full_scale,
        )


@dataclass(frozen=True)
class Bag:
    """What one decision is made on.

    Args:
        id: Name of the region, image or case.
        case: What splits and intervals keep together.
        label: 0 or 1.
        weight: How much it counts in training, the mean of its images.
        images: Names of its images.
        regions: Places in `RegionArrays`.
        guesses: Places of the regions that a segmenter finds in its images, all of them, wrong
            ones too; empty where it finds none or was not asked.
    """

    id: str
    case: str
    label: int
    weight: float
    images: tuple[str, ...]
    regions: tuple[int, ...]
    guesses: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class RegionArrays:
    """Crops of all regions, each as it is and with errors drawn into its mask.

    Args:
        crops: `(rows, size, size, channels)` in the images' type.
        masks: uint8 `(rows, size, size)`, 1 inside.
        vectors: Measures, float32 `(rows, m)`.
        rows: Of each region, the first that of its true mask. One that is drawn more often than
            others stands there several times.
        names: Of the regions.
        bags: What is decided on.
        value_range: Pixels that stand for black and white.
        skipped: A sentence for everything that was left out.
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
"""Crop, its mask and its measures."""

MEASURES = VECTOR_NAMES
"""Names of the columns of `RegionArrays.vectors`."""


def row(region: Region) -> Row:
    """What a classifier is given of a region: crop, its mask, measures.

    Raises:
        ValueError: If the region was not cut out of its image.
    """
    if region.crop is None or region.crop_mask is None:
        raise ValueError("A classifier needs regions with crops: give `extract` a size.")
    return region.crop, region.crop_mask.astype(np.uint8), vector(region.measures)


class ArrayWriter:
    """Crops and masks that come one by one, in memory or, above a limit, in files without names."""

    def __init__(self, limit_mb: float) -> None:
        folder = Path.home() / ".cache" / "maskwright"
        folder.mkdir(parents=True, exist_ok=True)
        self.files = [
            tempfile.SpooledTemporaryFile(int(share * limit_mb * 1e6), dir=str(folder))  # noqa: SIM115
            for share in (0.8, 0.2)
        ]
        self.kinds: list[tuple[np.dtype, tuple[int, ...]]] = []
        self.count = 0

    def add(self, *arrays: np.ndarray) -> None:
        """Append one of each; all must be of the shape and type of the first."""
        kinds = [(array.dtype, array.shape) for array in arrays]
        self.kinds = self.kinds or kinds
        if kinds != self.kinds:
            raise DataError(
                f"Expected images of one kind; some have {self.kinds[0][1][-1]} channels of "
                f"{self.kinds[0][0]}, others {kinds[0][1][-1]} of {kinds[0][0]}."
            )
        for file, array in zip(self.files, arrays, strict=True):
            file.write(np.ascontiguousarray(array).data)
        self.count += 1

    def arrays(self) -> list[np.ndarray]:
        """Everything added, each kind as one array."""
        found: list[np.ndarray] = []
        for file, (dtype, shape) in zip(self.files, self.kinds, strict=True):
            whole = (self.count, *shape)
            file.seek(0)
            if getattr(file, "_rolled", False):
                found.append(np.memmap(file, dtype, "r", shape=whole))
            else:
                found.append(np.frombuffer(file.read(), dtype).reshape(whole))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self.files:  # what `arrays` maps stays readable
            file.close()
