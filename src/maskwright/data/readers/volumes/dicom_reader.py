"""Reader of DICOM series with segmentations (SEG) or contours (RTSTRUCT), which become slices."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.description import Description, described_labels
from maskwright.data.readers.volumes.dicom_masks import MaskFile, frame_masks, open_mask_file
from maskwright.data.readers.volumes.dicom_series import (
    MASK_MODALITIES,
    Series,
    by_path,
    dicom_files,
    list_series,
    modality_of,
)
from maskwright.data.readers.volumes.volume import Volume, write_volumes
from maskwright.data.samples import Doubt, Note, counted, examples, first_few, yaml_line
from maskwright.errors import ConfigError, DataError
from maskwright.imageio.dicom.files import read_dicom
from maskwright.imageio.dicom.image import dicom_frame
from maskwright.labels import BACKGROUND_NAMES, Labels

_FORMAT = 1  # of the files written; another number has them written anew


def _recognize(place: Place) -> Recognition | None:
    description = place.description or Description()
    if not place.path.is_dir() or description.manifest is not None:
        return None
    files = list(dicom_files(place.path))
    masks = _selected(place.path, files, description.masks_place)
    if not any(modality_of(path) in MASK_MODALITIES for path in masks):
        return None
    images = _selected(place.path, files, description.images)
    confidence = 1.0 if description.images or description.masks else 0.9
    read = partial(_read, place, sorted({*images, *masks}, key=files.index))
    return Recognition(confidence, "SEG or RTSTRUCT files", read)


DICOM = Reader(
    "DICOM",
    "a folder of DICOM series",
    _recognize,
)


def _selected(root: Path, files: Sequence[Path], pattern: str | None) -> list[Path]:
    """Files in a folder, or that a pattern matches; all without one."""
    if pattern is None:
        return list(files)
    if (root / pattern).is_dir():
        return [file for file in files if file.is_relative_to(root / pattern)]
    matching = set(root.glob(pattern))
    return [file for file in files if file in matching]


def _read(place: Place, files: Sequence[Path]) -> Place:
    return convert(place, DICOM.name, _FORMAT, files, partial(_write, place, files), anonymous=True)


@dataclass
class _Drawing:
    """Classes in the order of drawing, each `apart` where overlaps are stated, and their pixels."""

    names: tuple[str, ...]
    is_stated: bool
    apart: bool
    areas: Counter[str] = field(default_factory=Counter)
    overlaps: Counter[tuple[str, str]] = field(default_factory=Counter)


def _write(place: Place, files: Sequence[Path], folder: Path) -> list[Note | Doubt]:
    description = place.description or Description()
    series, faults = list_series(files)
    series_of = {frame.instance: each.uid for each in series for frame in each.frames}
    masks = []
    for path in _selected(place.path, files, description.masks_place):
        if modality_of(path) in MASK_MODALITIES:
            try:
                masks.append(open_mask_file(path, series_of))
            except DataError as error:
                faults.append(str(error))
    drawing, remarks = _classes(masks, description)
    annotated = [each for each in series if any(each.uid in mask.series for mask in masks)]
    if not annotated:
        first = f" The first fault: {faults[0]}" if faults else ""
        raise DataError(
            f"{place.path} holds {counted(len(masks), 'file')} of SEG or RTSTRUCT, but none of the "
            f"images that they are on.{first}"
        )
    instances = {each: {frame.instance for frame in each.frames} for each in annotated}
    volumes = []
    for number, each in enumerate(annotated, start=1):
        here = [mask for mask in masks if each.uid in mask.series]
        remarks += _several(here, place.path)
        others = series_of.keys() - instances[each]
        read = partial(_slices, each, here, others, drawing)
        grid, case = each.grid(), each.patient or f"study {_number(series, each)}"
        id_ = f"series{number:04}"
        volume = Volume(id_, case, read, each.dtype, each.spacing_mm, grid, key=each.key)
        volumes.append(replace(volume, planes=drawing.names[1:] if drawing.apart else ()))
    stated = described_labels(Labels.create(drawing.names))
    if drawing.apart:
        stated = {"classes": list(drawing.names)}
    remarks += write_volumes(folder, volumes, stated, ["Slices of DICOM series."])
    for path in files:  # names of folders are often those of patients, and remarks are cached
        faults = [fault.replace(f"{path.parent}/", "") for fault in faults]
    return [*remarks, *_notes(series, annotated, masks, faults), *_overlaps(drawing)]


def _number(series: Sequence[Series], of: Series) -> int:
    """Number of the study of a series, from 1."""
    studies = list(dict.fromkeys(each.study for each in series))
    return studies.index(of.study) + 1


def _classes(
    masks: Iterable[MaskFile], description: Description
) -> tuple[_Drawing, list[Note | Doubt]]:
    """Classes by the names of segments, as stated, else as the files number them."""
    found = list(dict.fromkeys(name for mask in masks for name in mask.names.values()))
    found = [name for name in found if name.lower() not in BACKGROUND_NAMES]
    apart = description.overlap is not None
    if description.classes is None:
        return _Drawing(("background", *found), False, apart), []
    names = tuple(description.classes)
    if names[0].lower() not in BACKGROUND_NAMES or not set(names[1:]) <= set(found):
        raise ConfigError(
            f"data.yaml states the classes {', '.join(names)}; expected background first, then "
            f"some of {first_few(found, 12)}, in the order in which they are drawn."
        )
    left_out = [name for name in found if name not in names]
    notes: list[Note | Doubt] = []
    if left_out:
        text = f"Segments of no class that data.yaml states: {examples(left_out)}."
        notes.append(Note("unused_segments", text))
    return _Drawing(names, True, apart), notes


def _several(masks: Sequence[MaskFile], root: Path) -> list[Doubt]:
    """A doubt where several files segment the same on one series."""
    for number, mask in enumerate(masks):
        for other in masks[:number]:
            if shared := set(mask.names.values()) & set(other.names.values()):
                first, second = (each.path.relative_to(root) for each in (other, mask))
                return [
                    Doubt(
                        "several_masks",
                        f"{first} and {second} both segment {sorted(shared)[0]} on the same "
                        f"images: of several annotators, or parts of one.",
                        "Write the pattern of those to use into data.yaml, as in `masks: "
                        "'**/final*.dcm'`.",
                    )
                ]
    return []


def _slices(
    series: Series, masks: Sequence[MaskFile], others: Collection[str], drawing: _Drawing
) -> tuple[np.ndarray, np.ndarray]:
    """Slices of a series, and labels with later classes on top, or a plane for each class."""
    labels = np.zeros((len(series.frames), *series.size), np.uint8)
    drawn = [
        (drawing.names.index(name), number, inside)
        for mask in masks
        for number, name, inside in frame_masks(mask, series, others)
        if name in drawing.names
    ]
    if drawing.apart:
        planes = np.zeros((*labels.shape, len(drawing.names) - 1), np.uint8)
        for label, number, inside in drawn:
            planes[number, inside, label - 1] = 1
        return read_slices(series), planes
    for label, number, inside in sorted(drawn, key=lambda item: item[0]):
        before = labels[number][inside]
        for other in np.unique(before[(before > 0) & (before != label)]).tolist():
            pair = (drawing.names[other], drawing.names[label])
            drawing.overlaps[pair] += int((before == other).sum())
        drawing.areas[drawing.names[label]] += int(inside.sum())
        labels[number][inside] = label
    return read_slices(series), labels


def read_slices(series: Series) -> np.ndarray:
    """Pixels `(n, h, w, c)` of the frames of a series, in their order."""
    pixels: dict[tuple[Path, int], np.ndarray] = {}
    for path, frames in by_path(series.frames).items():
        file = read_dicom(path)
        for frame in frames:
            pixels[path, frame.index] = dicom_frame(path, file, frame.index)
    return np.stack([pixels[frame.path, frame.index] for frame in series.frames])


def _overlaps(drawing: _Drawing) -> list[Doubt]:
    if drawing.is_stated or drawing.apart or not drawing.overlaps:
        return []
    (first, second), count = max(drawing.overlaps.items(), key=lambda item: item[1])
    names = [drawing.names[0], *sorted(drawing.names[1:], key=lambda n: -drawing.areas[n])]
    return [
        Doubt(
            "overlapping_segments",
            f"Segments overlap, as {first} and {second} in {counted(count, 'pixel')}; each pixel "
            f"has one class here.",
            f"Write `overlap: multilabel` into data.yaml if a pixel may belong to several, or the "
            f"order in which they are drawn, later ones on top, as in {yaml_line('classes', names)}"
            f"; segments that are not named are left out.",
        )
    ]


def _notes(
    series: Sequence[Series],
    annotated: Sequence[Series],
    masks: Sequence[MaskFile],
    faults: Sequence[str],
) -> list[Note]:
    """What is told of files that are not used, and of how others were read."""
    notes = []
    if rest := len(series) - len(annotated):
        text = f"{counted(rest, 'series', 'series')} without SEG or RTSTRUCT, not used."
        notes.append(Note("unannotated_series", text))  # as scouts and other sequences are
    if faults:
        text = f"Skipped: {counted(len(faults), 'DICOM file')}, the first: {faults[0]}"
        notes.append(Note("skipped_files", text))
    if unordered := [each for each in annotated if not each.by_place and len(each.frames) > 1]:
        text = f"{counted(len(unordered), 'series', 'series')} of images without places, ordered "
        notes.append(Note("order", f"{text}by their instance numbers."))
    if any(mask.fractional for mask in masks):
        text = "Fractional segments are read as the pixels of at least half of the full value."
        notes.append(Note("fractional_segments", text))
    return notes
