"""Reader of Supervisely projects: meta.json, and a JSON file in `ann/` for each image in `img/`."""

import base64
import binascii
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.readers.annotations.base import (
    AnnotatedImage,
    AnnotatedObject,
    Annotations,
    size_of,
)
from maskwright.data.readers.annotations.files import (
    files_below,
    has_keys,
    read_json,
    sample_below,
    split_in,
)
from maskwright.data.readers.annotations.format import AnnotationFormat, Source
from maskwright.data.readers.annotations.shapes import Bitmap, PixelPolygon, Shape, box, png_mask
from maskwright.data.readers.splits.split_words import split_of
from maskwright.errors import DataError
from maskwright.labels import BACKGROUND_NAMES

_META = "meta.json"
_KEYS = ("objects", "size")
_MAX_BYTES = 2**28  # of a bitmap that is unpacked
_WITHOUT_AREA = ("line", "polyline", "point", "graph", "cuboid", "cuboid_2d", "keypoint")


def _recognize(path: Path) -> tuple[float, str] | None:
    if path.is_file():
        return (0.95, path.name) if path.name == _META and has_keys(path, ["classes"]) else None
    files = sample_below(path, {".json"})
    metas = [file for file in files if file.name == _META and has_keys(file, ["classes"])]
    annotated = any(file.parent.name == "ann" and has_keys(file, _KEYS) for file in files)
    return (0.95, _META) if metas and annotated else None


def _read(source: Source) -> Annotations:
    annotations = Annotations(rectangles=True)
    files = files_below(source.root, {".json"})
    for path in files:
        if path.name == _META and has_keys(path, ["classes"]):
            annotations.classes += [str(each["title"]) for each in read_json(path)["classes"]]
    for path in files:
        if path.parent.name != "ann":
            continue
        with annotations.reading(path, "those of Supervisely"):
            annotations.images.append(_image(source, path, read_json(path), annotations))
    return annotations


SUPERVISELY = AnnotationFormat(
    "Supervisely project",
    "the meta.json of a Supervisely project",
    frozenset({".json"}),
    _recognize,
    _read,
).reader()


def _image(
    source: Source, path: Path, content: Mapping[str, Any], annotations: Annotations
) -> AnnotatedImage:
    image = path.parent.parent / "img" / path.stem  # of x.jpg.json
    if not image.is_file():
        raise DataError(f"{path} annotates {image.name}, which is not in {image.parent}.")
    size = size_of(content["size"]["height"], content["size"]["width"])
    tags = [str(tag.get("name", "")).casefold() for tag in content.get("tags") or []]
    split = next(filter(None, map(split_of, tags)), None)
    objects = []
    for entry in content["objects"]:
        label = str(entry["classTitle"])
        name = f"{str(entry.get('id', label))[:40]} of {image.name}"
        shape = _shape(entry)
        if shape is None:
            annotations.skip("without_area", name)
        else:
            cuts = label.casefold() in BACKGROUND_NAMES
            objects.append(AnnotatedObject(label, shape, name, cuts=cuts))
    return AnnotatedImage(image, objects, split or split_in(path, source.root), size)


def _shape(entry: Mapping[str, Any]) -> Shape | None:
    """Shape of an object; `None` of those that have no area. Points are indices of pixels."""
    kind = entry.get("geometryType") or ("bitmap" if entry.get("bitmap") else "polygon")
    if kind in _WITHOUT_AREA:
        return None
    if kind == "bitmap":
        left, top = (int(value) for value in entry["bitmap"]["origin"])
        return Bitmap(partial(_decode, entry["bitmap"]["data"]), left, top)
    points = entry["points"]
    if kind == "rectangle":
        (left, top), (right, bottom) = np.sort(np.array(points["exterior"], float), axis=0)
        return box(float(left), float(top), float(right) + 1, float(bottom) + 1)
    if kind == "polygon":
        return PixelPolygon([points["exterior"], *(points.get("interior") or [])])
    raise DataError(f"expected a polygon or bitmap, received the geometry {str(kind)[:40]}")


def _decode(text: Any) -> np.ndarray:
    """Mask, bool `(h, w)`, of a PNG that is packed by zlib and written in base64."""
    try:
        unpack = zlib.decompressobj()
        data = unpack.decompress(base64.b64decode(text), _MAX_BYTES)
    except (binascii.Error, zlib.error, TypeError, ValueError):
        raise DataError(f"expected a packed bitmap, received {str(text)[:40]}") from None
    return png_mask(data)
