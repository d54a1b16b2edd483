"""Charts as SVG text by Matplotlib; inside a report they take its colors, light or dark."""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.imageio import atomic_write

Points = Sequence[tuple[float, float]]

_BINS = 20
_MAX_NUMBERS = 20  # classes up to which the cells of a confusion matrix hold numbers
_MAX_NAMES = 60  # classes up to which its axes hold names
_WIDE, _SQUARE = (5.4, 2.6), (5.4, 3.9)  # inches
_DOT_SIZES = (25.0, 180.0)  # smallest and largest dot of a calibration curve, square points
_FEW_PARTS = 10  # of a calibration curve, up to which their numbers have the usual size
_COUNTS_LOW = 0.09  # height of a line of numbers below a calibration curve, of its y axis

_COLORS = ("#2459c9", "#c2620a", "#0f7f66", "#a8327e")
_INK, _MUTED, _LINE, _PAPER = "#14181f", "#5a6572", "#e2e6eb", "#fefefe"
_VARIABLES = ("accent", "second", "third", "fourth", "ink", "muted", "line", "surface")

_STYLE = {
    "svg.hashsalt": "maskwright",  # the same chart is the same text
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": _INK,
}


def histogram(values: np.ndarray, name: str) -> str:
    """Histogram of values in [0, 1], with their median; nan is left out."""
    defined = values[~np.isnan(values)]
    with _axes_of(name, "images", _WIDE) as axes:
        heights, _, _ = axes.hist(defined, bins=_BINS, range=(0, 1), color=_COLORS[0], rwidth=0.9)
        axes.set(xlim=(0, 1), ylim=(0, 1.15 * max(np.max(heights), 4)))
        axes.locator_params("y", integer=True)
        if defined.size:
            median = float(np.median(defined))
            axes.axvline(median, color=_COLORS[1], linestyle="--")
            offset, side = (-5, "right") if median > 1 / 2 else (5, "left")
            place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            label = f"median {median:.3f}"
            axes.annotate(label, (median, 1), (offset, -2), **place, ha=side, va="top")
        return _to_svg(axes, f"Histogram of {name}")


def class_histograms(
    values: Mapping[str, np.ndarray], name: str, unit: str, threshold: float
) -> str:
    """Histograms of values in [0, 1], `(n,)` by name of the class, side by side.

    `unit` is what has the values, in the plural; `threshold` is marked.
    """
    with _axes_of(name, unit, _SQUARE) as axes:
        names, colors = [_plain_text(key) for key in values], list(_COLORS[2:4])
        axes.hist(list(values.values()), bins=_BINS, range=(0, 1), color=colors, label=names)
        axes.set(xlim=(0, 1))
        axes.locator_params("y", integer=True)
        axes.axvline(threshold, color=_MUTED, linestyle="--")
        _add_legend(axes)
        return _to_svg(axes, f"Histograms of {name}")


def training_curves(series: Mapping[str, Points], name: str) -> str:
    """Curves over epochs; an empty string where no point is finite."""
    finite = {key: [p for p in points if np.isfinite(p[1])] for key, points in series.items()}
    if not any(finite.values()):
        return ""
    with _axes_of("epoch", "", _WIDE) as axes:
        for (key, points), color in zip(finite.items(), _COLORS, strict=False):
            if points:
                axes.plot(*zip(*points, strict=True), color=color, label=key)
                axes.plot(*points[-1], "o", color=color, markersize=4)
        axes.locator_params("x", integer=True)
        _add_legend(axes)
        return _to_svg(axes, name)


def score_curve(points: Points, names: tuple[str, str]) -> str:
    """A score in [0, 1] against a threshold; `names` are those of the x axis and the y axis."""
    with _axes_of(*names, _WIDE) as axes:
        axes.plot(*zip(*points, strict=True), "o-", color=_COLORS[0], markersize=4, clip_on=False)
        axes.set(ylim=(0, 1.02))
        return _to_svg(axes, f"{names[1]} by {names[0]}")


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
    with _axes_of(*names, _SQUARE) as axes:
        line = (0, 1) if chance is None else (chance, chance)
        axes.plot((0, 1), line, color=_MUTED, linestyle=":")
        for (key, points), color in zip(series.items(), _COLORS, strict=False):
            finite = np.array([p for p in points if np.isfinite(p).all()], float).reshape(-1, 2)
            axes.plot(*finite.T, color=color, label=_plain_text(key))
        for point, color in zip(marks, _COLORS, strict=False):
            if np.isfinite(point).all():
                axes.plot(*point, "o", color=color, markerfacecolor=_PAPER, clip_on=False)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        _add_legend(axes)
        return _to_svg(axes, title)


