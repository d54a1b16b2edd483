"""Writer of the folders of PASCAL VOC, which CVAT exports as segmentation masks, too."""

from pathlib import Path

from maskwright.data.dataset import DataSet
from maskwright.data.encodings.class_map import voc_color
from maskwright.data.readers.description import FILE_NAMES, described_labels, write_description
from maskwright.data.samples import Sample, grouped
from maskwright.data.writers.base import Writer
from maskwright.data.writers.images import (
    copy_image,
    for_each_sample,
    orientation_key,
    require_usual_splits,
)
from maskwright.imageio import write_mask, write_text
from maskwright.labels import IGNORE_LABEL, Labels


def _write(dataset: DataSet, folder: Path) -> None:
    require_usual_splits(dataset, "VOC")
    names = dataset.labels.names
    labels = Labels.create(names, [voc_color(label) for label in range(len(names))])

    def write(sample: Sample) -> None:
        copy_image(sample, folder / "JPEGImages")
        mask = dataset.read_mask(sample)
        write_mask(folder / "SegmentationClass" / f"{sample.id}.png", mask, labels.colors)

    for_each_sample(dataset, write)
    lists = folder / "ImageSets" / "Segmentation"
    for split, samples in grouped(dataset.samples, lambda s: s.split or "train").items():
        write_text(lists / f"{split}.txt", "".join(f"{sample.id}\n" for sample in samples))
    lines = [
        f"{name}:{','.join(map(str, color))}::"
        for name, color in zip(names, labels.colors, strict=True)
    ]
    header = "# label:color_rgb:parts:actions"
    write_text(folder / "labelmap.txt", "\n".join([header, *lines]) + "\n")
    stated = {"images": "JPEGImages", "masks": "SegmentationClass", **described_labels(labels)}
    remark = f"Converted from {dataset.layout}."
    write_description(
        folder / FILE_NAMES[0],
        stated | {"ignore": [IGNORE_LABEL], **orientation_key(dataset)},
        [remark],
    )


VOC_WRITER = Writer("voc", "folders of PASCAL VOC, masks of classes", _write)
