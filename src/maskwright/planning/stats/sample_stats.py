"""Statistics of one sample, from which those of a data set are computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile

from maskwright.data import DataSet, Sample
from maskwright.data.cases.duplicates import thumbnail
from maskwright.data.geometry import resize_image
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL
from maskwright.planning.stats.symmetry import GRID

_MAX_REGIONS = 5000  # of one class in one mask; more are noise or text
_MAX_VALUES = 2048  # pixels sampled from each image
_TEXTURE_SIDE_PX = 128
_DETAIL_SIDE_PX = 32
_CENTIMETER = 3  # resolution unit of TIFF; inches are mostly defaults of programs
_MM_OF_UNIT = {"micron": 1e-3, "um": 1e-3, "µm": 1e-3, "\\u00B5m": 1e-3, "mm": 1.0}


@dataclass(frozen=True)
class RegionMeasures:
    """Measures of the regions of one class in one mask, one array entry per region.

    Args:
        area_px: Area in pixels, int64.
        width_px: Mean width in pixels: four times the mean distance of the region's pixels to its
            outline. Exact to a pixel for straight and bent strips; for a disc, two thirds of its
            diameter.
    """

    area_px: np.ndarray
    width_px: np.ndarray


@dataclass(frozen=True)
class SampleStats:
    """Statistics of one image and its mask.

    Args:
        counts: Pixels of each label, `(256,)`; the last entry counts ignored pixels.
        thumbnail: Gray thumbnail, uint8 `(64, 64)`, its contrast stretched.
        detail: Square root of the local brightness change at 128 px, `(32, 32)`.
        anisotropy: Mean brightness change from row to row, divided by that from column to column,
            at 128 px.
        grids: Fraction of each grid cell that a class fills, by label, float32 `(GRID, GRID)`.
    """

    sample: Sample
    size: tuple[int, int]
    counts: np.ndarray
    color: bool
    thumbnail: np.ndarray
    detail: np.ndarray
    anisotropy: float
    grids: Mapping[int, np.ndarray]
    regions: Mapping[int, RegionMeasures]
    holes_px: np.ndarray


def sample_stats(dataset: DataSet, sample: Sample, background: int | None) -> SampleStats | None:
    """Read and measure a sample; `None` if it cannot be read."""
    try:
        image, labels = dataset.read(sample)
    except DataError:
        return None
    counts = np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)
    flat = image.reshape(-1, image.shape[2])
    values = flat[:: max(len(flat) // _MAX_VALUES, 1)]
    height, width = labels.shape
    factor = min(_TEXTURE_SIDE_PX / max(height, width), 1.0)
    reduced = (max(round(height * factor), 2), max(round(width * factor), 2))
    small = resize_image(image, reduced).astype(np.float32).mean(axis=2)
    changes = [np.abs(np.diff(small, axis=axis)) for axis in (0, 1)]
    vertical, horizontal = (float(change.mean()) for change in changes)
    detail = np.sqrt(changes[0][:, :-1] + changes[1][:-1])
    return SampleStats(
        sample,
        (height, width),
        counts,
        color=bool((values != values[:, :1]).any()),
        thumbnail=thumbnail(image),
        detail=resize_image(detail[..., None], (_DETAIL_SIDE_PX, _DETAIL_SIDE_PX))[..., 0],
        anisotropy=(vertical + 1e-6) / (horizontal + 1e-6),
        grids={
            int(label): resize_image((labels == label).astype(np.float32)[..., None], (GRID, GRID))[
                ..., 0
            ]
            for label in np.flatnonzero(counts[:IGNORE_LABEL])
        },
        regions=measure_regions(labels, background),
        holes_px=np.zeros(0, np.int64) if background is None else measure_holes(labels, background),
    )


def measure_regions(labels: np.ndarray, background: int | None) -> dict[int, RegionMeasures]:
    """Measures of the regions of each foreground class in labels `(h, w)`.

    Regions are 8-connected, as in postprocessing.
    """
    counts = np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)
    return {
        int(label): _measure((labels == label).astype(np.uint8))
        for label in np.flatnonzero(counts[:IGNORE_LABEL])
        if label != background
    }


def _measure(mask: np.ndarray) -> RegionMeasures:
    left, top, width, height = cv2.boundingRect(mask)
    # A border of one pixel on sides inside the image. The image border is no outline: a region that
    # it cuts off is not narrow.
    window = np.s_[max(top - 1, 0) : top + height + 1, max(left - 1, 0) : left + width + 1]
    inside = np.ascontiguousarray(mask[window])
    count, components, statistics, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    areas = statistics[1:, cv2.CC_STAT_AREA].astype(np.int64)
    if inside.all():
        distance = np.full(inside.shape, min(inside.shape) / 4 + 0.5, np.float32)
    else:
        distance = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    # Distances are between pixel centers; the outline lies half a pixel before the next center.
    sums = np.bincount(components.ravel(), (distance - 0.5).ravel(), minlength=count)[1:]
    largest = np.argsort(-areas, kind="stable")[:_MAX_REGIONS]
    return RegionMeasures(areas[largest], np.maximum(4 * sums / areas, 1.0)[largest])


def measure_holes(labels: np.ndarray, background: int) -> np.ndarray:
    """Areas, int64, of holes: background components of labels `(h, w)` inside the image."""
    empty = (labels == background).astype(np.uint8)
    _, _, statistics, _ = cv2.connectedComponentsWithStats(empty, connectivity=4)
    left, top = statistics[:, cv2.CC_STAT_LEFT], statistics[:, cv2.CC_STAT_TOP]
    right = left + statistics[:, cv2.CC_STAT_WIDTH]
    bottom = top + statistics[:, cv2.CC_STAT_HEIGHT]
    height, width = empty.shape
    enclosed = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    enclosed[0] = False  # the foreground
    return statistics[enclosed, cv2.CC_STAT_AREA].astype(np.int64)


def spacing_mm(path: Path) -> float | None:
    """Pixel size in mm from the resolution tags of TIFF or ImageJ; `None` if not stated."""
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
