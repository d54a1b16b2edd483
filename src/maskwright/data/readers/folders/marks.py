"""What the names of masks say beyond those of their images: classes, annotators, views, copies."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Literal

from maskwright.data.readers.folders.roles import (
    ANNOTATOR,
    IMAGE_WORDS,
    MASK_WORDS,
    OBJECT_WORDS,
    PORTION,
    VIEW_WORDS,
    Folder,
    words_of,
)

MarkKind = Literal["plain", "class", "annotator", "view", "shown", "objects", "brush"]

DERIVED_WORDS = frozenset(
    {"color", "colors", "colour", "colours", "colored", "coloured", "colormask", "vis", "viz"}
    | {"visual", "visualization", "visualisation", "overlay", "overlays", "preview", "previews"}
    | {"blend", "blended", "superpixels", "superpixel", "thumbnail", "thumbnails"}
)
"""Words of files made from masks or images for people to look at."""

_OBJECT_WORDS = OBJECT_WORDS | {"instanceids", "instance_ids", "inst"}
_OBJECT_WORDS |= {"tra"}  # markers of tracks in the Cell Tracking Challenge
_KIND_WORDS = (MASK_WORDS | IMAGE_WORDS) - {"x", "y", "l"}
_BRUSH = re.compile(r"(?P<annotation>annotation-\d+-by-\d+)-tag-(?P<tag>.+)-\d+$", re.IGNORECASE)
_CLASS_NUMBER = re.compile(r"(?:class|cls|grade|type|category|cat|zone|c)\d+", re.IGNORECASE)
_CLASS = re.compile(rf"(?:[lr]_)?[^\W\d_]{{2}}|{_CLASS_NUMBER.pattern}", re.IGNORECASE)  # no hash
_ORDINALS = {"first": 1, "second": 2, "third": 3}


@dataclass(frozen=True)
class Mark:
    """What is said of a mask beside its image.

    Args:
        title: Name of the folder of masks.
        extra: Words in the folder's path that the image's lacks.
        name: Words in the file's name that the image's lacks.
        label: Class that data.yaml states.
    """

    title: str
    extra: str
    name: str
    label: str = ""

    @property
    def kind(self) -> MarkKind:
        """What the words mean."""
        return _read(self)[0]

    @property
    def text(self) -> str:
        """Name of the class, or the annotator; `""` of others."""
        return _read(self)[1]

    @property
    def bare(self) -> bool:
        """Whether nothing but `mask` is said, as fields of view are called beside annotators."""
        return self.kind == "plain" and "mask" in f"{self.title} {self.name}".casefold()


@dataclass(frozen=True)
class Pair:
    """An image and its masks, as the folders show them.

    Args:
        rest: What the path of the image says beside its role and split.
        marks: What the name of each mask says beside its image.
        source: Folder of images that are of one kind with this one.
        classes: Class that each mask shows; empty where masks hold the classes.
        field_of_view: Mask outside of which nothing counts.
    """

    image: Path
    masks: tuple[Path, ...]
    split: str | None
    rest: tuple[str, ...]
    marks: tuple[Mark, ...] = ()
    source: Path = Path()
    classes: tuple[str, ...] = ()
    field_of_view: Path | None = None

    def keep(self, places: Iterable[int]) -> "Pair":
        """With some of its masks."""
        chosen = list(places)
        masks = tuple(self.masks[place] for place in chosen)
        return replace(self, masks=masks, marks=tuple(self.marks[place] for place in chosen))


@lru_cache(maxsize=100_000)
def _read(mark: Mark) -> tuple[MarkKind, str]:
    if mark.label:
        return "class", mark.label
    words = {word.casefold() for word in words_of(f"{mark.extra} {mark.name}")}
    titled = words | {word.casefold() for word in words_of(mark.title)} | {mark.title.casefold()}
    if _BRUSH.search(mark.name):
        return "class", class_parts(mark)[1]
    if titled & VIEW_WORDS:
        return "view", ""
    if titled & DERIVED_WORDS:
        return "shown", ""
    if words & _OBJECT_WORDS:
        return "objects", ""
    for text in (mark.name, mark.extra, mark.title):
        if match := ANNOTATOR.search(text):
            rank = match["rank"] or match["joined"] or match["number"] or match["ordinal"].lower()
            number = _ORDINALS.get(rank, rank)
            return "annotator", str(number).lower()
    name = "_".join(part for part in class_parts(mark) if part)
    return ("class", name) if name else ("plain", "")


def class_parts(mark: Mark) -> tuple[str, str]:
    """Names of a class that the folder and the file state, `""` for none."""
    if brush := _BRUSH.search(mark.name):
        return "", brush["tag"]
    named = class_name(mark.name, numbered=True)
    extra = " ".join(word for word in mark.extra.split(" ") if not PORTION.fullmatch(word))
    return class_name(extra), named if _CLASS.match(named) else ""


def annotation_of(mark: Mark) -> str:
    """Annotation, and its annotator, that a brush mask of Label Studio is of; `""` for others."""
    brush = _BRUSH.search(mark.name)
    return brush["annotation"] if brush else ""


def mark_of(
    mask: Path, image: Path, folder: Folder, extra: Sequence[str] = (), alone: bool = False
) -> Mark:
    """Mark of a mask file in a folder.

    `extra` are words of the folder that the image's lacks; `alone` tells that all masks there are
    of the image, however they are called.
    """
    low, stem = mask.stem.lower(), image.stem.lower()
    whole = (image.name.lower(), f"{stem}_{image.suffix[1:].lower()}")  # of x.jpg.png, x_jpg.png
    stem = next((name for name in whole if low.startswith(name)), stem)
    start = low.find(stem)
    ends = re.match(r"[^a-z0-9]|$", low[start + len(stem) :])
    if alone and not (start == 0 and ends and low != stem):
        name = mask.stem
    elif start >= 0:
        name = f"{mask.stem[:start]} {mask.stem[start + len(stem) :]}"
    else:
        known = {word.casefold() for word in words_of(image.stem)}
        name = " ".join(word for word in words_of(mask.stem) if word.casefold() not in known)
    return Mark(folder.title, " ".join(extra), name.strip(" _-."), folder.label)


def class_name(name: str, numbered: bool = False) -> str:
    """Name without words such as `mask` at its ends, and, if `numbered`, without numbers there."""
    parts = re.split(r"([ _\-.]+)", name.strip(" _-."))

    def idle(part: str) -> bool:
        return not part or part.casefold() in _KIND_WORDS or (numbered and part.isdecimal())

    if numbered and not _CLASS_NUMBER.fullmatch(parts[-1]):
        parts[-1] = re.sub(r"\d+$", "", parts[-1])
    while parts and idle(parts[0]):
        parts = parts[2:]
    while parts and idle(parts[-1]):
        parts = parts[:-2]
    return "".join(parts).replace(" ", "_")


def short_names(marks: Iterable[Mark]) -> dict[str, str]:
    """Names of classes by `Mark.text`, as short as tells them apart.

    Those of folders alone, or of files alone, where one of both suffices; without words that all of
    them begin with, such as `attribute_globules`.
    """
    parts = {mark.text: class_parts(mark) for mark in marks if mark.kind == "class"}
    names = {text: text for text in parts}
    for side in (0, 1):
        alone = {text: both[side] for text, both in parts.items()}
        if all(alone.values()) and len(set(alone.values())) == len(parts):
            names = alone
            break
    parted = {text: name.split("_") for text, name in names.items()}
    if len(parted) > 1:
        while all(len(words) > 1 for words in parted.values()):
            if len({words[0].casefold() for words in parted.values()}) > 1:
                break
            parted = {name: words[1:] for name, words in parted.items()}
    return {name: "_".join(words) for name, words in parted.items()}


def glob_of(files: Sequence[Path], root: Path) -> str:
    """Glob, relative to a folder, that fits the files: parts that differ become `*`."""
    inside = (file.relative_to(root) if file.is_relative_to(root) else file for file in files)
    rows = [file.parts for file in inside]
    if len({len(row) for row in rows}) != 1:
        return "**/*" + _varying([file.name for file in files])
    return "/".join(_varying(column) for column in zip(*rows, strict=True))


def _varying(names: Sequence[str]) -> str:
    """What names have in common at either end, with `*` between."""
    start = _num_shared(names)
    end = _num_shared([name[start:][::-1] for name in names])
    first = names[0]
    parts = [first] if len(set(names)) == 1 else [first[:start], first[len(first) - end :]]
    return "*".join(re.sub(r"([*?\[])", r"[\1]", part) for part in parts)


def _num_shared(names: Sequence[str]) -> int:
    """Number of first characters that names share."""
    columns = zip(*names, strict=False)
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
