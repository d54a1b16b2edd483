"""Reader of LabelMe's JSON files, and of the folders that labelme_json_to_dataset makes of them."""

import base64
import binascii
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.readers.annotations.base import (
    AnnotatedImage,
    AnnotatedObject,
    Annotations,
    join_groups,
    size_of,
)
from maskwright.data.readers.annotations.files import has_keys, read_json, sample_below, split_in
from maskwright.data.readers.annotations.format import AnnotationFormat, Source
from maskwright.data.readers.annotations.shapes import (
    Bitmap,
    PixelValue,
    Polygons,
    Shape,
    box,
    decode_png,
    ellipse,
)
from maskwright.data.samples import Doubt, counted
from maskwright.errors import DataError
from maskwright.imageio import make_folder
from maskwright.labels import BACKGROUND_NAMES, MAX_CLASSES

_KEYS = ("shapes", "imagePath")
_IGNORED = "__ignore__"


def _recognize(path: Path) -> tuple[float, str] | None:
    files = [path] if path.is_file() else sample_below(path, {".json"})
    file = next((f for f in files if f.suffix.lower() == ".json" and has_keys(f, _KEYS)), None)
    return (0.9 if path.is_file() else 0.7, file.name) if file else None


def _read(source: Source) -> Annotations:
    annotations = Annotations(rectangles=True)
    contrary = []
    for path in source.files:
        if not has_keys(path, _KEYS):
            continue
        annotations.known.add(path)  # its images may be inside, and others beside it
        with annotations.reading(path, "LabelMe annotations"):
            namesake = _nearest(source.images.find(path.stem, path.parent), path)
            image = _image(source, path, read_json(path), annotations, namesake)
            annotations.images.append(image)
            if len(namesake) == 1 and namesake[0] != image.image:
                contrary.append((path, image.image))
    if contrary:
        annotations.remarks.append(_doubt_image(*contrary[0], len(contrary)))
    return annotations


LABELME = AnnotationFormat(
    "LabelMe annotations",
    "a JSON file of LabelMe",
    frozenset({".json"}),
    _recognize,
    _read,
    frozenset({"pair_by"}),
).reader()


def _image(
    source: Source,
    path: Path,
    content: Mapping[str, Any],
    annotations: Annotations,
    namesake: list[Path],
) -> AnnotatedImage:
    """Image of a file: where it says, else of the same name beside it, else the one in the file."""
    stated = str(content["imagePath"])
    paths = _nearest(source.images.find(stated, path.parent), path) or namesake
    if source.description.pair_by == "name":
        paths = namesake or paths
    if not paths and content.get("imageData"):
        paths = [_extract(source, path, content["imageData"])]
    if len(paths) != 1:
        several = "fits several files: lay it beside its image"
        problem = several if paths else "is not there"
        raise DataError(f"{path} annotates the image {stated[:100]}, which {problem}.")
    size = size_of(content.get("imageHeight"), content.get("imageWidth"))
    objects = []
    for number, entry in enumerate(content["shapes"], start=1):
        name, label = f"{number} of {path.name}", str(entry["label"])
        shape = _shape(entry)
        if shape is None:
            annotations.skip("without_area", f"{name}, a {str(entry['shape_type'])[:40]}")
            continue
        cuts = label.casefold() in BACKGROUND_NAMES
        group = entry.get("group_id")
        class_name = "" if label == _IGNORED else label
        objects.append((AnnotatedObject(class_name, shape, name, cuts=cuts), group))
    return AnnotatedImage(paths[0], join_groups(objects), split_in(path, source.root), size)


def _nearest(images: list[Path], path: Path) -> list[Path]:
    """Of several images, that beside the file of annotations, where LabelMe writes it."""
    beside = [image for image in images if image.parent == path.parent]
    return beside if len(images) > 1 and len(beside) == 1 else images


def _doubt_image(path: Path, image: Path, count: int) -> Doubt:
    """Doubt about files whose `imagePath` is not the image of their own name."""
    return Doubt(
        "other_image",
        f"{counted(count, 'JSON file')} of LabelMe, the first {path.name}, state another image as "
        f"`imagePath`, {image.name}, than that of their own name.",
        "Write `pair_by: name` into data.yaml for the image of the same name, or give the files "
        "the names of their images.",
    )


def _extract(source: Source, path: Path, data: Any) -> Path:
    """File of an image that a JSON file holds itself, in base64."""
    try:
        content = base64.b64decode(data)
    except (binascii.Error, ValueError):
        raise DataError(f"{path} holds image data that is not in base64.") from None
    suffix = ".png" if content.startswith(b"\x89PNG") else ".jpg"
    name = "-".join(path.relative_to(source.root).with_suffix("").parts)
    make_folder(source.extracted)
    file = source.extracted / f"{name}{suffix}"
    file.write_bytes(content)
    return file


def _shape(entry: Mapping[str, Any]) -> Shape | None:
    """Shape of an entry; `None` of points and lines, which have no area."""
    kind = entry.get("shape_type") or "polygon"
    points = np.array(entry["points"], np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise DataError("expected finite coordinates")
    if kind in ("polygon", "oriented_rectangle"):
        return Polygons([[points.ravel().tolist()]])
    if kind == "rectangle":
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return box(float(left), float(top), float(right), float(bottom))
    if kind == "circle":
        (x, y), edge = points[0].tolist(), points[1].tolist()
        radius = math.dist((x, y), edge)
        return ellipse(x, y, radius, radius)
    if kind == "mask":
        left, top = points.min(axis=0).astype(int).tolist()
        return Bitmap(partial(decode_png, entry["mask"]), left, top)
    if kind in ("line", "linestrip", "point", "points"):
        return None
    raise DataError(f"expected a known shape type, received {str(kind)[:40]}")


def _recognize_folders(path: Path) -> tuple[float, str] | None:
    if not path.is_dir():
        return None
    folder = next(iter(_converted(sample_below(path, {".png"}))), None)
    return (0.95, f"{folder.name}/label.png") if folder else None


def _converted(files: list[Path]) -> list[Path]:
    """Folders with `img.png`, `label.png` and `label_names.txt`."""
    folders = [file.parent for file in files if file.name == "label.png"]
    return [f for f in folders if (f / "img.png").is_file() and (f / "label_names.txt").is_file()]


def _read_folders(source: Source) -> Annotations:
    annotations = Annotations(separate=False)
    for folder in _converted(list(source.files)):
        text = (folder / "label_names.txt").read_text(encoding="utf-8-sig")
        names = [name.strip() for name in text.split("\n") if name.strip()]
        if len(names) > MAX_CLASSES:
            raise DataError(f"{folder / 'label_names.txt'} names {len(names)} classes.")
        first = names.index(_IGNORED) + 1 if _IGNORED in names else 0
        known = frozenset(range(len(names) - first))
        objects = [
            AnnotatedObject(
                name, PixelValue(folder / "label.png", number, known), f"{name} of {folder}"
            )
            for number, name in enumerate(names[first:])
        ]
        annotations.known.update(source.images.paths)  # of which others are masks and pictures
        image = AnnotatedImage(folder / "img.png", objects, split_in(folder, source.root))
        annotations.images.append(image)
        annotations.classes += names[first:]
    return annotations


LABELME_FOLDERS = AnnotationFormat(
    "LabelMe folders",
    "",
    frozenset({".png", ".txt"}),
    _recognize_folders,
    _read_folders,
).reader()
