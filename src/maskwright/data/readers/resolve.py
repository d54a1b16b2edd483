"""READERS, and what they make of a place: which of them is surest, and the samples it lists."""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from maskwright.data.readers.annotations.coco import COCO
from maskwright.data.readers.annotations.geojson import GEOJSON
from maskwright.data.readers.annotations.run_lengths import RUN_LENGTHS
from maskwright.data.readers.annotations.tools.cvat import CVAT
from maskwright.data.readers.annotations.tools.label_studio import LABEL_STUDIO
from maskwright.data.readers.annotations.tools.labelme import LABELME, LABELME_FOLDERS
from maskwright.data.readers.annotations.tools.supervisely import SUPERVISELY
from maskwright.data.readers.annotations.voc import VOC_XML
from maskwright.data.readers.annotations.yolo import YOLO, is_yolo
from maskwright.data.readers.base import Layout, Place, Reader, Recognition, Rival
from maskwright.data.readers.description import FILE_NAMES, Description, read_description
from maskwright.data.readers.folders.doubts import names_apart
from maskwright.data.readers.folders.reader import FOLDERS
from maskwright.data.readers.folders.roles import image_folders
from maskwright.data.readers.leftovers import doubt_left_out
from maskwright.data.readers.manifest import MANIFEST
from maskwright.data.readers.published.ade20k import ADE20K
from maskwright.data.readers.published.cityscapes import CITYSCAPES
from maskwright.data.readers.split_manifests import SPLIT_MANIFESTS
from maskwright.data.readers.splits.split_doubts import SPLIT_DOUBTS
from maskwright.data.readers.splits.split_files import divide, split_as_stated
from maskwright.data.readers.tfds import TFDS
from maskwright.data.readers.volumes.arrays import ARRAYS
from maskwright.data.readers.volumes.dicom_reader import DICOM
from maskwright.data.readers.volumes.nifti_reader import NIFTI
from maskwright.data.readers.volumes.nnunet import NNUNET
from maskwright.data.samples import Note, Sample, counted, join_words, missing_classes
from maskwright.errors import DataError

_DOUBT = 0.5  # confidence from which a reader that is not taken is named
_ANNOTATION_SUFFIXES = {".json", ".txt", ".xml", ".csv", ".mat", ".npy", ".npz"}
_ANNOTATION_SUFFIXES |= {".nii", ".gz", ".dcm", ".h5", ".hdf5"}
_EXPECTED = (
    "folders such as images/ and masks/ (or labels/, gt/, train/ and trainannot/) with files of "
    "equal names, x.jpg beside x_mask.png, or a folder of masks for each image or class"
)
_HOW_TO_STATE = (
    "State it: open a CSV file with the header `image,mask` and one row for each image, or put a "
    "data.yaml with `images: FOLDER` and `masks: FOLDER` beside the data."
)


def _recognize_yaml(place: Place) -> Recognition | None:
    file = None if place.description is not None else _yaml_of(place.path)
    return None if file is None else Recognition(1.0, file.name, partial(_read_yaml, file))


def _yaml_of(path: Path) -> Path | None:
    """The file itself, or the one in a folder, where it is a data.yaml of ours."""
    for file in [path / name for name in FILE_NAMES] if path.is_dir() else [path]:
        is_yaml = file.suffix.lower() in {".yaml", ".yml"} and file.is_file()
        if is_yaml and not is_yolo(file):
            return file
    return None


def _with_yaml_beside(place: Place, notes: list[Note]) -> Place:
    """Place with what the data.yaml beside an opened file states, if it is on that file.

    A note where it states other places, and is not used.
    """
    path = place.path
    if not path.is_file() or _yaml_of(path) is not None:
        return place
    roots = [path.parent, *[path.parent.parent] * (path.parent.name == "annotations")]
    if not (file := next(filter(None, map(_yaml_of, roots)), None)):
        return place
    described = _read_yaml(file)
    root, description = described.path, described.description or Description()
    listed = description.manifest
    here = description.images is None and description.masks is None
    if listed is not None and (root / listed).resolve() == path.resolve():
        return described
    if here and listed is None and root.resolve() in {each.resolve() for each in roots}:
        return Place(place.source, description.model_copy(update={"annotations": None}))
    text = f"{file} states other places than {path.name}, and is not used."
    notes.append(Note("unused_yaml", text))
    return place


def _read_yaml(path: Path) -> Place:
    description = read_description(path)
    root = path.parent / description.root if description.root != "." else path.parent
    if not root.is_dir():
        raise DataError(f"{path} states the root {description.root}, but {root} is no folder.")
    return Place(str(root), description)


DATA_YAML = Reader("data.yaml", "a data.yaml", _recognize_yaml)

READERS: tuple[Reader, ...] = (
    *(TFDS, DATA_YAML, RUN_LENGTHS, MANIFEST, SPLIT_MANIFESTS),
    *(NNUNET, CITYSCAPES, ADE20K),
    *(YOLO, COCO, LABELME, LABELME_FOLDERS, CVAT, LABEL_STUDIO, SUPERVISELY, GEOJSON, VOC_XML),
    *(NIFTI, DICOM, ARRAYS),
    FOLDERS,
)
"""Formats, the quick to recognize first; of two that are equally sure, the first is taken."""


