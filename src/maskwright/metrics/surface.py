"""Scores of outlines: surface Dice at a tolerance, HD95, ASSD and boundary IoU of two masks.

Outlines are those of google-deepmind/surface-distance, and so are the values of the first three:
an outline runs through the corners of pixels, each corner counts by the length of outline at it,
and the edge of the image is outline where it cuts a mask. MONAI's surface Dice follows it with
`use_subvoxels=True`; its other distances run between the outermost pixels inside the masks, each
counted alike, and differ from these by a fraction of a pixel.

Pixels that do not count are taken out of both masks beforehand, as in MONAI; where they cut both
masks, the cut is an outline that both share.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.errors import DataError
from maskwright.metrics.curves import ROUNDING

TOLERANCE_PX = 2.0
"""Tolerance of the surface Dice where none is stated."""

_PERCENTILE = 0.95
_BAND = 0.02  # of the diagonal of the image, as in the paper on boundary IoU

Spacing = tuple[float, float]
"""Sides of a pixel: from row to row and from column to column."""


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """Distance of each corner of an outline to the other outline, in the unit of the spacing.

    `from_truth` `(n,)` are those of the true outline to the predicted one, `from_predicted` `(m,)`
    the other way round, infinite where the other mask is empty; `truth_lengths` and
    `predicted_lengths` are the lengths of outline that each corner stands for.
    """

    from_truth: np.ndarray
    from_predicted: np.ndarray
    truth_lengths: np.ndarray
    predicted_lengths: np.ndarray


def surface_distances(
    truth: np.ndarray, predicted: np.ndarray, spacing: Spacing = (1.0, 1.0)
) -> SurfaceDistances:
    """Distances between the outlines of two boolean masks `(h, w)`; `DataError` if sizes differ."""
    check_masks(truth, predicted)
    (points, lengths), (other_points, other_lengths) = (
        _outline(mask, spacing) for mask in (truth, predicted)
    )
    return SurfaceDistances(
        _nearest(points, other_points), _nearest(other_points, points), lengths, other_lengths
    )


def surface_dice(distances: SurfaceDistances, tolerance: float) -> float:
    """Share of both outlines that lies within a tolerance of the other, 0 to 1.

    Nan where both masks are empty, 0 where one is.

    Source: Nikolov et al., Deep learning to achieve clinically applicable segmentation of head and
    neck anatomy for radiotherapy, 2018; also called normalized surface distance, NSD.
    """
    reach = tolerance * (1 + ROUNDING)  # three pixels of 0.1 mm are 0.3 mm, not more
    near = distances.truth_lengths[distances.from_truth <= reach].sum()
    near += distances.predicted_lengths[distances.from_predicted <= reach].sum()
    total = distances.truth_lengths.sum() + distances.predicted_lengths.sum()
    return float(near / total) if total else math.nan


def hd95(distances: SurfaceDistances) -> float:
    """The larger of the 95th percentiles of the distances in both directions.

    Nan where both masks are empty, infinite where one is.

    Source: Huttenlocher et al., Comparing images using the Hausdorff distance, 1993, with
    percentiles by length of outline as in surface-distance.
    """
    ends = [
        _percentile(distances.from_truth, distances.truth_lengths),
        _percentile(distances.from_predicted, distances.predicted_lengths),
    ]
    return math.inf if sum(map(math.isnan, ends)) == 1 else max(ends)


def assd(distances: SurfaceDistances) -> float:
    """Average symmetric surface distance: the mean over both outlines taken together.

    Nan where both masks are empty, infinite where one is. The mean of the means in each direction,
    which surface-distance gives, is another score, MASD.

    Source: Heimann et al., Comparison and evaluation of methods for liver segmentation, 2009.
    """
    total = distances.truth_lengths.sum() + distances.predicted_lengths.sum()
    above = (distances.from_truth * distances.truth_lengths).sum()
    above += (distances.from_predicted * distances.predicted_lengths).sum()
    return float(above / total) if total else math.nan


def boundary_iou(truth: np.ndarray, predicted: np.ndarray, distance_px: int | None = None) -> float:
    """IoU of the pixels inside each mask within a distance of its outline; masks as above.

    `distance_px` is 2 % of the diagonal of the image where it is `None`, at least one pixel, in
    both directions of the grid and across. Nan where both masks are empty, 0 where one is.

    Source: Cheng et al., Boundary IoU, 2021.
    """
    check_masks(truth, predicted)
    if distance_px is None:
        distance_px = max(1, round(_BAND * math.hypot(*truth.shape)))
    box = bounding_box(truth | predicted)
    bands = [_inner_band(mask[box], distance_px) for mask in (truth, predicted)]
    union = np.count_nonzero(bands[0] | bands[1])
    return np.count_nonzero(bands[0] & bands[1]) / union if union else math.nan


def check_masks(truth: np.ndarray, predicted: np.ndarray) -> None:
    """Raise `DataError` unless both are boolean masks `(h, w)` of one size."""
    if (
        truth.ndim != 2
        or truth.shape != predicted.shape
        or {truth.dtype, predicted.dtype} != {np.dtype(bool)}
    ):
        raise DataError(
            f"Expected two boolean masks (h, w) of equal size; received {truth.dtype} "
            f"{truth.shape} and {predicted.dtype} {predicted.shape}."
        )


def bounding_box(mask: np.ndarray) -> tuple[slice, slice]:
    """The smallest rows and columns that hold a mask."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not rows.size:
        return slice(0, 0), slice(0, 0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _outline(mask: np.ndarray, spacing: Spacing) -> tuple[np.ndarray, np.ndarray]:
    """Corners `(n, 2)` where pixels inside and outside a mask meet, and lengths `(n,)` at them."""
    box = bounding_box(mask)
    inside = np.pad(mask[box].view(np.uint8), 1)
    codes = 8 * inside[:-1, :-1] + 4 * inside[:-1, 1:] + 2 * inside[1:, :-1] + inside[1:, 1:]
    rows, columns = np.nonzero((codes > 0) & (codes < 15))
    points = np.stack([rows + box[0].start, columns + box[1].start], axis=-1)
    return points * np.array(spacing), _corner_lengths(spacing)[codes[rows, columns]]


def _corner_lengths(spacing: Spacing) -> np.ndarray:
    """Length of outline by which of the four pixels at a corner are inside, 8 4 above 2 1."""
    down, across = spacing
    lengths = np.full(16, math.hypot(down, across) / 2)  # one pixel, or all but one: cut off
    lengths[[0, 15]] = 0
    lengths[[3, 12]], lengths[[5, 10]] = across, down
    lengths[[6, 9]] *= 2  # two opposite pixels
    return lengths


def _nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest of the others, infinite where there is none."""
    from scipy.spatial import cKDTree  # slow to import, and needed here alone

    if not len(others) or not len(points):
        return np.full(len(points), np.inf)
    tree = cKDTree(others, balanced_tree=False, compact_nodes=False)
    return np.asarray(tree.query(points)[0])


def _percentile(distances: np.ndarray, lengths: np.ndarray) -> float:
    """The distance that `_PERCENTILE` of the length reaches; nan of nothing."""
    if not len(distances):
        return math.nan
    order = np.lexsort((lengths, distances))
    share = np.cumsum(lengths[order]) / lengths.sum()
    place = min(int(np.searchsorted(share, _PERCENTILE)), len(order) - 1)
    return float(distances[order[place]])


def _inner_band(mask: np.ndarray, distance_px: int) -> np.ndarray:
    """Pixels of a mask within a distance of what is outside, or outside the image."""
    if not mask.size:
        return mask
    core = cv2.erode(
        np.ascontiguousarray(mask).view(np.uint8),
        np.ones((3, 3), np.uint8),
        iterations=distance_px,
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return mask & (core == 0)
