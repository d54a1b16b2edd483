"""What a notebook shows of a data set and of its samples."""

from contextlib import suppress
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.layers import layer_labels, split_layers
from maskwright.data.samples import Sample, counted
from maskwright.data.to_rgb import as_picture
from maskwright.display.html import listed, swatch, table, thumbnail
from maskwright.display.notebook import View
from maskwright.display.objects import draw_objects
from maskwright.errors import DataError
from maskwright.labels import IGNORE_LABEL, Color, Labels

if TYPE_CHECKING:
    from maskwright.display.figures import NotebookFigure

_THUMBNAILS = 4
_MOST_PIXELS = 2**25  # of an image that is read for a thumbnail
_NAMED = 40  # classes


def with_view(dataset: DataSet) -> DataSet:
    """The data set as a notebook shows it; its samples can be shown by themselves."""
    shown = replace(dataset, view=View(_dataset_html, plot_sample))
    for sample in shown.samples:
        sample.belong_to(shown)
    return shown


def plot_sample(dataset: DataSet, sample: Sample) -> "NotebookFigure":
    """Image and ground truth of a sample, as a figure of Matplotlib; `DataError` as `read`."""
    from maskwright.display.figures import plot_pictures

    image, labels = dataset.read(sample)
    picture = as_picture(image)
    overlay = _overlay(dataset, sample, picture, labels)
    panels = [("image", picture), ("ground truth", overlay)]
    if dataset.instances:
        objects = dataset.read_objects(sample)
        objects = objects.take(~objects.crowd)
        panels.append((counted(len(objects), "object"), draw_objects(picture, objects)))
    split = f" ({sample.split})" if sample.split else ""
    return plot_pictures(f"{sample.id}{split}", panels, _present(dataset.labels, labels))


def _overlay(
    dataset: DataSet, sample: Sample, picture: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Picture with the classes of its mask, of which all are seen where they overlap."""
    if not dataset.multilabel:
        return dataset.labels.overlay(picture, labels)
    layers = split_layers(dataset, sample, labels)
    return layer_labels(dataset.labels).overlay(picture, layers)


def _present(classes: Labels, labels: np.ndarray) -> list[tuple[str, Color]]:
    """Names and colors of the classes in a mask, without the background."""
    entries: list[tuple[str, Color]] = []
    for label in np.unique(labels).tolist():
        if label == IGNORE_LABEL:
            red, green, blue = classes.color(np.array([[label]]))[0, 0].tolist()
            entries.append(("ignored", (red, green, blue)))
        elif label != classes.background:
            entries.append((classes.names[label], classes.colors[label]))
    return entries


def _dataset_html(dataset: DataSet) -> str:
    """Where it is, its images, splits and classes, some thumbnails, and notes."""
    classes = zip(dataset.labels.names[:_NAMED], dataset.labels.colors, strict=False)
    named = ", ".join(swatch(name, color) for name, color in classes)
    beyond = dataset.labels.num_classes - _NAMED
    pixels = f"{counted(dataset.channels, 'channel')} of {dataset.dtype}"
    rows = [
        ("layout", escape(dataset.layout)),
        ("images", f"{len(dataset.samples):,}, {escape(pixels)}"),
        ("splits", ", ".join(f"{escape(name)} {n:,}" for name, n in dataset.splits.items())),
        ("classes", named + (f" and {beyond:,} more" if beyond > 0 else "")),
    ]
    if dataset.skipped:
        rows.append(("skipped", escape(counted(len(dataset.skipped), "file"))))
    notes = listed(counted(len(dataset.notes), "note"), [str(note) for note in dataset.notes])
    title = escape(str(dataset.origin or dataset.root))
    return f"<div><b>{title}</b><br>{_thumbnails(dataset)}{table(rows)}{notes}</div>"


def _thumbnails(dataset: DataSet) -> str:
    """A few samples at equal distances, with their masks; what cannot be read is left out."""
    step = max(1, len(dataset.samples) // _THUMBNAILS)
    images = []
    for sample in dataset.samples[::step][:_THUMBNAILS]:
        with suppress(DataError):
            header = dataset.header(sample.image)
            if header.height * header.width <= _MOST_PIXELS:
                image, labels = dataset.read(sample)
                drawn = _overlay(dataset, sample, as_picture(image), labels)
                images.append(thumbnail(drawn, sample.id))
    return " ".join(images)
