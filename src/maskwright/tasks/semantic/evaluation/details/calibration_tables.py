"""Table and chart of the calibration of the probabilities of masks, with intervals over cases."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.data.samples import counted
from maskwright.evaluation.reports import charts
from maskwright.evaluation.reports.formatting import number, plain
from maskwright.evaluation.reports.parts import Chart, Column, Row, Table, TableCell, cell
from maskwright.metrics.intervals import sum_interval
from maskwright.metrics.pixel_probabilities import (
    BAND_PX,
    CONFIDENCE_BINS,
    mean_squared_error,
    reliability,
    top_label_error,
)
from maskwright.tasks.semantic.evaluation.details.measures import MaskDetails

PARTS = ("all_pixels", "predicted_outline")
"""Keys of the calibration of all pixels and of the band along the predicted outline."""

_TITLES = ("All pixels", f"Within {BAND_PX} px of the predicted outline")


@dataclass(frozen=True, eq=False)
class PixelCalibration:
    """Calibration over all counted images, and over the band in them.

    Args:
        counts: Of `count_confidence`, `(2, 4, bins)`.
        images: How many were counted.
        error_ends, square_ends: Intervals of calibration error and Brier score, `(2, 2)`, low ends
            first, by the jackknife over cases.
    """

    counts: np.ndarray
    images: int
    error_ends: np.ndarray
    square_ends: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, of all pixels and of the band."""
        errors, squares = top_label_error(self.counts), mean_squared_error(self.counts)
        parts = {}
        for place, key in enumerate(PARTS):
            mean, share, pixels = reliability(self.counts[place])
            parts[key] = {
                "expected_calibration_error": plain(errors[place]),
                "expected_calibration_error_interval": plain(self.error_ends[:, place]),
                "brier": plain(squares[place]),
                "brier_interval": plain(self.square_ends[:, place]),
                "pixels": int(pixels.sum()),
                "confidence": [plain(value) for value in mean],
                "right": [plain(value) for value in share],
                "pixels_of_bins": pixels.tolist(),
            }
        return {"images": self.images, "band_px": BAND_PX, "bins": CONFIDENCE_BINS, **parts}


def calibration_of(details: MaskDetails, cases: Sequence[str]) -> PixelCalibration | None:
    """Calibration of the images whose probabilities were counted, or `None`.

    `cases` is the case of each image.
    """
    if details.confidence_counts is None:
        return None
    counted_ones = ~np.isnan(details.confidence_counts).any(axis=(1, 2, 3))
    counts = details.confidence_counts[counted_ones]
    of_counts = [cases[place] for place in np.flatnonzero(counted_ones).tolist()]
    return PixelCalibration(
        counts=counts.sum(axis=0),
        images=int(counted_ones.sum()),
        error_ends=sum_interval(top_label_error, counts, of_counts),
        # The Brier score of exclusive classes goes up to 2.
        square_ends=2 * sum_interval(lambda each: mean_squared_error(each) / 2, counts, of_counts),
    )


def calibration_table(calibration: PixelCalibration, not_counted: int) -> Table:
    """Top-label calibration error and Brier score of all pixels and of the band."""
    errors, squares = top_label_error(calibration.counts), mean_squared_error(calibration.counts)
    rows = []
    for place, title in enumerate(_TITLES):
        pixels, right, confidence, _ = calibration.counts[place].sum(axis=-1)
        means = (confidence / pixels, right / pixels) if pixels else (np.nan, np.nan)
        cells = [
            cell(errors[place], calibration.error_ends[:, place]),
            cell(squares[place], calibration.square_ends[:, place]),
            *map(cell, means),
        ]
        rows.append(Row(title=title, cells=(*cells, TableCell(f"{pixels:,.0f}"))))
    titles = ("Calibration error", "Brier score", "Mean probability", "Right", "Pixels")
    note = (
        "Of the most probable class of each pixel, before threshold and post-processing: how far "
        "its probability is from the share of pixels where it is right (expected calibration "
        f"error, {CONFIDENCE_BINS} parts). Most pixels lie far from any outline and are easy: "
        "those along the predicted outline tell more. Along the true outline, every model would "
        "look wrong."
    )
    if not_counted:
        note += f" Without {counted(not_counted, 'image')} that are too large."
    return Table(
        title="Calibration of probabilities",
        first="Pixels",
        columns=tuple(map(Column, titles)),
        rows=tuple(rows),
        note=note,
    )


def calibration_chart(calibration: PixelCalibration) -> Chart:
    """Reliability diagram of all pixels and of the band."""
    names = ("all pixels", f"{BAND_PX} px along the predicted outline")
    series = {
        name: reliability(calibration.counts[place])
        for place, name in enumerate(names)
        if calibration.counts[place, 0].any()
    }
    return Chart(
        "Reliability diagram",
        "Share of pixels whose most probable class is right, by its probability; on the diagonal, "
        "probabilities mean what they say, below it they are too high. Numbers are pixels.",
        charts.calibration(series, ("probability of the most probable class", "share right")),
    )


def calibration_note(calibration: PixelCalibration) -> str:
    """One sentence for a terminal."""
    whole, band = top_label_error(calibration.counts)
    return (
        f"Calibration error of the probabilities {number(whole)} over all pixels, {number(band)} "
        f"within {BAND_PX} px of the predicted outline."
    )
