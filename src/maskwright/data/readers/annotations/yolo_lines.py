"""Lines of YOLO's label files: a class, and a polygon or box in fractions of the image."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from maskwright.data.readers.annotations.base import AnnotatedObject
from maskwright.data.readers.annotations.shapes import DIGITS, Box, Polygons, box
from maskwright.errors import DataError
from maskwright.imageio import read_header

_SLACK = 0.01  # beyond the image, of tools that round


def read_lines(labels: Path, image: Path, names: Mapping[int, str]) -> Iterator[AnnotatedObject]:
    """Objects in a label file; `DataError` naming the line that is wrong."""
    header = read_header(image)
    try:
        lines = labels.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{labels} cannot be read: {error}.") from None
    for line, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        where = f"line {line} of {labels.name}"
        first, *rest = text.split()
        try:
            number, values = int(first), [float(value) for value in rest]
        except ValueError:
            raise DataError(
                f"{labels}: expected a class and numbers, received {text[:60]!r} in line {line}."
            ) from None
        if names and number not in names:
            raise DataError(
                f"{labels}: line {line} has the class {number}; the classes are 0 to {max(names)}."
            )
        outside = [v for v in values if not (math.isfinite(v) and -_SLACK <= v <= 1 + _SLACK)]
        if outside or len(values) < 4 or len(values) % 2:
            wrong = f"the coordinate {outside[0]:g}" if outside else f"{len(values)} numbers"
            raise DataError(
                f"{labels}: expected x and y of a polygon in fractions of the image, received "
                f"{wrong} in line {line}."
            )
        name = names.get(number, f"class {number}")
        pixels = np.array(values).reshape(-1, 2) * (header.width, header.height)
        pixels = pixels.round(DIGITS)
        if len(values) == 4:
            (x, y), (width, height) = pixels.tolist()
            shape: Box | Polygons = box(
                x - width / 2, y - height / 2, x + width / 2, y + height / 2
            )
        else:
            shape = Polygons([[pixels.ravel().tolist()]])
        yield AnnotatedObject(name, shape, where)


def is_rectangle(shape: Polygons) -> bool:
    """Whether a polygon has four corners of 90 degrees, within a pixel."""
    points = np.array(shape.parts[0][0]).reshape(-1, 2)
    return len(points) == 4 and bool(
        np.abs(points[0] + points[2] - points[1] - points[3]).max() <= 1
        and abs(np.hypot(*(points[0] - points[2])) - np.hypot(*(points[1] - points[3]))) <= 1
    )
