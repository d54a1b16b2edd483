"""WRITERS, and the conversion of a data set by one of them."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, count
from pathlib import Path

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.layers import require_one_class
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample, counted, examples
from maskwright.data.writers.annotations.coco import COCO_WRITERS
from maskwright.data.writers.annotations.cvat import CVAT_WRITER
from maskwright.data.writers.annotations.geojson import GEOJSON_WRITER
from maskwright.data.writers.annotations.image_objects import count_unlisted
from maskwright.data.writers.annotations.label_studio import LABEL_STUDIO_WRITERS
from maskwright.data.writers.annotations.labelme import LABELME_WRITER
from maskwright.data.writers.annotations.labelme_folders import LABELME_FOLDERS_WRITER
from maskwright.data.writers.annotations.run_lengths import RUN_LENGTHS_WRITER
from maskwright.data.writers.annotations.supervisely import SUPERVISELY_WRITER
from maskwright.data.writers.annotations.yolo import YOLO_WRITER
from maskwright.data.writers.base import Writer
from maskwright.data.writers.masks import MASKS
from maskwright.data.writers.published.ade20k import ADE20K
from maskwright.data.writers.published.cityscapes import CITYSCAPES
from maskwright.data.writers.voc import VOC_WRITER
from maskwright.data.writers.volumes.arrays import HDF5, NPZ
from maskwright.data.writers.volumes.dicom_seg import DICOM_SEG
from maskwright.data.writers.volumes.nifti import NIFTI
from maskwright.data.writers.volumes.nnunet import NNUNET
from maskwright.data.writers.volumes.slices import sample_volumes
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import atomic_folder

_ANNOTATIONS = (
    *(VOC_WRITER, *COCO_WRITERS, YOLO_WRITER, LABELME_WRITER, CVAT_WRITER),
    LABELME_FOLDERS_WRITER,
    *(*LABEL_STUDIO_WRITERS, SUPERVISELY_WRITER, RUN_LENGTHS_WRITER, GEOJSON_WRITER),
)
_VOLUMES = (NIFTI, DICOM_SEG, NNUNET, NPZ, HDF5)
_PUBLISHED = (CITYSCAPES, ADE20K)
_WRITERS = (MASKS, *_ANNOTATIONS, *_VOLUMES, *_PUBLISHED)

# Characters of ids that some format, or the name of a file in it, cannot hold.
_ODD = re.compile(r"[^\w .()-]|^[ .-]+")

WRITERS: Mapping[str, Writer] = {writer.name: writer for writer in _WRITERS}
"""Formats by the name that `maskwright convert --to` takes."""


def convert_dataset(
    dataset: DataSet, out: Path, to: str, *, ignored_as_background: bool = False
) -> list[str]:
    """Write a data set in a format into a new folder, which appears when it is complete.

    Args:
        ignored_as_background: Whether pixels that are ignored become background.

    Returns:
        What the format does not hold, a sentence for each.

    Raises:
        ConfigError: If there is no such format, or the folder exists and is not empty.
        DataError: If the format cannot hold the data set, or a file of it cannot be read.
    """
    check_target(out, to)
    if not WRITERS[to].overlaps:
        require_one_class(dataset, f"the format {to}, unlike masks and coco,")
    if ignored_as_background:
        dataset = _without_ignored(dataset)
    if out.is_dir():
        out.rmdir()
    named = replace(dataset, samples=tuple(_with_plain_ids(dataset.samples)))
    with atomic_folder(out) as folder:
        WRITERS[to].write(named, folder)
    return [*_renamed(dataset, named), *_not_held(named, WRITERS[to], out)]


def check_target(out: Path, to: str) -> None:
    """Raise `ConfigError` where there is no such format, or the folder holds something."""
    if to not in WRITERS:
        raise ConfigError(f"There is no format {to!r} to write; expected {', '.join(WRITERS)}.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists already; name a new folder for the converted data.")


def _without_ignored(dataset: DataSet) -> DataSet:
    """The data set with pixels that are ignored as background."""
    if (background := dataset.labels.background) is None:
        raise DataError(
            f"{dataset.origin} has no class that is background, as which ignored pixels could be "
            f"written; give one the name background in data.yaml."
        )
    return replace(dataset, ignored_as=background)


def _with_plain_ids(samples: Sequence[Sample]) -> Iterator[Sample]:
    """Samples whose ids are names in tables, lists, URLs and patterns alike; files have them."""
    plain = [_ODD.sub("_", sample.id) for sample in samples]
    pairs = list(zip(samples, plain, strict=True))
    taken = {name.casefold() for sample, name in pairs if sample.id == name}
    for sample, name in pairs:
        if sample.id == name:
            yield sample
            continue
        names = chain([name], (f"{name}-{number}" for number in count(2)))
        name = next(each for each in names if each.casefold() not in taken)
        taken.add(name.casefold())
        yield replace(sample, id=name, case=name if sample.case == sample.id else sample.case)


def _renamed(before: DataSet, after: DataSet) -> Iterator[str]:
    pairs = zip(before.samples, after.samples, strict=True)
    if names := [f"{one.id} as {two.id}" for one, two in pairs if one.id != two.id]:
        yield f"Names with characters that not all formats have are changed: {examples(names)}."


def _not_held(dataset: DataSet, writer: Writer, out: Path) -> Iterator[str]:
    """What is lost, or to be known, of a data set that has been written."""
    name, samples = writer.name, dataset.samples
    if dataset.instances and not writer.objects:
        yield f"The format {name} holds classes; objects are not told apart any more."
    if dataset.instances and writer.shapes:
        count = partial(count_unlisted, dataset)
        unlisted, crowds = np.sum(list(in_threads(count, samples, "Counting objects")), axis=0)
        if unlisted:
            yield f"Pixels of classes in no object are written as {counted(unlisted, 'object')}."
        if crowds and not writer.crowds:
            yield f"The format {name} holds no crowds of COCO, only pixels that are ignored."
    if further := [other for other in writer.classes if other not in dataset.labels.names]:
        yield f"The format {name} has further classes, without a pixel: {examples(further)}."
    unknown = writer.spacing and not all(sample.spacing_mm for sample in samples)
    if unknown and any(out.rglob("*.nii.gz")):
        yield "NIfTI files state the size of pixels, 1 mm where it is not known."
    if dataset.labels.background is None and writer.shapes:
        yield f"What is in no shape of the format {name} is of a class background, which is added."
    if _cases_are_lost(dataset, writer):
        yield f"The format {name} holds no cases; splits made later may part them."
    if any(sample.spacing_mm for sample in samples) and not writer.spacing:
        yield f"The format {name} holds no size of pixels in mm; masks and nifti do."
    labeled = any(s.labels and sorted(s.labels) != sorted(s.classes) for s in samples)
    if (labeled or any(sample.weight != 1 for sample in samples)) and not writer.facts:
        yield f"The format {name} holds no weights and labels of images; masks does."
    if (out / writer.settings).is_file():
        yield f"Open {out / writer.settings}: the data.yaml of {name} cannot state all of it."


def _cases_are_lost(dataset: DataSet, writer: Writer) -> bool:
    if writer.volumes:
        volumes = sample_volumes(dataset)
        cases = Counter(case for each in volumes for case in {s.case for s in each.samples})
        return max(cases.values()) > 1
    return not writer.cases and any(sample.case != sample.id for sample in dataset.samples)
