"""Charts as SVG text by Matplotlib; inside a report they take its colors, light or dark."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from maskwright.display.mathtext import plain_text
from maskwright.evaluation.reports.svg import (
    COLORS,
    MUTED,
    PAPER,
    SQUARE,
    WIDE,
    add_legend,
    axes_of,
    to_svg,
)
from maskwright.imageio import atomic_write

Points = Sequence[tuple[float, float]]

_BINS = 20
_MAX_NUMBERS = 20  # classes up to which the cells of a confusion matrix hold numbers
_MAX_NAMES = 60  # classes up to which its axes hold names
_DOT_SIZES = (25.0, 180.0)  # smallest and largest dot of a calibration curve, square points
_FEW_PARTS = 10  # of a calibration curve, up to which their numbers have the usual size
_COUNTS_LOW = 0.09  # height of a line of numbers below a calibration curve, of its y axis


def histogram(values: np.ndarray, name: str) -> str:
    """Histogram of values in [0, 1], with their median; nan is left out."""
    defined = values[~np.isnan(values)]
    with axes_of(name, "images", WIDE) as axes:
        heights, _, _ = axes.hist(defined, bins=_BINS, range=(0, 1), color=COLORS[0], rwidth=0.9)
        axes.set(xlim=(0, 1), ylim=(0, 1.15 * max(np.max(heights), 4)))
        axes.locator_params("y", integer=True)
        if defined.size:
            median = float(np.median(defined))
            axes.axvline(median, color=COLORS[1], linestyle="--")
            offset, side = (-5, "right") if median > 1 / 2 else (5, "left")
            place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            label = f"median {median:.3f}"
            axes.annotate(label, (median, 1), (offset, -2), **place, ha=side, va="top")
        return to_svg(axes, f"Histogram of {name}")


def class_histograms(
    values: Mapping[str, np.ndarray], name: str, unit: str, threshold: float
) -> str:
    """Histograms of values in [0, 1], `(n,)` by name of the class, side by side.

    `unit` is what has the values, in the plural; `threshold` is marked.
    """
    with axes_of(name, unit, SQUARE) as axes:
        names, colors = [plain_text(key) for key in values], list(COLORS[2:4])
        axes.hist(list(values.values()), bins=_BINS, range=(0, 1), color=colors, label=names)
        axes.set(xlim=(0, 1))
        axes.locator_params("y", integer=True)
        axes.axvline(threshold, color=MUTED, linestyle="--")
        add_legend(axes)
        return to_svg(axes, f"Histograms of {name}")


def training_curves(series: Mapping[str, Points], name: str) -> str:
    """Curves over epochs; an empty string where no point is finite."""
    finite = {key: [p for p in points if np.isfinite(p[1])] for key, points in series.items()}
    if not any(finite.values()):
        return ""
    with axes_of("epoch", "", WIDE) as axes:
        for (key, points), color in zip(finite.items(), COLORS, strict=False):
            if points:
                axes.plot(*zip(*points, strict=True), color=color, label=key)
                axes.plot(*points[-1], "o", color=color, markersize=4)
        axes.locator_params("x", integer=True)
        add_legend(axes)
        return to_svg(axes, name)


def score_curve(points: Points, names: tuple[str, str]) -> str:
    """A score in [0, 1] against a threshold; `names` are those of the x axis and the y axis."""
    with axes_of(*names, WIDE) as axes:
        axes.plot(*zip(*points, strict=True), "o-", color=COLORS[0], markersize=4, clip_on=False)
        axes.set(ylim=(0, 1.02))
        return to_svg(axes, f"{names[1]} by {names[0]}")


def unit_curves(
    series: Mapping[str, Points],
    names: tuple[str, str],
    title: str,
    *,
    marks: Sequence[tuple[float, float]] = (),
    chance: float | None = None,
) -> str:
    """Curves in the unit square, such as ROC curves; points that are not finite are left out.

    `names` are those of the axes; a point of each curve may be marked; `chance` is the height of
    the line of chance, `None` for the diagonal, nan for no line.
    """
    with axes_of(*names, SQUARE) as axes:
        line = (0, 1) if chance is None else (chance, chance)
        axes.plot((0, 1), line, color=MUTED, linestyle=":")
        for (key, points), color in zip(series.items(), COLORS, strict=False):
            finite = np.array([p for p in points if np.isfinite(p).all()], float).reshape(-1, 2)
            axes.plot(*finite.T, color=color, label=plain_text(key))
        for point, color in zip(marks, COLORS, strict=False):
            if np.isfinite(point).all():
                axes.plot(*point, "o", color=color, markerfacecolor=PAPER, clip_on=False)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        add_legend(axes)
        return to_svg(axes, title)


def calibration(
    series: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], names: tuple[str, str]
) -> str:
    """Calibration curves, and below them how many samples each point stands for.

    Each of the `series` is what `metrics.calibration_curve` gives.
    """
    most = max((numbers.max() for _, _, numbers in series.values()), default=1)
    with axes_of(*names, SQUARE) as axes:
        axes.plot((0, 1), (0, 1), color=MUTED, linestyle=":")
        size = 10 if all(len(part) <= _FEW_PARTS for _, _, part in series.values()) else 7
        for line, ((key, points), color) in enumerate(zip(series.items(), COLORS, strict=False)):
            mean, share, numbers = points
            parts = np.flatnonzero(numbers)
            axes.plot(mean[parts], share[parts], color=color, label=plain_text(key))
            low, high = _DOT_SIZES
            sizes = low + (high - low) * numbers[parts] / most
            axes.scatter(mean[parts], share[parts], sizes, color=color, zorder=3, clip_on=False)
            for part in parts:
                x, y = (part + 0.5) / len(numbers), -_COUNTS_LOW * (line + 0.8)
                text = _compact(int(numbers[part]))
                axes.text(x, y, text, color=color, ha="center", va="center", fontsize=size)
        axes.set(xlim=(0, 1), ylim=(-_COUNTS_LOW * (len(series) + 0.4), 1.04))
        axes.set_yticks(np.linspace(0, 1, 6))
        add_legend(axes)
        return to_svg(axes, "Calibration curve")


def confusion(counts: np.ndarray, names: Sequence[str], path: Path | None = None) -> str:
    """Confusion matrix `(classes, classes)`, true classes in rows, as shares of its rows.

    `path` is a PNG file to write too, or `None`.
    """
    number = len(names)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(4.0 + 0.55 * number, 16.0)
    with axes_of("predicted", "true", (side, side * 0.9)) as axes:
        axes.grid(False)
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        if number <= _MAX_NAMES:
            shown = [plain_text(name) for name in names]
            axes.set_xticks(range(number), shown, rotation=90 if number > 4 else 0)
            axes.set_yticks(range(number), shown)
        if number <= _MAX_NUMBERS:
            for (row, column), share in np.ndenumerate(shares):
                color = "white" if share > 0.55 else "black"
                axes.text(column, row, f"{share:.0%}", ha="center", va="center", color=color)
        axes.figure.colorbar(image, label="share of the true class", shrink=0.8)
        if path is not None:
            with atomic_write(path) as temporary:
                axes.figure.savefig(temporary, format="png", dpi=120, metadata={"Software": None})
        return to_svg(axes, "Confusion matrix")


def _compact(number: int) -> str:
    """A number in few characters: 950, 12k, 3.4M."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.{int(number < 10 * size)}f}{unit}"
    return str(number)
