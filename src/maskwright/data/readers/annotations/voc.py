"""Reader of XML files: boxes of PASCAL VOC, and polygons that LabelMe's web page writes alike."""

import xml.etree.ElementTree as ET
from pathlib import Path

from maskwright.data.readers.annotations.base import (
    AnnotatedImage,
    AnnotatedObject,
    Annotations,
    size_of,
)
from maskwright.data.readers.annotations.files import read_xml, sample_below, split_in
from maskwright.data.readers.annotations.format import AnnotationFormat, Source
from maskwright.data.readers.annotations.shapes import Polygons, Shape, box

_START_BYTES = 2**12


def _recognize(path: Path) -> tuple[float, str] | None:
    files = [path] if path.is_file() else sample_below(path, {".xml"})
    file = next((file for file in files if _is_voc(file)), None)
    return (0.45, file.name) if file else None


def _is_voc(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            start = file.read(_START_BYTES)
    except OSError:
        return False
    return path.suffix.lower() == ".xml" and b"<annotation" in start and b"<filename>" in start


def _read(source: Source) -> Annotations:
    annotations = Annotations()
    for path in source.files:
        if not _is_voc(path):
            continue
        with annotations.reading(path, "those of PASCAL VOC"):
            root = read_xml(path)
            name = (root.findtext("filename") or path.stem).strip()
            paths = source.images.find(name, path.parent)
            if len(paths) != 1:
                annotations.skip("ambiguous_images" if paths else "missing_images", name)
                continue
            annotations.known.add(paths[0])
            size = size_of(root.findtext("size/height"), root.findtext("size/width"))
            objects = [
                AnnotatedObject((each.findtext("name") or "").strip(), _shape(each), path.name)
                for each in root.findall("object")
                if each.findtext("deleted") != "1"
            ]
            split = split_in(path, source.root)
            annotations.images.append(AnnotatedImage(paths[0], objects, split, size))
    return annotations


VOC_XML = AnnotationFormat(
    "PASCAL VOC annotations",
    "",
    frozenset({".xml"}),
    _recognize,
    _read,
).reader()


def _shape(element: ET.Element) -> Shape:
    """Polygon of an object, else its box, whose first pixel is 1, 1 and whose last is inside."""
    points = [(pt.findtext("x"), pt.findtext("y")) for pt in element.findall("polygon/pt")]
    if points:
        return Polygons([[[float(value or "") for point in points for value in point]]])
    sides = [element.findtext(f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")]
    left, top, right, bottom = (float(side or "") for side in sides)
    return box(left - 1, top - 1, right, bottom)
