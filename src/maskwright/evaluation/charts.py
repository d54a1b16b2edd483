"""Charts as SVG fragments that take their colours from the page around them."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

Points = Sequence[tuple[float, float]]
Range = tuple[float, float]

_WIDTH, _HEIGHT = 520, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 24, 36
_BINS = 20
_LETTER_PX = 7.5  # mean width of a letter in the names of curves


def histogram(values: np.ndarray, name: str) -> str:
    """How many of the `values`, in [0, 1] or nan, lie in each twentieth; the median is marked."""
    defined = values[~np.isnan(values)]
    heights, _ = np.histogram(defined, bins=_BINS, range=(0, 1))
    across, up = (0.0, 1.0), (0.0, 1.1 * max(heights.max(), 4))
    parts = [_frame(across, up, np.linspace(0, 1, 6), _ticks(*up, whole=True), name, "images")]
    slot = (_WIDTH - _LEFT - _RIGHT) / _BINS
    for place, height in enumerate(heights):
        if height:
            y = _y(height, up)
            low, high = place / _BINS, (place + 1) / _BINS
            parts.append(
                f'<rect class="bar" x="{_LEFT + place * slot + 1:.1f}" y="{y:.1f}" '
                f'width="{slot - 2:.1f}" height="{_y(0, up) - y:.1f}" rx="2">'
                f"<title>{low:.2f} to {high:.2f}: {height}</title></rect>"
            )
    if defined.size:
        median = float(np.median(defined))
        x = _x(median, across)
        shift, anchor = (-6, "end") if median > 0.5 else (6, "start")
        parts.append(
            f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 12}" '
            f'y2="{_HEIGHT - _BOTTOM}"/>'
            f'<text class="note" x="{x + shift:.1f}" y="{_TOP - 4}" text-anchor="{anchor}">'
            f"median {median:.3f}</text>"
        )
    return _svg(parts, f"Histogram of {name}")


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
    across, up = (first, max(last, first + 1)), (lowest, max(highest, lowest + 1e-3))
    parts = [
        _frame(across, up, _ticks(*across, whole=True), _ticks(*up), across_name, ""),
    ]
    left = float(_LEFT)
    for place, (name, points) in enumerate(finite.items()):
        path = [f"{_x(x, across):.1f},{_y(y, up):.1f}" for x, y in points]
        end_x, end_y = path[-1].split(",")
        parts.append(
            f'<polyline class="line c{place}" points="{" ".join(path)}"/>'
            f'<circle class="dot c{place}" cx="{end_x}" cy="{end_y}" r="3"/>'
            f'<rect class="key c{place}" x="{left:.1f}" y="5" width="14" height="4" rx="2"/>'
            f'<text class="note" x="{left + 20:.1f}" y="11">{escape(name)}</text>'
        )
        left += 40 + _LETTER_PX * len(name)
    return _svg(parts, title)


def _svg(parts: Sequence[str], label: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _frame(
    across: Range,
    up: Range,
    across_ticks: np.ndarray,
    up_ticks: np.ndarray,
    across_name: str,
    up_name: str,
) -> str:
    """Grid lines, tick labels and names of both axes."""
    parts = []
    for value in up_ticks:
        y = _y(value, up)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    for value in across_ticks:
        parts.append(
            f'<text class="tick" x="{_x(value, across):.1f}" y="{_HEIGHT - _BOTTOM + 15}" '
            f'text-anchor="middle">{value:g}</text>'
        )
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return "".join(parts) + (
        f'<text class="axis" x="{middle:.1f}" y="{_HEIGHT - 3}" text-anchor="middle">'
        f"{escape(across_name)}</text>"
        f'<text class="axis" x="{_LEFT - 6}" y="11" text-anchor="end">{escape(up_name)}</text>'
    )


def _ticks(low: float, high: float, whole: bool = False) -> np.ndarray:
    """Round numbers from `low` to `high`, at most seven; only whole ones on demand."""
    span = high - low
    power = 10.0 ** np.floor(np.log10(span / 6))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= 6)
    if whole:
        step = max(1.0, step)
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step


def _x(value: float, across: Range) -> float:
    share = (value - across[0]) / (across[1] - across[0])
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, up: Range) -> float:
    share = (value - up[0]) / (up[1] - up[0])
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)
