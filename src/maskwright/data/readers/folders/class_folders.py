"""Folders of classes whose names also mean something else, such as `masks/photo`, `masks/train`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from maskwright.data.encodings.contents import read_contents
from maskwright.data.readers.folders.pair_matching import LOSSY, match
from maskwright.data.readers.folders.roles import Folder, parse_folder_name
from maskwright.data.samples import grouped
from maskwright.errors import DataError
from maskwright.labels import Color

_FEW_VALUES = 16  # that a mask has at most, whose path does not say that it is one
_MOST = 0.5  # share of files, or of images, that must belong together


def with_class_folders(folders: Sequence[Folder], root: Path) -> list[Folder]:
    """Folders, where those beside folders of classes are of classes too, whatever their names.

    They hold masks of the same images. One named like `objects` becomes a folder of masks if these
    hold the same two values, and no class yet.
    """
    result = {folder.path: folder for folder in folders}
    parts = {folder.path: folder.path.relative_to(root).parts for folder in folders}
    for depth in range(1, max(map(len, parts.values()), default=0)):
        deep = [folder for folder in folders if len(parts[folder.path]) > depth]

        def beside(folder: Folder, depth: int = depth) -> tuple[str, ...]:
            names = parts[folder.path]
            return (*names[:depth], "", *names[depth + 1 :])

        for siblings in grouped(deep, beside).values():
            names = {folder.path: parts[folder.path][depth] for folder in siblings}
            plain = [f for f in siblings if f.role == "mask" and names[f.path] in f.rest]
            if plain and len(plain) < len(siblings):
                inside = root.joinpath(*parts[plain[0].path][:depth])
                images = [f for f in folders if f.role != "mask" and inside not in f.path.parents]
                result |= _renamed(siblings, plain, names, images)
    return list(result.values())


def _renamed(
    siblings: Sequence[Folder],
    plain: Sequence[Folder],
    names: dict[Path, str],
    images: Sequence[Folder],
) -> dict[Path, Folder]:
    """Folders that change, by their paths; `plain` are those of classes, `names` those of all."""
    first = plain[0]
    first_images = _images_of(first, images)
    result: dict[Path, Folder] = {}
    labeled = False
    for folder in siblings:
        name = names[folder.path]
        role, split, _ = parse_folder_name(name)
        other = role == "image" or (split is not None and all(split != f.split for f in images))
        colors = colors_of(folder.files) if other or role == "objects" else set()
        is_class = other and 0 < len(colors) <= _FEW_VALUES
        if not is_class and not 0 < len(colors) <= 2:
            continue
        if not is_class and colors != colors_of(first.files):
            continue
        masked = _images_of(folder, images)
        if len(masked) < _MOST * len(folder.files):
            continue
        common = masked & first_images
        if len(common) < _MOST * min(len(masked), len(first_images)):  # splits, not classes
            continue
        rest = tuple(name if part == names[first.path] else part for part in first.rest)
        moved = replace(first, path=folder.path, files=folder.files, rest=rest)
        result[folder.path] = replace(moved, label=name) if is_class else moved
        labeled |= is_class
    if labeled:
        result |= {folder.path: replace(folder, label=names[folder.path]) for folder in plain}
    return result


def _images_of(masks: Folder, images: Sequence[Folder]) -> set[Path]:
    """Images whose masks lie in a folder, by the names of the files."""
    matches = [match(folder.files, masks.files, by_number=True) for folder in images]
    return {image for each in matches for image, _ in each.pairs}


def colors_of(masks: Sequence[Path]) -> set[Color]:
    """Colors of the first, the middle and the last mask; none where one cannot be read."""
    files = [file for file in masks if file.suffix.lower() not in LOSSY] or masks
    try:
        chosen = [read_contents(files[n]) for n in {0, len(files) // 2, len(files) - 1}]
    except DataError:
        return set()
    return set().union(*(content.as_colors() for content in chosen))
