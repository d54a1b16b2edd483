"""Reader of the JSON of COCO, whose objects are drawn once as PNG files with a manifest.

An image gets one mask of classes and a list of its objects, which may overlap. Crowds are no
objects: where only they lie, pixels are ignored.
"""

import json
import mmap
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.readers.base import Place, Reader, Recognition
from maskwright.data.readers.coco_objects import CocoFile, CocoImage, list_classes, list_images
from maskwright.data.readers.conversion import convert
from maskwright.data.readers.description import PLACES, described_labels
from maskwright.data.readers.manifest import write_described
from maskwright.data.readers.split_files import SPLIT_WORDS
from maskwright.data.samples import Note, Sample, counted
from maskwright.errors import DataError
from maskwright.imageio import (
    IMAGE_SUFFIXES,
    natural_key,
    read_header,
    write_mask,
    write_table,
    write_text,
)
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, Labels

_FORMAT = 4  # of the files written; another number has them written anew
_MAX_FILES = 20  # of annotations in a folder
_KEYS = ("images", "annotations", "categories")


def _recognize(place: Place) -> Recognition | None:
    description, path = place.description, place.path
    if path.suffix.lower() == ".json" and path.is_file():
        return Recognition(0.9 if _has_keys(path) else 0.5, path.name, partial(_convert, place))
    if not path.is_dir() or (description and PLACES & description.model_fields_set):
        return None
    file = next((file for file in _json_files(path) if _has_keys(file)), None)
    return Recognition(0.5, file.name, partial(_convert, place)) if file else None


COCO = Reader("COCO annotations", "a JSON file of COCO", "COCO annotations", _recognize)


def _has_keys(path: Path) -> bool:
    """Whether a file names the keys of COCO anywhere."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            return all(text.find(f'"{key}"'.encode()) >= 0 for key in _KEYS)
    except (OSError, ValueError):  # unreadable or empty
        return False


def _json_files(root: Path) -> list[Path]:
    """The first JSON files below a folder, by name."""
    paths = (Path(at, name) for at, _, names in os.walk(root) for name in names)
    return _sorted(path for path in paths if path.suffix.lower() == ".json")[:_MAX_FILES]


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: natural_key(str(path)))


def _convert(place: Place) -> Place:
    """Draw a data set as PNG with a manifest into a cache, unless it is there and unchanged."""
    source = root = place.path
    if source.is_file():
        root = source.parent.parent if source.parent.name == "annotations" else source.parent
    images = _sorted(path for path in root.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    texts = [source] if source.is_file() else _json_files(root)

    def write(folder: Path) -> list[Note]:
        files = _parse(texts)
        if not files:
            raise DataError(
                f"{source} holds no COCO annotations; expected lists of images, annotations and "
                f"categories."
            )
        try:
            return _write(folder, root, files, images)
        except UnicodeEncodeError as error:
            raise DataError(
                f"{source} holds a name that is no text, {error.object[:60]!r}; expected names of "
                f"images and categories in Unicode."
            ) from None

    return convert(replace(place, source=str(root)), COCO.name, _FORMAT, [*images, *texts], write)


def _parse(paths: Sequence[Path]) -> list[CocoFile]:
    """Files that annotate objects; those called instances where there are such."""
    files = []
    for path in paths:
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict) and all(isinstance(content.get(key), list) for key in _KEYS):
            words = re.split(r"[^a-z]+", f"{path.parent.name} {path.stem}".casefold())
            split = next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)
            files.append(CocoFile(path, content, split))
    return [file for file in files if "instances" in file.path.stem.casefold()] or files


def _write(
    folder: Path, root: Path, files: Sequence[CocoFile], paths: Sequence[Path]
) -> list[Note]:
    """Draw all masks and describe them; what is to be told of them."""
    try:
        names, label_of = list_classes(files)
        images, notes = list_images(root, files, paths, label_of)
    except UnicodeEncodeError:
        raise
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise DataError(
            f"The annotations in {files[0].path} are not those of COCO: {error!r}."
        ) from None
    if all(each.crowd for image in images for each in image.objects):
        raise DataError(
            f"{files[0].path} holds COCO annotations, but no mask of an image below {root}: "
            f"{' '.join(map(str, notes)) or 'it lists none.'}"
        )
    labels = Labels.create(names)
    results = list(in_threads(partial(_draw, folder, labels), images, "Drawing masks"))
    samples = [result for result in results if isinstance(result, Sample)]
    broken = [result for result in results if isinstance(result, DataError)]
    if broken:
        text = f"Skipped: {counted(len(broken), 'image')}, the first {broken[0]}"
        notes.append(Note("broken_annotations", text))
    rows = [
        (str(image.image.resolve()), number, names[each.label])
        for image, result in zip(images, results, strict=True)
        if isinstance(result, Sample)
        for number, each in enumerate((each for each in image.objects if not each.crowd), start=1)
    ]
    write_table(folder / "regions.csv", ("image", "region", "label"), rows)
    stated = described_labels(labels) | {"ignore": [IGNORE_LABEL]}
    write_described(folder, samples, stated, [f"Drawn from {root}.", *map(str, notes)])
    return notes


def _check_size(image: CocoImage) -> None:
    """Raise `DataError` for a size that is none, or larger than the image file."""
    header, (height, width) = read_header(image.image), image.size
    if not (1 <= height <= header.height and 1 <= width <= header.width):
        raise DataError(
            f"{image.image}: the annotations state {height} x {width} pixels, the file has "
            f"{header.height} x {header.width}; expected the annotations of this image."
        )


def _draw(folder: Path, labels: Labels, image: CocoImage) -> Sample | DataError:
    """Write classes and objects of an image; later objects lie on top, crowds below all."""
    objects = sorted(image.objects, key=lambda each: each.crowd)
    try:
        _check_size(image)
        masks = [each.mask(image.size) for each in objects]
    except DataError as error:
        return error
    classes = np.zeros(image.size, np.uint8)
    for inside, each in zip(masks, objects, strict=True):
        if each.crowd:
            classes[inside & (classes == 0)] = IGNORE_LABEL
        else:
            classes[inside] = each.label
    instances = Instances.from_masks(
        masks,
        image.size,
        [each.label for each in objects],
        crowd=[each.crowd for each in objects],
    )
    mask = folder / "masks" / f"{image.id}.png"
    write_mask(mask, classes, labels.colors)
    listed = folder / "instances" / f"{image.id}.json"
    write_text(listed, instances.to_json())
    return Sample(image.id, image.image, (mask,), image.id, image.split, instances=listed)
