"""Data sets in the JSON of COCO, drawn once as PNG files with a manifest.

Polygons of several parts and run lengths, packed or not, become one mask of classes for each image
and a list of its objects, which may overlap. Crowds are no objects: where only they lie, pixels are
ignored.
"""

import csv
import hashlib
import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.audit.audit_finding import counted
from maskwright.data.parallel import in_threads
from maskwright.data.readers.data_yaml import write_description
from maskwright.data.readers.manifest import write_manifest
from maskwright.data.readers.pair_matching import SPLIT_WORDS
from maskwright.data.readers.tfds import cache_folder
from maskwright.data.samples import Sample, unique_ids
from maskwright.errors import DataError
from maskwright.imageio import IMAGE_SUFFIXES, atomic_write, natural_key, write_mask
from maskwright.instances import Instances
from maskwright.labels import BACKGROUND_NAMES, IGNORE_LABEL, MAX_CLASSES, Labels
from maskwright.rle import decode_rle, fill_polygons

_FORMAT = 2  # of the files written; another number has them written anew
_JSON_LOOKED_AT = 20
_NAMES_TOLD = 5
_NOTES = "notes.txt"


@dataclass(frozen=True)
class Annotations:
    """One file of annotations.

    Args:
        path: Where it is.
        content: What it holds.
        split: That its name or folder states, or `None`.
    """

    path: Path
    content: Mapping[str, Any]
    split: str | None


@dataclass(frozen=True)
class _Object:
    """What is drawn of an annotation: its class, its `segmentation`, and how it is named."""

    label: int
    shape: Any
    name: str

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """Mask of booleans in the size of the image; `DataError` where nothing can be drawn."""
        try:
            return _mask(self.shape, size)
        except DataError as error:
            raise DataError(f"object {self.name}: {error}") from None


@dataclass(frozen=True)
class _Picture:
    """An image and what is drawn for it, in order."""

    id: str
    image: Path
    split: str | None
    size: tuple[int, int]
    objects: list[_Object] = field(default_factory=list)
    crowds: list[_Object] = field(default_factory=list)


def convert_to_png(source: Path) -> tuple[Path, list[str]] | None:
    """Folder with masks, instances, `manifest.csv`, `regions.csv` and `data.yaml` of a data set.

    The first call draws it into a cache, later ones find it there, unless files have changed.
    Images stay where they are.

    Args:
        source: Folder with images and annotations, or one file of annotations.

    Returns:
        The folder and sentences on what was made of the annotations; `None` where there are none.

    Raises:
        DataError: If no object of an image that is there has a mask.
    """
    root = source
    if source.is_file():
        root = source.parent.parent if source.parent.name == "annotations" else source.parent
    images: list[Path] = []
    texts: list[Path] = [source] if source.is_file() else []
    for path in sorted(root.rglob("*"), key=lambda p: natural_key(str(p))):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(path)
        elif path.suffix.lower() == ".json" and not source.is_file():
            texts.append(path)
    texts = texts[:_JSON_LOOKED_AT]
    folder = cache_folder().parent / "coco" / f"{root.resolve().name}-{_key(root, images, texts)}"
    if not (folder / "manifest.csv").is_file():
        files = _read(texts)
        if not files:
            return None
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and moved: what is interrupted leaves nothing that looks complete.
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            _write(beside, root, files, images)
            if not folder.exists():
                beside.replace(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return folder, (folder / _NOTES).read_text(encoding="utf-8").splitlines()


def _key(root: Path, images: Sequence[Path], texts: Sequence[Path]) -> str:
    """Hash of all that decides what is drawn, without reading it."""
    digest = hashlib.sha256(f"{_FORMAT} {root.resolve()}".encode())
    for path in images:
        digest.update(str(path.relative_to(root)).encode())
    for path in texts:
        state = path.stat()
        digest.update(f"{path.name} {state.st_size} {state.st_mtime_ns}".encode())
    return digest.hexdigest()[:12]


def _read(paths: Sequence[Path]) -> list[Annotations]:
    """Files that annotate objects; those called instances where there are such."""
    found = []
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            continue
        keys = ("images", "annotations", "categories")
        if isinstance(content, dict) and all(isinstance(content.get(key), list) for key in keys):
            words = re.split(r"[^a-z]+", f"{path.parent.name} {path.stem}".casefold())
            split = next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)
            found.append(Annotations(path, content, split))
    named = [file for file in found if "instances" in file.path.stem.casefold()]
    return named or found


