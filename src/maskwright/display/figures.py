"""Figures of Matplotlib that a notebook draws by itself; pyplot and its backend stay untouched."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from maskwright.display.html import shrink
from maskwright.display.mathtext import plain_text
from maskwright.labels import Color

_PANEL_IN = 3.6  # width of a picture, inches
_LEGEND_IN = 0.3
_MOST_PX = 1024  # of the longer side of a picture
_IN_LEGEND = 24


class NotebookFigure(Figure):
    """A figure that a notebook draws where it is the value of a cell.

    Pyplot does not know it, so that no backend draws it once more at the end of the cell.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def plot_pictures(
    title: str,
    panels: Sequence[tuple[str, np.ndarray]],
    legend: Sequence[tuple[str, Color]] = (),
) -> NotebookFigure:
    """Pictures uint8 RGB `(h, w, 3)` of one size with their headings, side by side.

    `legend` are names and colors, of which the first `_IN_LEGEND` are shown.
    """
    height, width = panels[0][1].shape[:2]
    tall = min(max(_PANEL_IN * height / width, 1.0), 2 * _PANEL_IN)
    entries = [*legend[:_IN_LEGEND], *([("…", (255, 255, 255))] if legend[_IN_LEGEND:] else [])]
    columns = 2 * len(panels)
    lines = -(-len(entries) // columns)
    size = (_PANEL_IN * len(panels), tall + 0.7 + _LEGEND_IN * lines)
    figure = NotebookFigure(figsize=size, layout="constrained")
    figure.suptitle(plain_text(title), fontsize="medium")
    axes = np.ravel(figure.subplots(1, len(panels)))
    for panel, (heading, picture) in zip(axes, panels, strict=True):
        panel.imshow(shrink(picture, _MOST_PX), interpolation="nearest")
        panel.set_title(plain_text(heading), fontsize="small")
        panel.axis("off")
    if entries:
        patches = [
            Patch(color=np.divide(color, 255), label=plain_text(name)) for name, color in entries
        ]
        figure.legend(handles=patches, loc="outside lower center", ncols=columns, fontsize="small")
    return figure


def render(figure: Figure) -> np.ndarray:
    """Picture of a figure, RGB, `(h, w, 3)` uint8."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
