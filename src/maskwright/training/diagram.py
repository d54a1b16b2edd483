"""The model's summary as text, and its graph as a picture, without Graphviz."""

from typing import Any

import keras
import numpy as np

from maskwright.display.notebook import drop_displays


def summary(model: keras.Model) -> str:
    """Layers, shapes and parameters, the encoder's layers within."""
    lines: list[str] = []
    with drop_displays():
        model.summary(110, expand_nested=True, print_fn=lambda line, **_: lines.append(line))
    return "\n".join(lines) + "\n"


def diagram(model: keras.Model) -> np.ndarray:
    """Picture of the layers from top to bottom, uint8 `(h, w, 3)`.

    Each layer is a line with its output, the encoder a single one; an arc on the right shows where
    an output skips ahead.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch

    from maskwright.display.figures import render

    layers = list(model.layers)
    row = {layer.name: number for number, layer in enumerate(layers)}
    figure = Figure(figsize=(8, 0.32 * len(layers) + 0.6), dpi=110, layout="constrained")
    panel: Any = figure.subplots()
    for number, layer in enumerate(layers):
        color = "#cfe8fc" if layer.name == "encoder" else "#f4f4f4"
        box = {"boxstyle": "round,pad=0.25", "fc": color, "ec": "#888"}
        shapes = [output.shape[1:] for output in keras.tree.flatten(layer.output)]
        sizes = ", ".join("x".join(str(side or "?") for side in shape) for shape in shapes)
        text = f"{layer.name}  ·  {type(layer).__name__}  ·  {sizes}"
        panel.text(0.0, -number, text, bbox=box, fontsize=8, va="center", ha="left")
        nodes = layer._inbound_nodes[-1:]
        sources = [parent.operation.name for node in nodes for parent in node.parent_nodes]
        for source in filter(row.__contains__, sources):
            next_row = number - row[source] == 1
            x, bend, color = (-0.02, 0.0, "#357") if next_row else (0.62, -0.25, "#c60")
            arrow = FancyArrowPatch(
                *((x, -row[source]), (x, -number)),
                arrowstyle="-|>",
                connectionstyle=f"arc3,rad={bend}",
                mutation_scale=8,
                color=color,
                lw=0.9,
            )
            panel.add_patch(arrow)
    panel.set(xlim=(-0.05, 1.0), ylim=(-len(layers), 1))
    panel.axis("off")
    return render(figure)