def calibration(
    series: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], names: tuple[str, str]
) -> str:
    """Calibration curves, and below them how many samples each point stands for.

    Each of the `series` is what `metrics.calibration_curve` gives.
    """
    most = max((numbers.max() for _, _, numbers in series.values()), default=1)
    with _axes_of(*names, _SQUARE) as axes:
        axes.plot((0, 1), (0, 1), color=_MUTED, linestyle=":")
        size = 10 if all(len(part) <= _FEW_PARTS for _, _, part in series.values()) else 7
        for line, ((key, points), color) in enumerate(zip(series.items(), _COLORS, strict=False)):
            mean, share, numbers = points
            parts = np.flatnonzero(numbers)
            axes.plot(mean[parts], share[parts], color=color, label=_plain_text(key))
            low, high = _DOT_SIZES
            sizes = low + (high - low) * numbers[parts] / most
            axes.scatter(mean[parts], share[parts], sizes, color=color, zorder=3, clip_on=False)
            for part in parts:
                x, y = (part + 0.5) / len(numbers), -_COUNTS_LOW * (line + 0.8)
                text = _compact(int(numbers[part]))
                axes.text(x, y, text, color=color, ha="center", va="center", fontsize=size)
        axes.set(xlim=(0, 1), ylim=(-_COUNTS_LOW * (len(series) + 0.4), 1.04))
        axes.set_yticks(np.linspace(0, 1, 6))
        _add_legend(axes)
        return _to_svg(axes, "Calibration curve")


def confusion(counts: np.ndarray, names: Sequence[str], path: Path | None = None) -> str:
    """Confusion matrix `(classes, classes)`, true classes in rows, as shares of its rows.

    `path` is a PNG file to write too, or `None`.
    """
    number = len(names)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(4.0 + 0.55 * number, 16.0)
    with _axes_of("predicted", "true", (side, side * 0.9)) as axes:
        axes.grid(False)
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        if number <= _MAX_NAMES:
            shown = [_plain_text(name) for name in names]
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
        return _to_svg(axes, "Confusion matrix")


def standalone(svg: str) -> str:
    """A chart as the text of an SVG file, on white and with fixed colors."""
    fixed = re.sub(r"var\(--\w+, (#\w+)\)", r"\1", svg)
    return fixed.replace("<svg ", '<svg style="background: white" ', 1) + "\n"


@contextmanager
def _axes_of(x: str, y: str, size: tuple[float, float]) -> Iterator[Any]:
    """An empty chart with names of its axes, in the style of the reports."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        axes = Figure(figsize=size, layout="constrained").subplots()
        axes.set(xlabel=_plain_text(x), ylabel=_plain_text(y))
        yield axes


def _compact(number: int) -> str:
    """A number in few characters: 950, 12k, 3.4M."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.{int(number < 10 * size)}f}{unit}"
    return str(number)


def _add_legend(axes: Any) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)


def _plain_text(name: str) -> str:
    """A name in which Matplotlib sees no formula."""
    return name.replace("$", r"\$")


def _to_svg(axes: Any, title: str) -> str:
    """The figure as SVG for the inside of a page: no header, no ids of groups, CSS colors."""
    text = io.StringIO()
    axes.figure.savefig(
        text, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
    )
    svg = text.getvalue()
    tag, content = svg[svg.index("<svg ") :].rstrip().split(">", 1)
    tag = re.sub(r' (width|height)="[^"]*"', "", tag)
    tag = tag.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ')
    content = re.sub(r"<metadata>.*?</metadata>\s*", "", content, flags=re.DOTALL)
    svg = tag + ">" + re.sub(r'<g id="[^"]*">', "<g>", content)
    for color, variable in zip((*_COLORS, _INK, _MUTED, _LINE, _PAPER), _VARIABLES, strict=True):
        svg = svg.replace(color, f"var(--{variable}, {color})")
    return svg
