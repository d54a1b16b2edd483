"""Matplotlib figures as SVG text whose colors are CSS variables of the report around them."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#2459c9", "#c2620a", "#0f7f66", "#a8327e")
INK, MUTED, LINE, PAPER = "#14181f", "#5a6572", "#e2e6eb", "#fefefe"
_VARIABLES = dict(
    zip(
        (*COLORS, INK, MUTED, LINE, PAPER),
        ("accent", "second", "third", "fourth", "ink", "muted", "line", "surface"),
        strict=True,
    )
)

_STYLE = {
    "svg.hashsalt": "maskwright",  # the same chart is the same text
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": INK,
}


@contextmanager
def axes_of(x: str, y: str, size: tuple[float, float]) -> Iterator[tuple["Figure", "Axes"]]:
    """An empty chart with names of its axes, in the style of the reports."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        axes.set(xlabel=plain_text(x), ylabel=plain_text(y))
        yield figure, axes


def add_legend(axes: "Axes") -> None:
    """Names of the curves above the chart."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)


def plain_text(name: str) -> str:
    """A name in which Matplotlib sees no formula."""
    return name.replace("$", r"\$")


def to_svg(figure: "Figure", title: str) -> str:
    """The figure as SVG for the inside of a page: no header, no ids of groups, CSS colors."""
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg ") :].rstrip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r'(<svg [^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{escape(title)}" ', 1)
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var(--{variable}, {color})")
    return svg


def standalone(svg: str) -> str:
    """A chart as the text of an SVG file, on white and with fixed colors."""
    fixed = re.sub(r"var\(--\w+, (#\w+)\)", r"\1", svg)
    return fixed.replace("<svg ", '<svg style="background: white" ', 1) + "\n"
