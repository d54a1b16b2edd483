"""Images, classes and objects in the JSON of COCO, and their masks."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.samples import Note, counted, examples, grouped, unique_ids
from maskwright.errors import DataError
from maskwright.labels import BACKGROUND_NAMES, MAX_CLASSES
from maskwright.rle import decode_rle, fill_polygons


@dataclass(frozen=True)
class CocoFile:
    """One file of annotations, parsed, and the split that its name or folder states, or `None`."""

    path: Path
    content: Mapping[str, Any]
    split: str | None


@dataclass(frozen=True)
class CocoObject:
    """An annotation: label of its class, its `segmentation`, its name in messages."""

    label: int
    segmentation: Any
    name: str
    crowd: bool

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """Boolean mask of polygons, or of run lengths; `DataError` where there can be none."""
        shape = self.segmentation
        try:
            if isinstance(shape, list):
                return fill_polygons(shape if isinstance(shape[0], list) else [shape], size)
            if not isinstance(shape, dict) or not {"size", "counts"} <= shape.keys():
                received = str(shape)[:60]
                raise DataError(f"expected polygons or run lengths, received {received}")
            if shape["size"] != list(size):
                raise DataError(
                    f"run lengths of the size {str(shape['size'])[:40]} in an image of "
                    f"{size[0]}x{size[1]}; run lengths belong to the image they were made for"
                )
            return decode_rle(shape["counts"], size)
        except DataError as error:
            raise DataError(f"object {self.name}: {error}") from None


@dataclass(frozen=True)
class CocoImage:
    """An image with its objects, crowds among them, in order."""

    id: str
    image: Path
    split: str | None
    size: tuple[int, int]
    objects: list[CocoObject] = field(default_factory=list)


# By code: one of what is skipped, several, and the note on them.
_SKIPPED = {
    "missing_images": (
        *("image that is", "images that are"),
        "Skipped: {count} not there, the first {first}.",
    ),
    "boxes_only": ("object", "objects", "Skipped: {count} with a box but no mask."),
    "flat_polygons": (
        *("object", "objects"),
        "Skipped: {count} whose polygon has fewer than three points and so no area, the first "
        "{first}; draw it again, or remove it.",
    ),
    "boxes_beyond_image": (
        *("box that reaches beyond its", "boxes that reach beyond their"),
        "Not used: {count} image, the first of object {first}; boxes are made from masks.",
    ),
    "crowds": (
        *("crowd", "crowds"),
        "Skipped: {count}, as no region; pixels of crowds alone are ignored.",
    ),
}


def list_classes(files: Sequence[CocoFile]) -> tuple[list[str], dict[int, int]]:
    """Names of the classes, background first, and the class of each category.

    All categories are classes, or where these are too many or names occur twice, those that occur.
    """
    named = {c["id"]: str(c["name"]) for file in files for c in file.content["categories"]}
    used = {a["category_id"] for file in files for a in file.content["annotations"]}
    if unknown := used - named.keys():
        raise DataError(
            f"{files[0].path} uses the category {min(unknown)}, which is not among its categories, "
            f'{examples(f"{id_} {name}" for id_, name in named.items())}. Add it to "categories", '
            f"or remove its objects."
        )
    background = [id_ for id_, name in named.items() if name.casefold() in BACKGROUND_NAMES]
    listed = [id_ for id_ in sorted(named) if id_ not in background]
    distinct = len({named[id_] for id_ in listed}) == len(listed) and len(listed) < MAX_CLASSES
    used_ids = listed if distinct else [id_ for id_ in listed if id_ in used]
    if len(used_ids) >= MAX_CLASSES:
        raise DataError(
            f"{files[0].path} annotates {len(used_ids)} categories; expected at most "
            f"{MAX_CLASSES - 1}, as labels are bytes."
        )
    counts = Counter(named[id_] for id_ in used_ids)
    names = [named[i] if counts[named[i]] == 1 else f"{named[i]} ({i})" for i in used_ids]
    label_of = dict.fromkeys(background, 0) | {id_: n for n, id_ in enumerate(used_ids, start=1)}
    return [named[background[0]] if background else "background", *names], label_of


def list_images(
    root: Path, files: Sequence[CocoFile], paths: Sequence[Path], label_of: Mapping[int, int]
) -> tuple[list[CocoImage], list[Note]]:
    """Annotated ones of the image files `paths`, with objects by `label_of`; notes on others."""
    skipped: dict[str, list[str]] = {code: [] for code in _SKIPPED}
    by_name = grouped(paths, lambda path: path.name)
    entries: list[tuple[CocoFile, Any, Path]] = []
    for file in files:
        for entry in file.content["images"]:
            if located := _find(root, file, str(entry["file_name"]), by_name):
                entries.append((file, entry, located))
            else:
                skipped["missing_images"].append(str(entry["file_name"]))
    ids = unique_ids([(path.parent.name, path.stem) for _, _, path in entries])
    is_split = len({file.split for file in files}) > 1
    images: dict[tuple[Path, Any], CocoImage] = {}  # by file and id
    for (file, entry, path), id_ in zip(entries, ids, strict=True):
        size = (int(entry["height"]), int(entry["width"]))
        split = file.split if is_split else None
        images[file.path, entry["id"]] = CocoImage(id_, path, split, size)
    for file in files:
        for annotation in file.content["annotations"]:
            image = images.get((file.path, annotation["image_id"]))
            label, shape = label_of[annotation["category_id"]], annotation.get("segmentation")
            if image is None or label == 0:
                continue
            name = f"{str(annotation.get('id', '?'))[:40]} of {image.image.name}"
            if _reaches_beyond(annotation.get("bbox"), image.size):
                skipped["boxes_beyond_image"].append(name)
            if not shape:
                skipped["boxes_only"].append(name)
            elif _is_flat(shape):
                skipped["flat_polygons"].append(name)
            else:
                crowd = bool(annotation.get("iscrowd"))
                skipped["crowds"] += [name] * crowd
                image.objects.append(CocoObject(label, shape, name, crowd))
    notes = [
        Note(code, text.format(count=counted(len(names), single, several), first=names[0]))
        for code, (single, several, text) in _SKIPPED.items()
        if (names := skipped[code])
    ]
    return list(images.values()), notes


def _is_flat(shape: Any) -> bool:
    """Whether no polygon of a segmentation has an area."""
    if not isinstance(shape, list):
        return False
    polygons = shape if isinstance(shape[0], list) else [shape]
    return all(isinstance(p, list) and len(p) % 2 == 0 and len(p) < 6 for p in polygons)


def _reaches_beyond(box: Any, size: tuple[int, int]) -> bool:
    """Whether a box, left, top, width and height, lies outside an image by a pixel or more."""
    if not isinstance(box, list) or len(box) != 4:
        return False
    left, top, width, height = (float(side) for side in box)
    return min(left, top) <= -1 or left + width >= size[1] + 1 or top + height >= size[0] + 1


def _find(
    root: Path, file: CocoFile, name: str, by_name: Mapping[str, Sequence[Path]]
) -> Path | None:
    """Image of a name in the annotations: where it says, else by its name, in its split first."""
    for folder in (file.path.parent, root, root / "images"):
        # Unlike `is_file`, of names too that no file can have.
        if os.path.isfile(folder / name):  # noqa: PTH113
            return folder / name
    candidates = by_name.get(Path(name.replace("\\", "/")).name, [])
    stem = file.path.stem.rpartition("_")[2]
    of_split = [path for path in candidates if path.parent.name in {stem, file.split}]
    return next(iter([*of_split, *candidates]), None)