def _write(folder: Path, root: Path, files: Sequence[Annotations], images: Sequence[Path]) -> None:
    """Draw everything and describe it."""
    try:
        names, label_of = _classes(files)
        pictures, notes = _pictures(root, files, images, label_of)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"The annotations in {files[0].path} are not those of COCO: {error!r}."
        ) from None
    if not any(picture.objects for picture in pictures):
        raise DataError(
            f"{files[0].path} holds COCO annotations, but no mask of an image below {root}: "
            f"{' '.join(notes) or 'it lists none.'}"
        )
    labels = Labels.create(names)
    outcomes = in_threads(partial(_draw, folder, labels), pictures, "Drawing masks")
    samples: list[Sample] = []
    rows: list[tuple[str, int, str]] = []
    broken: list[str] = []
    for picture, outcome in zip(pictures, outcomes, strict=True):
        if isinstance(outcome, DataError):
            broken.append(str(outcome))
            continue
        samples.append(outcome)
        image = str(picture.image.resolve())
        numbered = enumerate(picture.objects, start=1)
        rows += [(image, number, names[drawn.label]) for number, drawn in numbered]
    if broken:
        notes.append(f"Left out: {counted(len(broken), 'image')}, the first {broken[0]}")
    write_manifest(folder / "manifest.csv", samples)
    table = folder / "regions.csv"
    with atomic_write(table) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "region", "label"))
        writer.writerows(rows)
    described = labels.to_dict()
    stated = {"manifest": "manifest.csv", "classes": described["names"]}
    stated |= {"colors": described["colors"], "values": dict(enumerate(names))}
    write_description(
        folder / "data.yaml", {**stated, "ignore": [IGNORE_LABEL]}, [f"Drawn from {root}.", *notes]
    )
    (folder / _NOTES).write_text("\n".join(notes), encoding="utf-8")


def _classes(files: Sequence[Annotations]) -> tuple[list[str], dict[int, int]]:
    """Names of the classes, background first, and the class of each category.

    All categories are classes, or where these are too many or names occur twice, those that occur.
    """
    named = {c["id"]: str(c["name"]) for file in files for c in file.content["categories"]}
    used = {a["category_id"] for file in files for a in file.content["annotations"]}
    if unknown := used - named.keys():
        raise DataError(
            f"{files[0].path} uses the category {min(unknown)}, which is not among its categories, "
            f'{_first(f"{id_} {name}" for id_, name in named.items())}. Add it to "categories", '
            f"or remove its objects."
        )
    background = [id_ for id_, name in named.items() if name.casefold() in BACKGROUND_NAMES]
    listed = [id_ for id_ in sorted(named) if id_ not in background]
    plain = len({named[id_] for id_ in listed}) == len(listed) and len(listed) < MAX_CLASSES
    kept = listed if plain else [id_ for id_ in listed if id_ in used]
    if len(kept) >= MAX_CLASSES:
        raise DataError(
            f"{files[0].path} annotates {len(kept)} categories; expected at most "
            f"{MAX_CLASSES - 1}, as labels are bytes."
        )
    counts = Counter(named[id_] for id_ in kept)
    names = [named[i] if counts[named[i]] == 1 else f"{named[i]} ({i})" for i in kept]
    label_of = dict.fromkeys(background, 0) | {id_: n for n, id_ in enumerate(kept, start=1)}
    return [named[background[0]] if background else "background", *names], label_of


