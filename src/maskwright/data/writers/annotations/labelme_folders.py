"""Writer of folders as labelme_json_to_dataset makes them: an image, its labels, their names."""

import shutil
from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.encodings.class_map import voc_color
from maskwright.data.samples import Sample
from maskwright.data.writers.annotations.annotation_files import (
    for_each_image,
    split_of,
    write_settings,
)
from maskwright.data.writers.annotations.image_objects import (
    ImageObjects,
    class_names,
)
from maskwright.data.writers.base import Writer
from maskwright.errors import DataError
from maskwright.imageio import make_folder, write_image, write_mask, write_text


def _write(dataset: DataSet, folder: Path) -> None:
    names = ["_background_", *class_names(dataset).values()]
    values = np.zeros(256, np.int32)
    for value, label in enumerate(class_names(dataset), start=1):
        values[label] = value
    colors = [voc_color(label) for label in range(len(names))]

    def write_sample(sample: Sample, _scene: ImageObjects) -> None:
        place = folder / split_of(sample) / f"{sample.id}_json"
        make_folder(place)
        if sample.image.suffix.lower() == ".png":
            shutil.copyfile(sample.image, place / "img.png")
        else:
            image, _, gap = dataset.read_with_gaps(sample)
            if gap is not None:
                raise DataError(
                    f"{sample.image} has pixels without data, which a PNG of LabelMe cannot hold; "
                    f"write masks, voc, coco or labelme."
                )
            write_image(place / "img.png", image)
        write_mask(place / "label.png", values[dataset.read_mask(sample)], colors)
        write_text(place / "label_names.txt", "".join(f"{name}\n" for name in names))

    for_each_image(dataset, "a folder of LabelMe", write_sample)
    write_settings(dataset, folder)


LABELME_FOLDERS_WRITER = Writer(
    "labelme-folders", "LabelMe folders with label.png", _write, shapes=True
)
