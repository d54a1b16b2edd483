"""Reader of Label Studio's JSON: polygons, ellipses and boxes in percent, and brush strokes."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from maskwright.data.readers.annotations.base import (
    AnnotatedImage,
    AnnotatedObject,
    Annotations,
    malformed,
    size_of,
)
from maskwright.data.readers.annotations.files import (
    ImageFiles,
    has_keys,
    read_json,
    sample_below,
    split_in,
)
from maskwright.data.readers.annotations.format import AnnotationFormat, Source
from maskwright.data.readers.annotations.shapes import DIGITS, Polygons, Shape, box, ellipse
from maskwright.data.readers.annotations.tools.brush import decode_brush
from maskwright.errors import DataError
from maskwright.labels import BACKGROUND_NAMES

_KEYS = ("annotations", "data", "result")
_SHAPES = ("polygon", "brush", "rectangle", "ellipse", "keypoint")


def _recognize(path: Path) -> tuple[float, str] | None:
    files = [path] if path.is_file() else sample_below(path, {".json"})
    file = next((f for f in files if f.suffix.lower() == ".json" and has_keys(f, _KEYS)), None)
    return (0.92 if path.is_file() else 0.7, file.name) if file else None


def _read(source: Source) -> Annotations:
    annotations = Annotations(rectangles=True)
    for path in source.files:
        if not has_keys(path, _KEYS):
            continue
        content = read_json(path)
        for task in content if isinstance(content, list) else [content]:
            name = f"task {str(task.get('id', '?'))[:40]} of {path.name}"
            try:
                with malformed(path, "Label Studio annotations"):
                    if image := _image(source, path, task, name, annotations):
                        annotations.images.append(image)
            except DataError as error:
                annotations.skip("broken_annotations", f"{name}: {error}")
    return annotations


LABEL_STUDIO = AnnotationFormat(
    "Label Studio annotations",
    "a JSON file of Label Studio",
    frozenset({".json"}),
    _recognize,
    _read,
).reader()


def _image(
    source: Source, path: Path, task: Mapping[str, Any], name: str, annotations: Annotations
) -> AnnotatedImage | None:
    """Image of a task; `None` where it is not there, or nobody has annotated it."""
    stated = _image_of(task)
    paths = _find(source.images, stated, path.parent)
    if len(paths) != 1:
        annotations.skip("ambiguous_images" if paths else "missing_images", stated)
        return None
    annotations.known.add(paths[0])
    versions = [v for v in task["annotations"] if not v.get("was_cancelled")]
    versions = [v for v in versions if v.get("ground_truth")] or versions
    if not versions:
        annotations.skip("not_annotated", stated)
        return None
    if len(versions) > 1:
        raise DataError(
            f"expected one annotation, received {len(versions)}; mark one as ground truth, or "
            f"delete the others."
        )
    results = versions[0]["result"]
    names = _names(results)
    shapes = [result for result in results if _kind(result)]
    sizes = {(r["original_height"], r["original_width"]) for r in shapes}
    if len(sizes) > 1 or any(result.get("image_rotation") for result in shapes):
        raise DataError("the image was turned while it was annotated; turn the file, not the view.")
    objects = []
    for result in shapes:
        label = names.get(str(result.get("id")))
        about = f"{result.get('id', '?')} of {stated}"
        shape = _shape(result)
        if shape is None:
            annotations.skip("without_area", about)
        elif label is None:
            raise DataError(f"the region {about} has no label.")
        else:
            cuts = label.casefold() in BACKGROUND_NAMES
            objects.append(AnnotatedObject(label, shape, about, cuts=cuts))
    size = size_of(*sizes.pop()) if sizes else None
    return AnnotatedImage(paths[0], objects, split_in(paths[0], source.root), size)


def _image_of(task: Mapping[str, Any]) -> str:
    """Path of the image of a task, from its data, which hold it under any name."""
    texts = [value for value in task["data"].values() if isinstance(value, str)]
    keyed = [task["data"][key] for key in ("image", "img") if key in task["data"]]
    return str((keyed or texts)[0])


def _find(images: ImageFiles, stated: str, beside: Path) -> list[Path]:
    """Image file of a URL, also one that is not quoted as URLs are.

    Files that were uploaded have eight digits before their name.
    """
    parts = urlsplit(stated)
    local = parse_qs(parts.query).get("d")
    for name in (local[0] if local else unquote(parts.path), stated.rpartition("?d=")[2]):
        last = name.rpartition("/")[2]
        uploaded = [last[9:]] if len(last) > 9 and last[8] == "-" else []
        for each in (name, *uploaded):
            if paths := images.find(each, beside):
                return paths
    return []


def _kind(result: Mapping[str, Any]) -> str | None:
    """Shape of a result, as its type names it; `None` of one that is no region."""
    type_ = str(result.get("type", ""))
    return next((kind for kind in _SHAPES if type_ in (kind, f"{kind}labels")), None)


def _names(results: list[Mapping[str, Any]]) -> dict[str, str]:
    """Label of each region; it may stand in a result of its own, of the same id."""
    names: dict[str, str] = {}
    for result in results:
        type_ = str(result.get("type", ""))
        listed = result["value"].get(type_) if type_.endswith("labels") else None
        if listed:
            if len(listed) > 1:
                raise DataError(f"the region {result.get('id')} has {len(listed)} labels.")
            names[str(result.get("id"))] = str(listed[0])
    return names


def _shape(result: Mapping[str, Any]) -> Shape | None:
    """Shape of a region; `None` of points and open polygons."""
    value, kind = result["value"], _kind(result)
    width, height = float(result["original_width"]) / 100, float(result["original_height"]) / 100
    degrees = float(value.get("rotation") or 0)
    if kind == "polygon":
        points = np.array(value["points"], np.float64).reshape(-1, 2) * (width, height)
        points = points.round(DIGITS)
        return Polygons([[points.ravel().tolist()]]) if value.get("closed", True) else None
    if kind == "brush":
        if value.get("format", "rle") != "rle":
            raise DataError(f"expected a brush as rle, received {str(value['format'])[:40]}.")
        return partial(decode_brush, value["rle"])
    if kind == "keypoint":
        return None
    x, y = float(value["x"]) * width, float(value["y"]) * height
    if kind == "ellipse":
        sides = float(value["radiusX"]) * width, float(value["radiusY"]) * height
        return ellipse(x, y, *sides, degrees)
    right, bottom = x + float(value["width"]) * width, y + float(value["height"]) * height
    return box(x, y, right, bottom, degrees, corner=True)
