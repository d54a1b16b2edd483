"""Reader of CVAT's XML for images: polygons, ellipses, masks and boxes, in layers."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.readers.annotations.base import (
    AnnotatedImage,
    AnnotatedObject,
    Annotations,
    join_groups,
    malformed,
    size_of,
)
from maskwright.data.readers.annotations.doubts import settle_unannotated
from maskwright.data.readers.annotations.files import read_xml, sample_below
from maskwright.data.readers.annotations.format import AnnotationFormat, Source
from maskwright.data.readers.annotations.shapes import Bitmap, Polygons, Shape, box, ellipse
from maskwright.data.readers.splits.split_words import split_of
from maskwright.errors import DataError
from maskwright.labels import BACKGROUND_NAMES
from maskwright.rle import decode_rle

_WITHOUT_AREA = frozenset({"polyline", "points", "cuboid", "skeleton"})
_START_BYTES = 2**16


def _recognize(path: Path) -> tuple[float, str] | None:
    files = [path] if path.is_file() else sample_below(path, {".xml"})
    file = next((file for file in files if _is_cvat(file)), None)
    return (0.9, file.name) if file else None


def _is_cvat(path: Path) -> bool:
    if path.suffix.lower() != ".xml":
        return False
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except OSError:
        return False
    return b"<annotations>" in start and (b"<meta>" in start or b"<image " in start)


def _read(source: Source) -> Annotations:
    annotations = Annotations(rectangles=True)
    without: list[AnnotatedImage] = []
    for path in source.files:
        if not _is_cvat(path):
            continue
        root = read_xml(path)
        if root.find("track") is not None:
            raise DataError(
                f"{path} holds tracks of a video; expected images: export it from CVAT as `CVAT "
                f"for images 1.1`."
            )
        names = [label.findtext("name") or "" for label in root.findall("meta//labels/label")]
        parents = {label.findtext("name") for label in root.findall("meta//label[parent]")}
        annotations.classes += [name for name in names if name not in parents]
        for element in root.iter("image"):
            name = element.get("name") or ""
            paths = source.images.find(name, path.parent)
            if len(paths) != 1:
                annotations.skip("ambiguous_images" if paths else "missing_images", name)
                continue
            annotations.known.add(paths[0])
            subset = (element.get("subset") or "").casefold()
            try:
                with malformed(path, "CVAT annotations"):
                    size = size_of(element.get("height"), element.get("width"))
                    objects = _objects(element, annotations)
            except DataError as error:
                annotations.skip("broken_annotations", f"{name}: {error}")
                continue
            image = AnnotatedImage(paths[0], objects, split_of(subset), size)
            annotated = any(child.tag != "tag" for child in element)
            (annotations.images if annotated else without).append(image)
    fact = "without a shape"
    settle_unannotated(annotations, without, source.description.unannotated, fact)
    return annotations


CVAT = AnnotationFormat(
    "CVAT annotations",
    "an XML file of CVAT",
    frozenset({".xml"}),
    _recognize,
    _read,
).reader()


def _objects(image: ET.Element, annotations: Annotations) -> list[AnnotatedObject]:
    """Objects of an image, those of a group joined, in the order of their layers."""
    objects = []
    shapes = [child for child in image if child.tag != "tag"]
    for element in sorted(shapes, key=lambda child: int(child.get("z_order") or 0)):
        label = element.get("label") or ""
        name = f"{element.tag} {label} of {image.get('name')}"
        shape = _shape(element)
        if shape is None:
            annotations.skip("without_area", name)
            continue
        cuts = label.casefold() in BACKGROUND_NAMES
        group = element.get("group_id") or "0"
        objects.append(
            (AnnotatedObject(label, shape, name, cuts=cuts), None if group == "0" else group)
        )
    return join_groups(objects)


def _shape(element: ET.Element) -> Shape | None:
    """Shape of an element; `None` of those that have no area."""

    def numbers(*names: str) -> list[float]:
        return [float(element.attrib[name]) for name in names]

    degrees = float(element.get("rotation") or 0)
    if element.tag == "polygon":
        points = element.attrib["points"].replace(";", ",").split(",")
        return Polygons([[[float(value) for value in points]]])
    if element.tag == "box":
        left, top, right, bottom = numbers("xtl", "ytl", "xbr", "ybr")
        return box(left, top, right, bottom, degrees)
    if element.tag == "ellipse":
        x, y, radius_x, radius_y = numbers("cx", "cy", "rx", "ry")
        return ellipse(x, y, radius_x, radius_y, degrees)
    if element.tag == "mask":
        left, top, width, height = map(int, numbers("left", "top", "width", "height"))
        runs = [int(value) for value in element.attrib["rle"].split(",")]
        return Bitmap(partial(decode_rows, runs, (height, width)), left, top)
    if element.tag in _WITHOUT_AREA:
        return None
    raise DataError(f"expected a shape of CVAT, received <{element.tag[:40]}>")


def decode_rows(runs: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Mask, bool `(h, w)`, of run lengths row by row, background first."""
    return decode_rle(runs, (size[1], size[0])).T
