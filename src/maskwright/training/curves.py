"""Curves of a run over its epochs, as a figure of Matplotlib."""

from collections.abc import Mapping, Sequence

import numpy as np

from maskwright.display.figures import NotebookFigure


def plot_curves(
    history: Sequence[Mapping[str, float]], titles: Mapping[str, str]
) -> NotebookFigure:
    """Loss and scores of training and validation by epoch; `titles` are those of the scores."""
    shown = {"loss": "loss", **titles}
    figure = NotebookFigure(figsize=(3.7 * len(shown), 3.6), layout="constrained")
    panels = np.ravel(figure.subplots(1, len(shown)))
    for panel, (name, title) in zip(panels, shown.items(), strict=True):
        for key, style, label in ((name, "-", "training"), (f"val_{name}", "o-", "validation")):
            points = [(row["epoch"], row[key]) for row in history if key in row]
            if points:
                panel.plot(*zip(*points, strict=True), style, label=label, markersize=3)
        panel.set(title=title, xlabel="epoch")
        panel.grid(alpha=0.3)
    if history:
        panels[0].legend()
    return figure
