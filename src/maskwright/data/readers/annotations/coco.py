"""Reader of the JSON of COCO: polygons, run lengths and boxes of objects, and crowds."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskwright.data.readers.annotations.base import (
    AnnotatedImage,
    AnnotatedObject,
    Annotations,
    size_of,
)
from maskwright.data.readers.annotations.files import has_keys, read_json, sample_below
from maskwright.data.readers.annotations.format import AnnotationFormat, Source
from maskwright.data.readers.annotations.shapes import PixelValue, Polygons, Runs, Shape, box
from maskwright.data.readers.splits.split_words import split_of
from maskwright.data.samples import Note, counted, examples
from maskwright.errors import DataError

_KEYS = ("images", "annotations", "categories")
IGNORED = frozenset({"ignore", "__ignore__", "ignored", "void"})
"""Categories whose crowds are pixels that are ignored, whatever their class."""

_SUFFIXES = frozenset({".json"})


def _recognize(path: Path) -> tuple[float, str] | None:
    if path.is_file():
        is_json = path.suffix.lower() in _SUFFIXES
        return (0.9 if has_keys(path, _KEYS) else 0.5, path.name) if is_json else None
    file = next((file for file in sample_below(path, _SUFFIXES) if has_keys(file, _KEYS)), None)
    if file is None:
        return None
    # PNG files of panoptic annotations look like masks of colors, which they are not.
    return 0.85 if has_keys(file, ["segments_info"]) else 0.5, file.name


@dataclass(frozen=True)
class _File:
    """One file of annotations, parsed, with the words in its name, and the split they state."""

    path: Path
    content: Mapping[str, Any]
    words: tuple[str, ...]
    split: str | None


def _read(source: Source) -> Annotations:
    """Images and objects of all files; those called instances where there are such."""
    files = list(_parse(source.files))
    chosen = [file for file in files if "instances" in file.path.stem.casefold()] or files
    if not files:
        raise DataError(
            f"{source.root if len(source.files) > 1 else source.files[0]} holds no COCO "
            f"annotations; expected lists of images, annotations and categories."
        )
    annotations = Annotations()
    others = [file.path.name for file in files if file not in chosen]
    if others and not source.stated:
        text = f"{chosen[0].path.name} is read as instances; {examples(others)} are not used: name "
        annotations.remarks.append(Note("other_files", f"{text}them under `annotations` to."))
    files = files if source.stated else chosen
    is_split = len({file.split for file in files}) > 1
    for file in files:
        names = _class_names(file)
        annotations.classes += dict.fromkeys(_listed(file, names))
        images = {}
        for entry in file.content["images"]:
            name = str(entry["file_name"])
            paths = source.images.find(name, file.path.parent, [file.words[-1], file.split])
            if len(paths) != 1:
                annotations.skip("ambiguous_images" if paths else "missing_images", name)
                continue
            annotations.known.add(paths[0])
            size = size_of(entry.get("height"), entry.get("width"))
            split = file.split if is_split else None
            images[_key(entry["id"])] = AnnotatedImage(paths[0], [], split, size)
        for entry in file.content["annotations"]:
            image = images.get(_key(entry["image_id"]))
            if image is not None and "segments_info" in entry:
                image.objects.extend(_segments(source, file, entry, names))
            elif image is not None:
                name = f"{str(entry.get('id', '?'))[:40]} of {image.image.name}"
                class_name = names[_key(entry["category_id"])]
                crowd = bool(entry.get("iscrowd"))
                class_name = "" if crowd and class_name in IGNORED else class_name
                shape = _shape(entry.get("segmentation"), entry.get("bbox"))
                if shape is not None:
                    image.objects.append(AnnotatedObject(class_name, shape, name, crowd))
                if _reaches_beyond(entry.get("bbox"), image.size):
                    annotations.skip("boxes_beyond_image", name)
        annotations.images += images.values()
    return annotations


COCO = AnnotationFormat(
    "COCO annotations", "a JSON file of COCO", _SUFFIXES, _recognize, _read
).reader()


def _parse(paths: Sequence[Path]) -> Iterator[_File]:
    for path in paths:
        try:
            content = read_json(path)
        except DataError:
            continue
        if isinstance(content, dict) and all(isinstance(content.get(key), list) for key in _KEYS):
            words = re.split(r"[^a-z0-9]+", f"{path.parent.name} {path.stem}".casefold())
            split = next(filter(None, map(split_of, words)), None)
            yield _File(path, content, tuple(words), split)


def _key(id_: Any) -> str:
    """Id of an image or category, which some tools write as text in one place only."""
    if isinstance(id_, float) and not id_.is_integer():
        raise DataError(f"expected a whole number or text as id, received {id_}")
    return str(int(id_) if isinstance(id_, float) else id_)


def _class_names(file: _File) -> dict[str, str]:
    """Class of each category, in the order of ids; those of one name that occur stay apart."""
    categories = file.content["categories"]
    named = {_key(each["id"]): str(each["name"]) for each in categories}
    entries = file.content["annotations"]
    objects = [part for each in entries for part in each.get("segments_info", [each])]
    used = {_key(each["category_id"]) for each in objects}
    if unknown := used - named.keys():
        raise DataError(
            f"{file.path} uses the category {min(unknown)}, which is not among its categories, "
            f'{examples(f"{id_} {name}" for id_, name in named.items())}. Add it to "categories", '
            f"or remove its objects."
        )
    counts = Counter(named[id_] for id_ in used)
    ordered = sorted(named, key=lambda id_: (not id_.isdecimal(), id_.zfill(20)))
    return {
        id_: f"{named[id_]} ({id_})" if id_ in used and counts[named[id_]] > 1 else named[id_]
        for id_ in ordered
    }


def _segments(
    source: Source, file: _File, entry: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[AnnotatedObject]:
    """Segments of a panoptic image, whose PNG lies in the folder named after the JSON; 0 is void.

    Other names of the folder are accepted where the PNG lies beside.
    """
    png = str(entry["file_name"])
    folders = (file.path.with_suffix(""), file.path.parent)
    paths = [folder / png for folder in folders if os.path.isfile(folder / png)]  # noqa: PTH113
    paths = paths[:1] or source.images.find(png, file.path.parent, [file.path.stem])
    if len(paths) != 1:
        raise DataError(
            f"{file.path} names the panoptic mask {png}; expected it in {folders[0]}, "
            f"found {counted(len(paths), 'file')} of this name."
        )
    known = frozenset({0, *(int(segment["id"]) for segment in entry["segments_info"])})
    yield AnnotatedObject("", PixelValue(paths[0], 0, known), f"void of {png}")
    for segment in entry["segments_info"]:
        name, class_name = f"{segment['id']} of {png}", names[_key(segment["category_id"])]
        shape = PixelValue(paths[0], int(segment["id"]))
        yield AnnotatedObject(class_name, shape, name, bool(segment.get("iscrowd")))


def _listed(file: _File, names: Mapping[str, str]) -> Iterator[str]:
    """Names of the classes, without those whose objects are all crowds of ignored pixels."""
    entries = file.content["annotations"]
    objects = {_key(e["category_id"]) for e in entries if not e.get("iscrowd", "x")}
    crowds = {_key(e["category_id"]) for e in entries if e.get("iscrowd")}
    for id_, name in names.items():
        if name not in IGNORED or id_ in objects or id_ not in crowds:
            yield name


def _shape(segmentation: Any, sides: Any) -> Shape | None:
    """Shape of polygons, run lengths, or only a box; `None` where there is nothing."""
    if isinstance(segmentation, list) and segmentation:
        rings = segmentation if isinstance(segmentation[0], list) else [segmentation]
        return Polygons([[ring] for ring in rings])
    if isinstance(segmentation, dict) and {"size", "counts"} <= segmentation.keys():
        return Runs(segmentation["counts"], segmentation["size"])
    if segmentation:
        received = str(segmentation)[:60]

        def refuse(_: tuple[int, int]) -> Any:
            raise DataError(f"expected polygons or run lengths, received {received}")

        return refuse
    if not sides:
        return None
    left, top, width, height = (float(side) for side in sides)
    return box(left, top, left + width, top + height)


def _reaches_beyond(sides: Any, size: tuple[int, int] | None) -> bool:
    """Whether a box, left, top, width and height, lies outside an image by a pixel or more."""
    if not isinstance(sides, list) or len(sides) != 4 or size is None:
        return False
    left, top, width, height = (float(side) for side in sides)
    return min(left, top) <= -1 or left + width >= size[1] + 1 or top + height >= size[0] + 1
