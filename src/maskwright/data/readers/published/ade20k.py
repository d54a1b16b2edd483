"""Reader of ADE20K as of the scene parsing benchmark: 150 classes by number, 0 is ignored."""

from functools import partial
from pathlib import Path

from maskwright.data.encodings import ClassEntry, ClassMap
from maskwright.data.readers.base import Layout, Place, Reader, Recognition
from maskwright.data.readers.description import OWN_LAYOUT
from maskwright.data.readers.leftovers import NO_MASK
from maskwright.data.readers.splits.split_words import split_of
from maskwright.data.samples import Sample, SkippedFile, unique_ids
from maskwright.errors import DataError
from maskwright.imageio import list_images

LEGEND = "objectInfo150.txt"


def _recognize(place: Place) -> Recognition | None:
    root = place.path
    stated = place.description.model_fields_set if place.description else set()
    folders = (root / "images", root / "annotations")
    if stated & OWN_LAYOUT or not all(path.is_dir() for path in folders):
        return None
    return Recognition(1.0, LEGEND, partial(_read, root)) if (root / LEGEND).is_file() else None


ADE20K = Reader(
    "ADE20K",
    "the folder of ADE20K (scene parsing)",
    _recognize,
)


def _read(root: Path) -> Layout:
    images, masks, splits = [], [], []
    skipped = []
    for folder in sorted(path for path in (root / "images").iterdir() if path.is_dir()):
        drawn = root / "annotations" / folder.name
        mask_of = {mask.stem: mask for mask in list_images(drawn)} if drawn.is_dir() else {}
        for image in list_images(folder):
            if image.stem in mask_of:
                images.append(image)
                masks.append(mask_of[image.stem])
                splits.append(split_of(folder.name) or folder.name)
            else:
                skipped.append(SkippedFile(image, NO_MASK, unpaired="image"))
    ids = unique_ids([(image.parent.name, image.stem) for image in images])
    samples = [
        Sample(id_, image, (mask,), id_, split)
        for id_, image, mask, split in zip(ids, images, masks, splits, strict=True)
    ]
    return Layout("ADE20K", samples, skipped, class_map=read_legend(root / LEGEND))


def read_legend(path: Path) -> ClassMap:
    """Classes of a table with the columns `Idx` and `Name`, with 0 as void; `DataError` of others.

    A class of the published table, which has further columns, has the first of its names, or all
    where another class has the same.
    """
    try:
        lines = [line.split("\t") for line in path.read_text(encoding="utf-8-sig").splitlines()]
        header = [cell.strip() for cell in lines[0]]
        number, column = header.index("Idx"), header.index("Name")
        rows = [(int(cells[number]), cells[column].strip()) for cells in lines[1:] if any(cells)]
    except (OSError, UnicodeDecodeError, ValueError, IndexError):
        raise DataError(
            f"{path} is no table of classes; expected the tab-separated columns Idx and Name."
        ) from None
    first = 1 if "Stuff" in header else None
    short = [",".join(names.split(",")[:first]) for _, names in rows]
    entries = [
        ClassEntry(name if short.count(name) == 1 else names, value)
        for (value, names), name in zip(rows, short, strict=True)
    ]
    return ClassMap((*entries, ClassEntry("void", 0)), path.name)
