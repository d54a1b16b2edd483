"""Writer of PNG masks of classes beside the images, with a manifest and a data.yaml."""

from dataclasses import replace
from pathlib import Path

from maskwright.data.dataset import DataSet
from maskwright.data.readers.description import described_labels
from maskwright.data.readers.manifest import write_described
from maskwright.data.samples import Sample
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import copy_image, for_each_sample, orientation_key
from maskwright.imageio import write_mask, write_text
from maskwright.labels import IGNORE_LABEL


def _write(dataset: DataSet, folder: Path) -> None:
    def write(sample: Sample) -> Sample:
        image = copy_image(sample, folder / "images")
        mask, objects = folder / "masks" / f"{sample.id}.png", None
        write_mask(mask, dataset.read_mask(sample), dataset.labels.colors)
        if dataset.instances:
            objects = folder / "instances" / f"{sample.id}.json"
            write_text(objects, dataset.read_objects(sample).to_json())
        return replace(sample, image=image, masks=(mask,), instances=objects)

    samples = for_each_sample(dataset, write)
    stated = described_labels(dataset.labels) | {
        "ignore": [IGNORE_LABEL],
        **orientation_key(dataset),
    }
    write_described(folder, samples, stated, [f"Converted from {dataset.layout}."])


_ABOUT = "PNG masks of classes, lists of objects, a manifest and a data.yaml"
MASKS = Writer("masks", _ABOUT, _write, objects=True, cases=True, facts=True)