def list_samples(source: str | Path) -> tuple[Place, Layout]:
    """Recognize what `open_dataset` is given, and list its samples; `DataError` if it has none."""
    stated = None  # as people wrote it: what is converted is described otherwise
    notes: list[Note] = []
    place = _with_yaml_beside(Place(str(source)), notes)
    origin = place.path
    # A table or file of annotations that is opened itself need not be on all that lies beside it.
    whole = origin.is_dir() or _yaml_of(origin) is not None
    rivals: list[Rival] = []
    while isinstance(result := _read(place, notes, rivals), Place):  # converted, or elsewhere
        place = result
        stated = stated or place.description if not place.title else stated
        origin = origin if place.title else place.path
    layout = result
    layout.rivals = rivals
    layout.name = place.title or layout.name
    layout.notes += [*place.notes, *notes]
    if not place.title:
        layout.notes += missing_classes([sample.classes for sample in layout.samples], "image")
    elif origin.exists() and not (place.description and place.description.classes):
        # Below, those of other formats may lie.
        layout.find_names(origin if origin.is_dir() else origin.parent, 0 if rivals else 2)
    layout.doubts += place.doubts
    _divide(origin if whole else None, place, layout)
    doubt_left_out(layout, stated or Description())
    if not layout.samples:
        reason = layout.skipped[0].message if layout.skipped else "it lists none"
        raise DataError(f"{place.path} holds no usable sample; the first reason: {reason}.")
    return place, layout


def _divide(root: Path | None, place: Place, layout: Layout) -> None:
    """Splits as data.yaml states them, else of a manifest, else of what lies below the root."""
    stated = place.description or Description()
    if stated.splits is not None:
        layout.doubts = [doubt for doubt in layout.doubts if doubt.code not in SPLIT_DOUBTS]
        split_as_stated(place.path, layout, stated.splits)
        return
    by_people = layout.name.startswith("manifest") and any(s.split for s in layout.samples)
    if root is not None and not by_people:
        divide(root, layout)


def list_rival(rival: Rival) -> tuple[list[Sample], list[str]]:
    """Samples of a format that was not taken, drawn as labels, and names; none of other masks."""
    place = rival.found.read()
    if not isinstance(place, Place) or not place.title or place.description is None:
        return [], []
    layout = _read(place, [], [])
    samples = layout.samples if isinstance(layout, Layout) else []
    return samples, place.description.classes or []


def _read(place: Place, notes: list[Note], rivals: list[Rival]) -> Layout | Place:
    """What the surest reader makes of a place; adds what others recognize, with a note on each."""
    candidates: list[tuple[Reader, Recognition]] = []
    for reader in READERS:
        if recognition := reader.recognize(place):
            candidates.append((reader, recognition))
            if recognition.confidence == 1:
                break
    if not candidates:
        raise DataError(_not_recognized(place))
    surest, recognition = max(candidates, key=lambda candidate: candidate[1].confidence)
    if recognition.confidence < 1:
        without = {"classes": None, "colors": None}  # others have classes of their own
        own = place.description and place.description.model_copy(update=without)
        others = [
            Rival(reader.name, reader.recognize(replace(place, description=own)) or found)
            for reader, found in candidates
            if reader is not surest and found.confidence >= _DOUBT
        ]
        rivals += others
        notes += [
            Note(
                "several_formats",
                f"{place.path} was recognized as {surest.name} ({recognition.reason}), and also as "
                f"{name} ({found.reason}), which is not used; open its file, or state the "
                f"places of images and masks in data.yaml, to use it.",
            )
            for name, found in others
        ]
    return recognition.read()


def _not_recognized(place: Place) -> str:
    """What was expected, what is there, and what to do."""
    path = place.path
    expected = join_words([r.source for r in reversed(READERS) if r.source], " or ")
    if not path.exists():
        return f"{path} does not exist; expected {expected}."
    if not path.is_dir():
        return f"{path} is no data set; expected {expected}. {_HOW_TO_STATE}"
    folders = image_folders(path)
    contents = [
        f"{counted(len(folder.files), 'image')} in {folder.path.relative_to(path).as_posix()}/"
        for folder in folders[:6]
    ]
    if len(folders) > 6:
        contents.append(f"{len(folders) - 6} more folders with images")
    endings = (file.suffix.lower() for file in path.rglob("*"))
    others = Counter(suffix for suffix in endings if suffix in _ANNOTATION_SUFFIXES)
    contents += [counted(count, f"{suffix} file") for suffix, count in others.most_common(4)]
    found = f"No image with a mask was recognized in {path}: {', '.join(contents) or 'no images'}."
    if advice := names_apart(path, place.description or Description()):
        return f"{found} {advice}"
    if others[".txt"] > 3 or others[".xml"] > 3:
        found += " Its text or XML files are in no format of annotations that is known: draw what "
        found += "they hold into one PNG of labels for each image."
    lists = (FOLDERS, MANIFEST, SPLIT_MANIFESTS, DATA_YAML, TFDS)
    formats = join_words([r.name for r in reversed(READERS) if r not in lists], " and ")
    return f"{found} Expected {_EXPECTED}; other formats are {formats}. {_HOW_TO_STATE}"
