"""Reader of YOLO's text files: a class and a polygon, in fractions of the image, on each line."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from maskwright.data.readers.annotations.base import AnnotatedImage, AnnotatedObject, Annotations
from maskwright.data.readers.annotations.doubts import settle_unannotated
from maskwright.data.readers.annotations.files import files_below, sample_below, split_in
from maskwright.data.readers.annotations.format import AnnotationFormat, Source
from maskwright.data.readers.annotations.shapes import Box, Polygons
from maskwright.data.readers.annotations.yolo_lines import is_rectangle, read_lines
from maskwright.data.readers.splits.split_words import SPLIT_WORDS
from maskwright.data.samples import Doubt, Note, counted
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import IMAGE_SUFFIXES, natural_key, read_yaml

_YAML = frozenset({".yaml", ".yml"})
_NAME_FILES = ("classes.txt", "obj.names")
_LINE = re.compile(r"\d+(?:\s+-?\d*\.?\d+(?:[eE][-+]?\d+)?){4,}\s*")
_FEW = 4  # objects that may be quadrangles by chance


def is_yolo(path: Path) -> bool:
    """Whether a YAML file is the data.yaml of YOLO, which names splits and classes by its keys."""
    try:
        content = read_yaml(path)
    except ConfigError:
        return False
    keys = content.keys() if isinstance(content, dict) else set()
    return bool(keys & {"names", "nc"}) and bool(keys & {"train", "val", "test"})


def _yaml_of(path: Path) -> Path | None:
    files = [path]
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in _YAML)
    return next((p for p in files if p.suffix.lower() in _YAML and is_yolo(p)), None)


def _recognize(path: Path) -> tuple[float, str] | None:
    if not path.exists():
        return None
    if file := _yaml_of(path):
        return 0.95, file.name
    if path.is_dir():
        for file in sample_below(path, {".txt"}):
            if _in_labels(file) and _is_labels(file):
                return 0.85, f"{file.parent.name}/{file.name}"
    return None


def _in_labels(path: Path) -> bool:
    return path.suffix.lower() == ".txt" and "labels" in path.parent.parts[-3:]


def _is_labels(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return _LINE.fullmatch(file.readline()) is not None
    except (OSError, UnicodeDecodeError):
        return False


def _read(source: Source) -> Annotations:
    yaml = next((file for file in source.files if file.suffix.lower() in _YAML), None)
    yaml = yaml if source.stated or len(source.files) == 1 else _yaml_of(source.root)
    content = read_yaml(yaml) if yaml else {}
    if "kpt_shape" in content:
        raise DataError(f"{yaml} is of YOLO's pose format, whose keypoints are no masks.")
    names = _names(source, content)
    annotations = Annotations(classes=list(names.values()))
    if not names:
        text = "No file names the classes, which are called by their numbers; expected classes.txt."
        annotations.remarks.append(Note("no_class_names", text))
    without, quadrangles, number = [], 0, 0
    unused = {file for file in source.files if _in_labels(file) and file.name not in _NAME_FILES}
    listed = list(_images(source, yaml, content))
    uses = Counter(_labels_of(path) for path in {path for path, _ in listed})
    for path, split in listed:
        labels = _labels_of(path)
        unused.discard(labels)
        annotations.known.add(path)
        if uses[labels] > 1:  # of x.png and x.jpg, nobody knows which is meant
            annotations.skip("ambiguous_images", path.name)
            continue
        image = AnnotatedImage(path, [], split)
        if not labels.is_file():
            without.append(image)
            continue
        try:
            for each in read_lines(labels, path, names):
                image.objects.append(each)
                quadrangles += isinstance(each.shape, Polygons) and is_rectangle(each.shape)
                number += 1
        except DataError as error:
            annotations.skip("broken_annotations", str(error))
            continue
        annotations.images.append(image)
    for file in sorted(unused):
        annotations.skip("missing_images", f"image of {file.name}")
    settle_unannotated(annotations, without, source.description.unannotated, "without a label file")
    boxes = "draw" if content.get("task") == "segment" else source.description.boxes
    if quadrangles == number > _FEW and boxes is None:
        annotations.remarks.append(_oriented_boxes(number))
    elif quadrangles == number > _FEW and boxes != "draw":
        _make_boxes(annotations)
    return annotations


YOLO = AnnotationFormat(
    "YOLO segmentation",
    "a data.yaml of YOLO",
    _YAML | {".txt"},
    _recognize,
    _read,
).reader()


def _names(source: Source, content: Mapping[str, Any]) -> dict[int, str]:
    """Names of the classes by their numbers; none where no file states them."""
    names = content.get("names")
    if names is None:
        folders = [source.root, *sorted({file.parent for file in source.files})]
        paths = [folder / name for folder in folders for name in _NAME_FILES]
        file = next((path for path in paths if path.is_file()), None)
        names = file.read_text(encoding="utf-8-sig").split("\n") if file else []
        names = [name.strip() for name in names if name.strip()]
    items = names.items() if isinstance(names, dict) else enumerate(names)
    return {int(number): str(name) for number, name in items}


def _images(
    source: Source, yaml: Path | None, content: Mapping[str, Any]
) -> Iterator[tuple[Path, str | None]]:
    """Images with the splits of the YAML file; without one, those with labels, by folder names."""
    splits = [key for key in content if key in SPLIT_WORDS and content[key]]
    if yaml is None or not splits:
        for path in source.images.paths:
            words = [part.casefold() for part in path.relative_to(source.root).parts[:-1]]
            if "images" in words or _labels_of(path).is_file():
                yield path, split_in(path, source.root)
        return
    above = yaml.parent / str(content.get("path") or ".")
    for key in splits:
        entries = content[key] if isinstance(content[key], list) else [content[key]]
        paths = [path for entry in entries for path in _listed(source, yaml, above, str(entry))]
        if not paths and key != "test":
            raise DataError(f"{yaml} states {key}: {content[key]}, where there is no image.")
        yield from ((path, SPLIT_WORDS[key]) for path in paths)


def _listed(source: Source, yaml: Path, above: Path, entry: str) -> list[Path]:
    """Images of a folder or list, whose place tools state from several folders."""
    bare = re.sub(r"^(\.\.?[/\\])+", "", entry)
    for place in (above / entry, yaml.parent / entry, yaml.parent / bare, source.root / bare):
        if place.is_dir():
            return files_below(place, IMAGE_SUFFIXES)
        if place.is_file() and place.suffix == ".txt":
            lines = place.read_text(encoding="utf-8-sig").split("\n")
            paths = [
                path
                for line in lines
                if line.strip()
                for path in source.images.find(re.sub(r"^data/", "", line.strip()), place.parent)
            ]
            return sorted(set(paths), key=lambda path: natural_key(str(path)))
    return []


def _labels_of(image: Path) -> Path:
    """Label file of an image: in `labels` instead of the last `images` of its path, or beside."""
    before, images, after = str(image).rpartition(f"{os.sep}images{os.sep}")
    path = Path(f"{before}{os.sep}labels{os.sep}{after}") if images else image
    return path.with_suffix(".txt")


def _oriented_boxes(number: int) -> Doubt:
    return Doubt(
        "oriented_boxes",
        f"All of {counted(number, 'object')} are rectangles: they may be the outlines, or boxes "
        f"of YOLO's oriented boxes, which are written alike.",
        "Write a data.yaml of Maskwright, named otherwise: `boxes: draw` draws them as the "
        "objects, `boxes: ignore` ignores their pixels, `boxes: skip` leaves their images out.",
    )


def _make_boxes(annotations: Annotations) -> None:
    for image in annotations.images:
        image.objects[:] = [
            AnnotatedObject(each.class_name, Box(each.shape.parts[0][0]), each.name)
            for each in image.objects
            if isinstance(each.shape, Polygons)
        ]
