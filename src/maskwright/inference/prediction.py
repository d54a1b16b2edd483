"""`Prediction`: what a model makes of one image, and how that is shown."""

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from maskwright.data.to_rgb import as_picture
from maskwright.display.html import swatch, table, thumbnail
from maskwright.display.notebook import show_figure
from maskwright.display.objects import draw_objects
from maskwright.errors import ConfigError
from maskwright.instances import Instances
from maskwright.labels import Labels

if TYPE_CHECKING:
    from maskwright.display.figures import NotebookFigure

_THUMBNAIL_PX = 256  # at most 90 kB


@dataclass(frozen=True)
class Prediction:
    """What a model makes of one image; without objects, `instances` and `objects` are `None`.

    Args:
        labels: Class of each pixel, int32 `(h, w)`, in the size of the image, after
            post-processing; of classes that overlap, uint8 `(h, w, classes)`, 1 in their pixels.
        probabilities: float32 `(h, w, classes)` before threshold and post-processing, where they
            were requested.
        instances: Number of the object of each pixel, int32 `(h, w)`, 0 for none.
        objects: The objects with scores, which may overlap.
        image: What was predicted, `(h, w, c)`, and its `classes`: for `plot`, where a model itself
            was called.
    """

    labels: np.ndarray
    probabilities: np.ndarray | None = None
    instances: np.ndarray | None = None
    objects: Instances | None = None
    image: np.ndarray | None = field(default=None, repr=False)
    classes: Labels | None = field(default=None, repr=False)

    def plot(self) -> "NotebookFigure":
        """The image, and on it what was predicted, as a figure of Matplotlib."""
        from maskwright.display.figures import plot_pictures

        picture, drawn, classes = self._pictures()
        panels = (("image", picture), ("prediction", drawn))
        if self.objects is not None:
            number = len(self.objects)
            return plot_pictures(f"{number} object{'s' * (number != 1)}", panels)
        areas = self._areas(classes)
        legend = [
            (name, color)
            for name, color, area in zip(classes.names, classes.colors, areas, strict=True)
            if area and name != _background(classes)
        ]
        return plot_pictures("", panels, legend)

    def show(self) -> None:
        """Show `plot` in a notebook."""
        show_figure(self.plot())

    def _repr_html_(self) -> str | None:
        if self.image is None or self.classes is None:
            return None
        _, drawn, classes = self._pictures()
        headings, rows = ["class", "pixels"], []
        counts: Any = None
        if self.objects is not None:
            headings.append("objects")
            counts = np.bincount(self.objects.labels, minlength=classes.num_classes)
        height, width = self.labels.shape[:2]
        for label, area in enumerate(self._areas(classes)):
            row = [swatch(classes.names[label], classes.colors[label])]
            row.append(f"{area:,} ({area / (height * width):.1%})")
            rows.append(row if counts is None else [*row, f"{counts[label]:,}"])
        title = escape(f"Prediction, {height:,} x {width:,} px")
        return (
            f"<div><b>{title}</b><br>{thumbnail(drawn, 'prediction', _THUMBNAIL_PX)}"
            f"{table(rows, headings)}</div>"
        )

    def _pictures(self) -> tuple[np.ndarray, np.ndarray, Labels]:
        """Picture, the same with the prediction on it, and the classes."""
        if self.image is None or self.classes is None:
            raise ConfigError(
                "Expected the prediction of a model that was called with an image; this one has no "
                "image to be shown on."
            )
        picture = as_picture(self.image)
        if self.objects is not None:
            return picture, draw_objects(picture, self.objects), self.classes
        return picture, self.classes.overlay(picture, self.labels), self.classes

    def _areas(self, classes: Labels) -> list[int]:
        """Pixels of each class."""
        if self.labels.ndim == 3:
            layers: list[int] = (self.labels == 1).sum(axis=(0, 1)).tolist()
            return layers
        counts: list[int] = np.bincount(self.labels.ravel(), minlength=classes.num_classes).tolist()
        return counts


def _background(classes: Labels) -> str | None:
    return None if classes.background is None else classes.names[classes.background]
