"""Read one sample and keep the numbers of it that a fingerprint is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from maskwright.data import DataSet, Sample
from maskwright.data.geometry import resize_image
from maskwright.data.splits.duplicates import THUMB_SIDE, thumbnail
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL
from maskwright.planning.region_stats import RegionMeasures, measure_holes, measure_regions
from maskwright.planning.symmetry import GRID

_VALUES = 2048  # pixels of an image whose values are kept
_GRAIN_SIDE_PX = 128
_CENTIMETER = 3  # resolution unit of TIFF; inches mostly come from programs that made them up
_MM_OF_UNIT = {"micron": 1e-3, "um": 1e-3, "µm": 1e-3, "\\u00B5m": 1e-3, "mm": 1.0}


@dataclass(frozen=True)
class SampleStats:
    """Numbers of one image and its mask.

    Args:
        sample: What was read.
        size: Height and width, pixels.
        counts: Pixels of each label, `(256,)`; the last counts ignored ones.
        values: Pixels spread over the image, `(k, c)`.
        largest: Largest value of the image.
        color: Whether its channels differ.
        thumb: Gray, `(32, 32)` float32.
        detail: Root of how much brightness changes from pixel to pixel at 128 px, `(32, 32)`.
        grain: Mean change from row to row by that from column to column, at 128 px, its aspect
            kept.
        grids: By label, the share of each cell that it fills, `(GRID, GRID)` float32.
        regions: By label, but for the background.
        holes_px: Areas of the holes in all that is not background.
    """

    sample: Sample
    size: tuple[int, int]
    counts: np.ndarray
    values: np.ndarray
    largest: float
    color: bool
    thumb: np.ndarray
    detail: np.ndarray
    grain: float
    grids: Mapping[int, np.ndarray]
    regions: Mapping[int, RegionMeasures]
    holes_px: np.ndarray


def sample_stats(dataset: DataSet, sample: Sample, background: int | None) -> SampleStats | None:
    """Read a sample; `None` where it cannot be read."""
    try:
        image, labels = dataset.read(sample)
    except DataError:
        return None
    counts = np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)
    flat = image.reshape(-1, image.shape[2])
    values = np.nan_to_num(flat[:: max(len(flat) // _VALUES, 1)][:_VALUES].astype(np.float32))
    height, width = labels.shape
    factor = min(_GRAIN_SIDE_PX / max(height, width), 1.0)
    little = (max(round(height * factor), 2), max(round(width * factor), 2))
    small = np.nan_to_num(resize_image(image, little).astype(np.float32).mean(axis=2))
    changes = [np.abs(np.diff(small, axis=axis)) for axis in (0, 1)]
    down, along = (float(change.mean()) for change in changes)
    both = np.sqrt(changes[0][:, :-1] + changes[1][:-1])
    return SampleStats(
        sample,
        (height, width),
        counts,
        values,
        largest=float(np.nan_to_num(image.max())),
        color=bool((values != values[:, :1]).any()),
        thumb=thumbnail(image),
        detail=resize_image(both[..., None], (THUMB_SIDE, THUMB_SIDE))[..., 0],
        grain=(down + 1e-6) / (along + 1e-6),
        grids={
            int(label): resize_image((labels == label).astype(np.float32)[..., None], (GRID, GRID))[
                ..., 0
            ]
            for label in np.flatnonzero(counts[:IGNORE_LABEL])
        },
        regions=measure_regions(labels, background),
        holes_px=np.zeros(0, np.int64) if background is None else measure_holes(labels, background),
    )


def spacing_mm(path: Path) -> float | None:
    """Side of a pixel as a TIFF states it, in centimeters or as ImageJ does; `None` elsewhere."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return None
    try:
        with tifffile.TiffFile(path) as file:
            tags = file.pages[0].tags
            if "XResolution" not in tags:
                return None
            pixels, units = tags["XResolution"].value
            unit = (file.imagej_metadata or {}).get("unit")
            mm = _MM_OF_UNIT.get(str(unit))
            if mm is None and unit is None and "ResolutionUnit" in tags:
                mm = 10.0 if int(tags["ResolutionUnit"].value) == _CENTIMETER else None
    except (OSError, ValueError, tifffile.TiffFileError):
        return None
    return float(f"{mm * units / pixels:.4g}") if mm and pixels else None
