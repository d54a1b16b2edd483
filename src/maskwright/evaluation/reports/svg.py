"""What all charts share: style, axes, and SVG text that takes the colors of a page."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from maskwright.display.mathtext import plain_text

WIDE, SQUARE = (5.4, 2.6), (5.4, 3.9)
"""Sizes of charts, inches."""

COLORS = ("#2459c9", "#c2620a", "#0f7f66", "#a8327e")
_INK, MUTED, _LINE, PAPER = "#14181f", "#5a6572", "#e2e6eb", "#fefefe"
_VARIABLES = ("accent", "second", "third", "fourth", "ink", "muted", "line", "surface")

_STYLE = {
    "svg.hashsalt": "maskwright",  # the same chart is the same text
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": _INK,
}


def standalone(svg: str) -> str:
    """A chart as the text of an SVG file, on white and with fixed colors."""
    fixed = re.sub(r"var\(--\w+, (#\w+)\)", r"\1", svg)
    return fixed.replace("<svg ", '<svg style="background: white" ', 1) + "\n"


@contextmanager
def axes_of(x: str, y: str, size: tuple[float, float]) -> Iterator[Any]:
    """An empty chart with names of its axes, in the style of the reports."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        axes = Figure(figsize=size, layout="constrained").subplots()
        axes.set(xlabel=plain_text(x), ylabel=plain_text(y))
        yield axes


def add_legend(axes: Any) -> None:
    """Add names of the curves above a chart."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)


def to_svg(axes: Any, title: str) -> str:
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
    for color, variable in zip((*COLORS, _INK, MUTED, _LINE, PAPER), _VARIABLES, strict=True):
        svg = svg.replace(color, f"var(--{variable}, {color})")
    return svg
