"""Charts as SVG fragments that take their colors from the page around them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from itertools import groupby

import numpy as np

Points = Sequence[tuple[float, float]]
Range = tuple[float, float]

_WIDTH, _RIGHT, _TOP, _BOTTOM = 520, 12, 24, 36
_BINS = 20
_LETTER_PX = 7.5  # mean width of a letter in the names of curves
_UNIT: Range = (0.0, 1.0)
_FIFTHS = np.linspace(0, 1, 6)
_CLASS_COLOR = 2  # color of the first of two classes; those before it are of curves
_COUNTS_HIGH = 0.07  # of a line of numbers below a calibration curve, on its upward axis
_DOT_PX = (3.0, 9.0)  # radius of the smallest and the largest dot of a calibration curve


@dataclass(frozen=True)
class _Plot:
    """Where values lie in a drawing, px.

    Args:
        across: Values at the left and right end.
        up: Values at the lower and upper end.
        height: Of the drawing.
        left: Margin; the name of the upward axis is turned where it is wide.
    """

    across: Range
    up: Range
    height: int = 240
    left: int = 44

    def x(self, value: float) -> float:
        share = (value - self.across[0]) / (self.across[1] - self.across[0])
        return self.left + share * (_WIDTH - self.left - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.up[0]) / (self.up[1] - self.up[0])
        return self.height - _BOTTOM - share * (self.height - _BOTTOM - _TOP)

    def draw(
        self,
        parts: Iterable[str],
        label: str,
        ticks: tuple[np.ndarray, np.ndarray],
        names: tuple[str, str],
    ) -> str:
        """Drawing of parts on a grid, with ticks and names of both axes; `label` is read out."""
        across_ticks, up_ticks = ticks
        grid = []
        for value in up_ticks:
            y = self.y(value)
            grid.append(
                f'<line class="grid" x1="{self.left}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" '
                f'y2="{y:.1f}"/><text class="tick" x="{self.left - 6}" y="{y + 4:.1f}" '
                f'text-anchor="end">{value:g}</text>'
            )
        for value in across_ticks:
            grid.append(
                f'<text class="tick" x="{self.x(value):.1f}" y="{self.height - _BOTTOM + 15}" '
                f'text-anchor="middle">{value:g}</text>'
            )
        across_name, up_name = map(escape, names)
        middle = (self.left + _WIDTH - _RIGHT) / 2
        grid.append(
            f'<text class="axis" x="{middle:.1f}" y="{self.height - 3}" text-anchor="middle">'
            f"{across_name}</text>"
        )
        if self.left == _Plot.left:
            grid.append(f'<text class="axis" x="0" y="11">{up_name}</text>')
        else:
            middle = (self.height - _BOTTOM + _TOP) / 2
            grid.append(
                f'<text class="axis" transform="rotate(-90 12 {middle:g})" x="12" y="{middle:g}" '
                f'text-anchor="middle">{up_name}</text>'
            )
        return (
            f'<svg viewBox="0 0 {_WIDTH} {self.height}" role="img" aria-label="{escape(label)}">'
            f"{''.join(grid)}{''.join(parts)}</svg>"
        )

    def keys(self, names: Iterable[str], first_color: int = 0) -> Iterable[str]:
        """Names of curves or bars above the plot, each after a dash of its color."""
        left = float(self.left)
        for place, name in enumerate(names, first_color):
            yield (
                f'<rect class="key c{place}" x="{left:.1f}" y="5" width="14" height="4" rx="2"/>'
                f'<text class="note" x="{left + 20:.1f}" y="11">{escape(name)}</text>'
            )
            left += 40 + _LETTER_PX * len(name)

    def curve(self, points: Points, color: int) -> str:
        """Line through points; those in one tenth of a pixel are one."""
        path = [f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points]
        shown = " ".join(name for name, _ in groupby(path))
        return f'<polyline class="line c{color}" points="{shown}"/>'

    def bar(self, center: float, width_px: float, height: float, kind: str, told: str) -> str:
        """Bar from 0 to a height, a little slimmer than its place."""
        y = self.y(height)
        return (
            f'<rect class="{kind}" x="{self.x(center) - width_px / 2 + 1:.1f}" y="{y:.1f}" '
            f'width="{width_px - 2:.1f}" height="{self.y(0) - y:.1f}" rx="2">'
            f"<title>{told}</title></rect>"
        )

    def mark(self, value: float, text: str, kind: str = "mark") -> str:
        """Dashed line from bottom to top, with a text at its upper end."""
        x = self.x(value)
        shift, anchor = (-6, "end") if value > sum(self.across) / 2 else (6, "start")
        return (
            f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 12}" '
            f'y2="{self.height - _BOTTOM}"/>'
            f'<text class="note" x="{x + shift:.1f}" y="{_TOP - 4}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def diagonal(self) -> str:
        """Where both axes of [0, 1] have the same value."""
        (x1, y1), (x2, y2) = ((self.x(end), self.y(end)) for end in _UNIT)
        return f'<line class="diagonal" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


_SQUARE = _Plot(_UNIT, _UNIT, height=360, left=56)


def histogram(values: np.ndarray, name: str) -> str:
    """How many of the `values`, in [0, 1] or nan, lie in each twentieth; the median is marked."""
    defined = values[~np.isnan(values)]
    heights, _ = np.histogram(defined, bins=_BINS, range=_UNIT)
    plot = _Plot(_UNIT, (0.0, 1.1 * max(heights.max(), 4)))
    width = (plot.x(1) - plot.x(0)) / _BINS
    parts = [
        plot.bar((place + 0.5) / _BINS, width, height, "bar", f"{_part(place)}: {height}")
        for place, height in enumerate(heights)
        if height
    ]
    if defined.size:
        median = float(np.median(defined))
        parts.append(plot.mark(median, f"median {median:.3f}"))
    ticks = (_FIFTHS, _ticks(*plot.up, whole=True))
    return plot.draw(parts, f"Histogram of {name}", ticks, (name, "images"))


def class_histograms(
    values: Mapping[str, np.ndarray], name: str, counted: str, threshold: float
) -> str:
    """How many of the values in [0, 1] of each of two classes lie in each twentieth, side by side.

    Args:
        values: `(n,)` each, by name of the class.
        name: Of the values.
        counted: What has the values, in the plural.
        threshold: Value that is marked.
    """
    heights = [np.histogram(own, bins=_BINS, range=_UNIT)[0] for own in values.values()]
    plot = _Plot(_UNIT, (0.0, 1.15 * max(4, *(own.max() for own in heights))), height=360, left=56)
    width = (plot.x(1) - plot.x(0)) / _BINS / 2
    parts = []
    for place, (label, own) in enumerate(zip(values, heights, strict=True)):
        shift = (2 * place - 1) / (4 * _BINS)
        parts += [
            plot.bar(
                (slot + 0.5) / _BINS + shift,
                width,
                height,
                f"bar c{_CLASS_COLOR + place}",
                f"{escape(label)}, {_part(slot)}: {height}",
            )
            for slot, height in enumerate(own)
            if height
        ]
    parts += [plot.mark(threshold, "", "mark plain"), *plot.keys(values, _CLASS_COLOR)]
    ticks = (_FIFTHS, _ticks(*plot.up, whole=True))
    return plot.draw(parts, f"Histograms of {name}", ticks, (name, counted))


def lines(series: Mapping[str, Points], across_name: str, title: str) -> str:
    """At most two curves, named above; empty text where no point is finite."""
    finite = {
        name: [(x, y) for x, y in points if np.isfinite(y)] for name, points in series.items()
    }
    finite = {name: points for name, points in finite.items() if points}
    if not finite:
        return ""
    every = np.array([point for points in finite.values() for point in points])
    (first, lowest), (last, highest) = every.min(0), every.max(0)
    plot = _Plot((first, max(last, first + 1)), (lowest, max(highest, lowest + 1e-3)))
    parts = list(plot.keys(finite))
    for place, points in enumerate(finite.values()):
        x, y = points[-1]
        parts.append(plot.curve(points, place))
        parts.append(
            f'<circle class="dot c{place}" cx="{plot.x(x):.1f}" cy="{plot.y(y):.1f}" r="3"/>'
        )
    ticks = (_ticks(*plot.across, whole=True), _ticks(*plot.up))
    return plot.draw(parts, title, ticks, (across_name, ""))


def unit_curves(
    series: Mapping[str, Points],
    names: tuple[str, str],
    title: str,
    *,
    rings: Sequence[tuple[float, float, str]] = (),
    chance: float | None = None,
) -> str:
    """At most two curves in the unit square, named above.

    Args:
        series: Points of each curve; those that are not finite are left out.
        names: Of the axis across and the one up.
        title: Read out in place of the drawing.
        rings: A point of each curve that stands out, with what is told of it.
        chance: Height of a line that says what chance reaches; `None` for the diagonal.
    """
    plot = _SQUARE
    if chance is None:
        parts = [plot.diagonal()]
    else:
        y = plot.y(chance)
        parts = [
            f'<line class="diagonal" x1="{plot.x(0):.1f}" x2="{plot.x(1):.1f}" y1="{y:.1f}" '
            f'y2="{y:.1f}"/>'
        ]
    for place, points in enumerate(series.values()):
        finite = [point for point in points if np.isfinite(point).all()]
        parts.append(plot.curve(finite, place))
    for place, (x, y, told) in enumerate(rings):
        if np.isfinite((x, y)).all():
            parts.append(
                f'<circle class="ring c{place}" cx="{plot.x(x):.1f}" cy="{plot.y(y):.1f}" r="4.5">'
                f"<title>{escape(told)}</title></circle>"
            )
    return plot.draw([*parts, *plot.keys(series)], title, (_FIFTHS, _FIFTHS), names)


def calibration(
    series: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    names: tuple[str, str],
    counted: str,
) -> str:
    """At most two calibration curves, and below them how many samples each point stands for.

    Args:
        series: Mean probability, share of positives and number of samples of equal parts of [0, 1],
            as `metrics.calibration_curve` gives them, by name.
        names: Of the axis across and the one up.
        counted: What the samples are, in the plural.
    """
    plot = _Plot(
        _UNIT, (-_COUNTS_HIGH * (len(series) + 0.4), 1.0), height=_SQUARE.height, left=_SQUARE.left
    )
    parts = [plot.diagonal()]
    most = max((number.max() for _, _, number in series.values()), default=1)
    for place, (mean, share, number) in enumerate(series.values()):
        held = np.flatnonzero(number)
        parts.append(plot.curve([(mean[part], share[part]) for part in held], place))
        beside = plot.y(-_COUNTS_HIGH * (place + 0.8)) + 4
        for part in held:
            smallest, largest = _DOT_PX
            radius = smallest + (largest - smallest) * float(np.sqrt(number[part] / most))
            told = f"{number[part]} {counted}: mean {mean[part]:.2f}, positive {share[part]:.0%}"
            parts.append(
                f'<circle class="dot c{place}" cx="{plot.x(mean[part]):.1f}" '
                f'cy="{plot.y(share[part]):.1f}" r="{radius:.1f}">'
                f"<title>{escape(told)}</title></circle>"
                f'<text class="count c{place}" x="{plot.x((part + 0.5) / len(number)):.1f}" '
                f'y="{beside:.1f}" text-anchor="middle">{number[part]}</text>'
            )
    ticks = (_FIFTHS, _FIFTHS)
    return plot.draw([*parts, *plot.keys(series)], "Calibration curve", ticks, names)


def style() -> str:
    """Colors, light and dark, and what the charts make of them, as CSS."""
    return resources.files(__package__).joinpath("charts.css").read_text(encoding="utf-8")


def alone(svg: str) -> str:
    """A chart as the text of an SVG file, with a background and colors of its own."""
    opening, inside = svg.split(">", 1)
    return (
        f'{opening} xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif">'
        f'<style>{style()}</style><rect class="surface" width="100%" height="100%"/>{inside}\n'
    )


def _part(place: int) -> str:
    """Twentieth of [0, 1] in words."""
    return f"{place / _BINS:.2f} to {(place + 1) / _BINS:.2f}"


def _ticks(low: float, high: float, whole: bool = False) -> np.ndarray:
    """Round numbers from `low` to `high`, at most seven; only whole ones on demand."""
    span = high - low
    power = 10.0 ** np.floor(np.log10(span / 6))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)
    if whole:
        step = max(1.0, step)
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
