"""Reader of CSV files of run lengths, as Kaggle's competitions publish them."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from maskwright.data.readers.annotations.base import AnnotatedImage, AnnotatedObject, Annotations
from maskwright.data.readers.annotations.doubts import settle_unannotated
from maskwright.data.readers.annotations.files import sample_below, split_in
from maskwright.data.readers.annotations.format import AnnotationFormat, Source
from maskwright.data.readers.annotations.pixel_runs import PixelRuns, check_order, in_order
from maskwright.errors import DataError

_IMAGES = ("imageid", "image_id", "img", "image", "id", "filename", "file_name", "image_name")
_RUNS = ("encodedpixels", "rle_mask", "rle", "encoding", "segmentation", "annotation", "mask")
_SURE = _RUNS[:2]  # which hold nothing else, even where all cells are empty
_CLASSES = ("classid", "class_id", "class", "label", "category", "cell_type")
_BOTH = ("imageid_classid", "image_label", "image_class")  # as x.jpg_3
_NONE = frozenset({"", "nan", "-1", "1 0"})
_MAX_CELL = 2**27


@dataclass(frozen=True)
class _Columns:
    """Places of the columns; with `both`, the class stands behind the name of the image."""

    image: int
    runs: int
    class_name: int | None
    both: bool


def _recognize(path: Path) -> tuple[float, str] | None:
    if path.is_file():
        return (1.0, path.name) if path.suffix.lower() == ".csv" and _columns(path) else None
    files = sample_below(path, {".csv"})
    file = next((file for file in files if _columns(file)), None)
    return (0.6, file.name) if file else None


def _rows(path: Path) -> Iterator[list[str]]:
    csv.field_size_limit(min(_MAX_CELL, sys.maxsize))  # one mask in a cell
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from csv.reader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table in UTF-8: {error}.") from None


def _columns(path: Path) -> _Columns | None:
    """Columns of a CSV file; `None` where it holds no run lengths, or examples of them."""
    if path.stem.casefold().startswith("sample_submission"):
        return None
    try:
        rows = _rows(path)
        header = [cell.strip().casefold() for cell in next(rows, [])]
        both = next((header.index(name) for name in _BOTH if name in header), None)
        image = next((header.index(name) for name in _IMAGES if name in header), both)
        runs = next((header.index(name) for name in _RUNS if name in header), None)
        if image is None or runs is None or image == runs:
            return None
        cells = (row[runs].strip() for row in rows if len(row) > runs)
        first = next((cell for cell in cells if cell.casefold() not in _NONE), "")
    except DataError:
        return None
    words = first.split()
    is_runs = len(words) % 2 == 0 and all(word.isdecimal() for word in words[:100])
    if not is_runs or not (words or header[runs] in _SURE):
        return None
    name = next((header.index(name) for name in _CLASSES if name in header), None)
    return _Columns(image, runs, name, both is not None and image == both)


def _read(source: Source) -> Annotations:
    annotations = Annotations()
    order = source.description.run_order
    for path in source.files:
        if columns := _columns(path):
            _read_file(source, path, columns, annotations)
    objects = [(image, each) for image in annotations.images for each in image.objects]
    rows = Counter((image.image, each.class_name) for image, each in objects)
    annotations.separate = any(count > 1 for count in rows.values())
    annotations.classes.sort(key=lambda name: (len(name), name))
    if order is None:
        annotations.remarks += check_order(annotations.images)
    else:
        for image in annotations.images:
            image.objects[:] = [in_order(each, order) for each in image.objects]
    listed = {image.image for image in annotations.images}
    folders = {path.parent for path in listed}
    others = [p for p in source.images.paths if p not in listed and p.parent in folders]
    without = [AnnotatedImage(path, [], split_in(path, source.root)) for path in others]
    fact = "in no line of the CSV file"
    settle_unannotated(annotations, without, source.description.unannotated, fact)
    return annotations


def _read_file(source: Source, path: Path, columns: _Columns, annotations: Annotations) -> None:
    objects: dict[Path, list[AnnotatedObject]] = {}
    names = source.description.values or {}
    for line, row in enumerate(_rows(path), start=1):
        if line == 1 or not any(row):
            continue
        if len(row) <= max(columns.image, columns.runs, columns.class_name or 0):
            raise DataError(f"Line {line} of {path} has {len(row)} cells, too few.")
        name, class_name = row[columns.image].strip(), "foreground"
        if columns.both:
            name, _, class_name = name.rpartition("_")
        elif columns.class_name is not None:
            class_name = row[columns.class_name].strip()
        if class_name.isdecimal():
            class_name = names.get(int(class_name), f"class {class_name}")
        paths = source.images.find(name, path.parent)
        if len(paths) != 1:
            annotations.skip("ambiguous_images" if paths else "missing_images", name)
            continue
        of_image = objects.setdefault(paths[0], [])
        text = row[columns.runs].strip()
        if text.casefold() not in _NONE and class_name:
            about = f"of line {line} of {path.name}"
            of_image.append(AnnotatedObject(class_name, PixelRuns(text), about))
            if class_name not in annotations.classes:
                annotations.classes.append(class_name)
    annotations.images += [
        AnnotatedImage(path, each, split_in(path, source.root)) for path, each in objects.items()
    ]


RUN_LENGTHS = AnnotationFormat(
    "run lengths in a CSV file",
    "a CSV file of run lengths",
    frozenset({".csv"}),
    _recognize,
    _read,
    frozenset({"run_order", "values"}),
).reader()
