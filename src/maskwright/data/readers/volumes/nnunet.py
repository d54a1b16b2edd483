"""Reader of nnU-Net raw data sets, and of the Medical Segmentation Decathlon, their forerunner."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.description import OWN_LAYOUT, Description
from maskwright.data.readers.stated_encoding import IGNORE
from maskwright.data.readers.volumes.nifti import SUFFIXES, open_nifti
from maskwright.data.readers.volumes.nifti_reader import common_plane, volume_of
from maskwright.data.readers.volumes.volume import (
    SliceReader,
    Volume,
    integer_labels,
    write_volumes,
)
from maskwright.data.samples import Doubt, Note, counted, first_few
from maskwright.errors import DataError
from maskwright.imageio import natural_key, read_header, read_image, read_mask

_FORMAT = 1  # of the files written; another number has them written anew
DATASET_FILE = "dataset.json"
CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")
"""Stem of the file of a channel."""
_SPLITS = {"train": ("imagesTr", "labelsTr"), "test": ("imagesTs", "labelsTs")}


@dataclass(frozen=True)
class _Case:
    """Files of a case: one for each channel, or one that holds all, and the labels."""

    name: str
    split: str
    channels: tuple[Path, ...]
    labels: Path


def _recognize(place: Place) -> Recognition | None:
    stated = place.description.model_fields_set if place.description else set()
    if stated & OWN_LAYOUT or not place.path.is_dir():
        return None
    inner = sorted(file.parent for file in place.path.glob(f"*/{DATASET_FILE}"))
    found = {root: content for root in (place.path, *inner) if (content := _content(root))}
    if not found:
        return None
    (root, content), *others = found.items()
    if others and root != place.path:
        names = first_few([root.name for root in found], 4)
        raise DataError(
            f"{place.path} holds several data sets of nnU-Net, {names}, each with classes of its "
            f"own; open one of them."
        )
    return Recognition(1.0, DATASET_FILE, partial(_read, replace(place, source=str(root)), content))


NNUNET = Reader("nnU-Net", "a raw data set of nnU-Net", _recognize)


def _content(root: Path) -> dict[str, Any]:
    """Content of the dataset.json with labels of a data set; empty where there is none."""
    if not all((root / name).is_dir() for name in _SPLITS["train"]):
        return {}
    try:
        content = json.loads((root / DATASET_FILE).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    is_ours = isinstance(content, dict) and isinstance(content.get("labels"), dict)
    return content if is_ours else {}


def _read(place: Place, content: dict[str, Any]) -> Place:
    cases = list(_cases(place.path, content))
    if not cases:
        raise DataError(
            f"{place.path} has no file in labelsTr with the images CASE_0000{_ending(content)} in "
            f"imagesTr; expected the raw data of nnU-Net, or another file_ending in dataset.json."
        )
    files = [file for case in cases for file in (*case.channels, case.labels)]
    sources = [place.path / DATASET_FILE, *files]
    write = partial(_write, place, content, cases)
    return convert(place, NNUNET.name, _FORMAT, sources, write, anonymous=True)


def _ending(content: Mapping[str, Any]) -> str:
    ending = content.get("file_ending", SUFFIXES[0])
    return ending if isinstance(ending, str) and ending.startswith(".") else SUFFIXES[0]


def _channels(content: Mapping[str, Any]) -> int:
    """Number of channels that a dataset.json names, at least 1."""
    named = content.get("channel_names", content.get("modality"))
    return max(1, len(named)) if isinstance(named, dict) else 1


def _cases(root: Path, content: Mapping[str, Any]) -> Iterator[_Case]:
    """Cases with labels; `DataError` where a channel of one is missing."""
    ending, number = _ending(content), _channels(content)
    for split, (images, labels) in _SPLITS.items():
        if not (root / labels).is_dir():
            continue
        for file in sorted((root / labels).iterdir(), key=lambda path: natural_key(path.name)):
            if not file.name.endswith(ending) or file.name.startswith("."):
                continue
            name = file.name[: -len(ending)]
            expected = [root / images / f"{name}_{n:04}{ending}" for n in range(number)]
            present = [path for path in expected if path.is_file()]
            whole = root / images / file.name
            if not present and whole.is_file():  # as in the Decathlon
                yield _Case(name, split, (whole,), file)
            elif len(present) == number or (len(present) == 1 and ending not in SUFFIXES):
                yield _Case(name, split, tuple(present), file)
            else:
                missing = next(path for path in expected if path not in present)
                raise DataError(
                    f"{missing} is missing; dataset.json names {counted(number, 'channel')}, and "
                    f"{file} is the mask of this case."
                )


def _write(
    place: Place, content: dict[str, Any], cases: Sequence[_Case], folder: Path
) -> list[Note | Doubt]:
    description = place.description or Description()
    classes, remarks = _stated(content, description)
    stated = {"encoding": "indices", **classes}
    if _ending(content) in SUFFIXES:
        several = _channels(content) > 1
        files = [[open_nifti(path, channels=several) for path in case.channels] for case in cases]
        for each in files:
            if (present := sum(file.shape[3] for file in each)) != _channels(content):
                raise DataError(
                    f"{each[0].path} has {counted(present, 'channel')}, but dataset.json names "
                    f"{_channels(content)}; expected as many."
                )
        plane, found = common_plane([each[0] for each in files], description.plane)
        remarks += found
        volumes = [
            volume_of(each, (case.labels,), case.name, plane, case.name, case.split)
            for each, case in zip(files, cases, strict=True)
        ]
    else:
        volumes = [_stack(case) for case in cases]
    if description.overlap is not None and (regions := _regions(content)):
        volumes = [
            replace(v, read=partial(_read_regions, v.read, [*regions.values()]), planes=[*regions])
            for v in volumes
        ]
        stated = {"classes": ["background", *regions]}
    return [*remarks, *write_volumes(folder, volumes, stated, ["Raw data of nnU-Net."])]


def _stated(
    content: Mapping[str, Any], description: Description
) -> tuple[dict[str, Any], list[Note | Doubt]]:
    """Keys of a data.yaml on the classes in a dataset.json, of its version 1 or 2."""
    labels = content["labels"]
    if all(str(key).isdecimal() for key in labels):
        labels = {str(name): int(value) for value, name in labels.items()}
    if description.values is not None:
        return {}, []
    regions = {name: value for name, value in labels.items() if isinstance(value, list)}
    if regions and description.overlap is not None and IGNORE not in labels:
        return {}, []
    if regions:
        name, value = next(iter(regions.items()))
        return {}, [
            Doubt(
                "regions",
                f"dataset.json states regions that overlap, as {name} of the labels {value}; each "
                f"pixel has one class here.",
                "Write `overlap: multilabel` into data.yaml if a pixel may belong to several, or "
                "name the classes of the single labels, as in `values: {0: background, 1: edema, "
                "2: core}`.",
            )
        ]
    if not all(isinstance(v, int) and not isinstance(v, bool) and v >= 0 for v in labels.values()):
        raise DataError(
            f"dataset.json has the labels {labels}; expected names of classes with whole numbers."
        )
    ordered = sorted(labels, key=lambda name: labels[name])
    classes = [name for name in ordered if name != IGNORE]
    return {"classes": classes, "values": {labels[name]: name for name in ordered}}, []


def _regions(content: Mapping[str, Any]) -> dict[str, list[int]]:
    """Labels of each region, if some regions have several."""
    labels = {str(name): value for name, value in content["labels"].items()}
    if not any(isinstance(value, list) for value in labels.values()):
        return {}
    sets = {
        name: [*value] if isinstance(value, list) else [value] for name, value in labels.items()
    }
    return {name: values for name, values in sets.items() if values != [0]}


def _read_regions(read: SliceReader, regions: Sequence[Sequence[int]]) -> Any:
    """Slices, and a plane for each region."""
    slices, labels = read()
    return slices, np.stack([np.isin(np.asarray(labels), each) for each in regions], axis=-1)


def _stack(case: _Case) -> Volume:
    """Volume of a case in image files: PNG, BMP, or TIFF of one or more pages."""
    if case.labels.suffix.lower() in (".tif", ".tiff"):
        with tifffile.TiffFile(case.channels[0]) as tiff:
            kind = tiff.pages[0].dtype.name
    else:
        kind = read_header(case.channels[0]).dtype
    dtype = kind if kind in ("uint8", "uint16") else "float32"
    return Volume(case.name, case.name, partial(_read_stack, case), dtype, split=case.split)


def _read_stack(case: _Case) -> tuple[np.ndarray, np.ndarray]:
    slices = np.concatenate([_pages(path) for path in case.channels], axis=3)
    if case.labels.suffix.lower() in (".tif", ".tiff"):
        return slices, integer_labels(_pages(case.labels)[..., 0], case.labels)
    return slices, integer_labels(read_mask(case.labels).values, case.labels)[None]


def _pages(path: Path) -> np.ndarray:
    """Pixels `(n, h, w, c)` of an image file, with all pages of a TIFF."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        return read_image(path)[None]
    try:
        with tifffile.TiffFile(path) as tiff:
            axes, pixels = tiff.series[0].axes, tiff.series[0].asarray()
    except Exception as error:  # damaged files raise almost anything
        raise DataError(f"{path} cannot be read ({type(error).__name__}); copy it again.") from None
    if axes.endswith("S"):
        return pixels.reshape(-1, *pixels.shape[-3:])
    return pixels.reshape(-1, *pixels.shape[-2:])[..., None]
