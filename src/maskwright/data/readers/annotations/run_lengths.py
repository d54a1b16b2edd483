"""Reader of CSV files of run lengths, as Kaggle's competitions publish them."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from maskwright.data.readers.annotations.base import AnnotatedImage, AnnotatedObject, Annotations
from maskwright.data.readers.annotations.doubts import settle_unannotated
from maskwright.data.readers.annotations.files import sample_below, split_in
from maskwright.data.readers.annotations.format import AnnotationFormat, Source
from maskwright.errors import DataError
from maskwright.imageio import read_header

_IMAGES = ("imageid", "image_id", "img", "image", "id", "filename", "file_name", "image_name")
_RUNS = ("encodedpixels", "rle_mask", "rle", "encoding", "segmentation", "annotation", "mask")
_SURE = _RUNS[:2]  # which hold nothing else, even where all cells are empty
_CLASSES = ("classid", "class_id", "class", "label", "category", "cell_type")
_BOTH = ("imageid_classid", "image_label", "image_class")  # as x.jpg_3
_NONE = frozenset({"", "nan", "-1", "1 0"})
_MAX_CELL = 2**27
_COMPARED = 20  # masks of which both orders of pixels are compared
_CLEARLY = 0.8


@dataclass(frozen=True)
class _Columns:
    """Places of the columns; with `both`, the class stands behind the name of the image."""

    image: int
    runs: int
    class_name: int | None
    both: bool


@dataclass(frozen=True)
class PixelRuns:
    """Pairs of first pixel, from 1, and length, in columns or in rows."""

    text: str
    order: str = "columns"

    def __call__(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of the runs."""
        try:
            numbers = np.array(self.text.split(), np.int64).reshape(-1, 2)
        except (ValueError, OverflowError):
            raise DataError(
                f"expected pairs of first pixel and length, received {self.text[:60]}"
            ) from None
        area = size[0] * size[1]
        starts, lengths = numbers.T
        if lengths.min(initial=1) < 0 or lengths.max(initial=0) > area:
            raise DataError(f"expected lengths up to {area:,}, received {self.text[:60]}")
        ends = starts - 1 + lengths
        if starts.min(initial=1) < 1 or starts.max(initial=0) > area or ends.max(initial=0) > area:
            raise DataError(
                f"expected pixels from 1 to {area:,} for {size[0]} x {size[1]}, received runs from "
                f"{starts.min():,} to {ends.max():,}"
            )
        if (starts[1:] < ends[:-1] + 1).any():
            raise DataError(
                "expected runs in the order of their pixels, each beginning behind the one before; "
                "lengths relative to it are not read"
            )
        flat = np.zeros(area + 1, np.int8)
        np.add.at(flat, starts - 1, 1)
        np.add.at(flat, ends, -1)
        inside = flat[:-1].cumsum(dtype=np.int8).astype(bool)
        return inside.reshape(size[::-1]).T if self.order == "columns" else inside.reshape(size)


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
        _check_order(annotations.images)
    else:
        for image in annotations.images:
            image.objects[:] = [_ordered(each, order) for each in image.objects]
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


def _ordered(each: AnnotatedObject, order: str) -> AnnotatedObject:
    shape = each.shape
    return replace(
        each, shape=replace(shape, order=order) if isinstance(shape, PixelRuns) else shape
    )


RUN_LENGTHS = AnnotationFormat(
    "run lengths in a CSV file",
    "a CSV file of run lengths",
    "a CSV file of run lengths with ImageId and EncodedPixels",
    frozenset({".csv"}),
    _recognize,
    _read,
    frozenset({"run_order", "values"}),
).reader()


def _check_order(images: Sequence[AnnotatedImage]) -> None:
    """Raise `DataError` where masks have far shorter outlines if the runs are taken for rows."""
    columns = rows = 0
    for image in [image for image in images if image.objects][:_COMPARED]:
        header = read_header(image.image)
        size = (header.height, header.width)
        for each in image.objects[:_COMPARED]:
            try:
                columns += _outline_px(each.shape(size))
                rows += _outline_px(_ordered(each, "rows").shape(size))
            except DataError:  # told where it is drawn
                break
    if rows < _CLEARLY * columns:
        raise DataError(
            f"The run lengths make whole shapes if they are taken row by row, and torn ones column "
            f"by column (outlines of {rows:,} and {columns:,} pixels); write `run_order: rows`, or "
            f"`run_order: columns`, into data.yaml."
        )


def _outline_px(mask: np.ndarray) -> int:
    return int(
        np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    )
