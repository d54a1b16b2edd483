"""Writer of PNG masks of classes beside the images, with a manifest and a data.yaml."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.layers import layer_labels, split_layers
from maskwright.data.readers.description import described_labels
from maskwright.data.readers.manifest import write_described
from maskwright.data.readers.mask_fit import AS_STORED
from maskwright.data.samples import SEPARATOR, Sample
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import copy_image, for_each_sample, orientation_key
from maskwright.errors import DataError
from maskwright.imageio import write_image, write_mask, write_text
from maskwright.labels import IGNORE_LABEL, LAYER_IGNORED, layer_values


def _write(dataset: DataSet, folder: Path) -> None:
    layered = dataset.multilabel and any(sample.classes for sample in dataset.samples)
    if layered and (names := [name for name in dataset.labels.names if SEPARATOR in name]):
        raise DataError(
            f"The class {names[0]!r} has a {SEPARATOR!r}, which parts the classes of a manifest; "
            f"rename it in data.yaml."
        )

    def write(sample: Sample) -> Sample:
        changes: dict[str, Any] = {"image": copy_image(sample, folder / "images")}
        labels = dataset.read_mask(sample)
        if layered:
            changes |= _write_layers(dataset, sample, labels, folder)
        else:
            mask = folder / "masks" / f"{sample.id}.png"
            write_mask(mask, labels, dataset.labels.colors)
            changes |= {"masks": (mask,), "classes": ()}
        if dataset.instances:
            changes["instances"] = folder / "instances" / f"{sample.id}.json"
            write_text(changes["instances"], _objects(dataset, sample))
        if sorted(sample.labels) == sorted(sample.classes):  # of masks, not of the image
            changes["label"] = None
        return replace(sample, **{"field_of_view": None, "instances": None, **changes})

    samples = for_each_sample(dataset, write)
    stated = described_labels(dataset.labels) | {"ignore": [IGNORE_LABEL]}
    if layered:
        del stated["values"]
        stated |= {"ignore": [LAYER_IGNORED]}
        stated |= {"objects": "instances"} if dataset.instances else {}
    if dataset.multilabel or (dataset.instances and "overlap" in dataset.stated):
        stated["overlap"] = dataset.stated["overlap"]
    stated |= orientation_key(dataset)
    write_described(folder, samples, stated, [f"Converted from {dataset.layout}."])


def _objects(dataset: DataSet, sample: Sample) -> str:
    """List of the objects; as it is where there is one, as that may hold their polygons."""
    listed = sample.instances
    if listed is not None and listed.suffix == ".json" and dataset.fit == AS_STORED:
        return listed.read_text(encoding="utf-8")
    return dataset.read_objects(sample).to_json()


def _write_layers(
    dataset: DataSet, sample: Sample, labels: np.ndarray, folder: Path
) -> dict[str, Any]:
    """Write a mask for each class, as classes overlap; what the sample has in place of its own."""
    layers, names = split_layers(dataset, sample, labels), layer_labels(dataset.labels).names
    masks = [folder / "masks" / f"{n}" / f"{sample.id}.png" for n in range(1, len(names) + 1)]
    for place, mask in enumerate(masks):
        write_image(mask, layer_values(layers[..., place]))
    return {"masks": tuple(masks), "classes": names}


_ABOUT = "PNG masks of classes, lists of objects, a manifest and a data.yaml"
MASKS = Writer(
    "masks",
    _ABOUT,
    _write,
    objects=True,
    crowds=True,
    overlaps=True,
    cases=True,
    spacing=True,
    facts=True,
)