def _first(names: Iterable[str]) -> str:
    """The first of some names, and how many more there are."""
    listed = list(names)
    more = len(listed) - _NAMES_TOLD
    return ", ".join(listed[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def _pictures(
    root: Path,
    files: Sequence[Annotations],
    images: Sequence[Path],
    label_of: Mapping[int, int],
) -> tuple[list[_Picture], list[str]]:
    """Images that are there, with what is to be drawn, and sentences on the rest."""
    by_name: dict[str, list[Path]] = {}
    for path in images:
        by_name.setdefault(path.name, []).append(path)
    divided = len({file.split for file in files}) > 1
    entries: list[tuple[Annotations, Any, Path]] = []
    lost: list[str] = []
    for file in files:
        for entry in file.content["images"]:
            image = _find(root, file, str(entry["file_name"]), by_name)
            if image is None:
                lost.append(str(entry["file_name"]))
            else:
                entries.append((file, entry, image))
    ids = unique_ids([(path.parent.name, path.stem) for _, _, path in entries])
    pictures: dict[tuple[Path, Any], _Picture] = {}
    for (file, entry, path), id_ in zip(entries, ids, strict=True):
        size = (int(entry["height"]), int(entry["width"]))
        split = file.split if divided else None
        pictures[file.path, entry["id"]] = _Picture(id_, path, split, size)
    boxes = crowds = 0
    flat: list[str] = []
    beyond: list[str] = []
    for file in files:
        for annotation in file.content["annotations"]:
            picture = pictures.get((file.path, annotation["image_id"]))
            label, shape = label_of[annotation["category_id"]], annotation.get("segmentation")
            if picture is None or label == 0:
                continue
            name = f"{annotation.get('id', '?')} of {picture.image.name}"
            if _reaches_beyond(annotation.get("bbox"), picture.size):
                beyond.append(name)
            if not shape:
                boxes += 1
            elif _is_flat(shape):
                flat.append(name)
            elif annotation.get("iscrowd"):
                crowds += 1
                picture.crowds.append(_Object(label, shape, name))
            else:
                picture.objects.append(_Object(label, shape, name))
    notes = []
    if lost:
        told = counted(len(lost), "image that is", "images that are")
        notes.append(f"Left out: {told} not there, the first {lost[0]}.")
    if boxes:
        notes.append(f"Left out: {counted(boxes, 'object')} with a box but no mask.")
    if flat:
        told = counted(len(flat), "object")
        notes.append(
            f"Left out: {told} whose polygon has fewer than three points and so no area, the first "
            f"{flat[0]}; draw it again, or remove it."
        )
    if beyond:
        told = counted(len(beyond), "box that reaches beyond its", "boxes that reach beyond their")
        notes.append(
            f"Not used: {told} image, the first of object {beyond[0]}; boxes are made from masks."
        )
    if crowds:
        told = counted(crowds, "crowd")
        notes.append(f"Left out: {told}, as no region; pixels of crowds alone are ignored.")
    return list(pictures.values()), notes


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
    root: Path, file: Annotations, name: str, by_name: Mapping[str, Sequence[Path]]
) -> Path | None:
    """Image of a name in the annotations: where it says, else by its name, in its split first."""
    for folder in (file.path.parent, root, root / "images"):
        if (folder / name).is_file():
            return folder / name
    found = by_name.get(Path(name.replace("\\", "/")).name, [])
    stem = file.path.stem.rpartition("_")[2]
    own = [path for path in found if path.parent.name in {stem, file.split}]
    return next(iter([*own, *found]), None)


def _draw(folder: Path, labels: Labels, picture: _Picture) -> Sample | DataError:
    """Write classes and objects of an image; later objects lie on top."""
    classes = np.zeros(picture.size, np.uint8)
    try:
        crowds = [crowd.mask(picture.size) for crowd in picture.crowds]
        for inside in crowds:
            classes[inside] = IGNORE_LABEL
        masks = [drawn.mask(picture.size) for drawn in picture.objects]
    except DataError as error:
        return error
    for inside, drawn in zip(masks, picture.objects, strict=True):
        classes[inside] = drawn.label
    objects = Instances.from_masks(
        masks + crowds,
        picture.size,
        [drawn.label for drawn in picture.objects + picture.crowds],
        crowd=[False] * len(masks) + [True] * len(crowds),
    )
    mask = folder / "masks" / f"{picture.id}.png"
    write_mask(mask, classes, labels.colors)
    listed = folder / "instances" / f"{picture.id}.json"
    with atomic_write(listed) as beside:
        beside.write_text(objects.to_json(), encoding="utf-8")
    return Sample(picture.id, picture.image, (mask,), picture.id, picture.split, instances=listed)


def _mask(shape: Any, size: tuple[int, int]) -> np.ndarray:
    """Mask of a segmentation: polygons, or run lengths with a size of their own."""
    if isinstance(shape, dict) and {"size", "counts"} <= shape.keys():
        if tuple(shape["size"]) != size:
            made, own = ("x".join(map(str, sides)) for sides in (shape["size"], size))
            raise DataError(
                f"run lengths of {made} pixels in an image of {own}; run lengths belong to the "
                f"image they were made for"
            )
        return decode_rle(shape["counts"], size)
    if isinstance(shape, list):
        return fill_polygons(shape if isinstance(shape[0], list) else [shape], size)
    raise DataError(f"expected polygons or run lengths, received {str(shape)[:60]}")
