"""Which mask belongs to which image, by their names alone."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.readers.folders.roles import IMAGE_WORDS, MASK_WORDS
from maskwright.data.readers.split_files import SPLIT_WORDS
from maskwright.data.samples import grouped
from maskwright.imageio import natural_key

_KIND_WORDS = IMAGE_WORDS | MASK_WORDS
_MASK_ENDING = re.compile(
    r"(?P<stem>.+?)[ _\-.]+(?:"
    + "|".join(sorted(map(re.escape, MASK_WORDS - {"y"}), key=len, reverse=True))
    + r")(?:[ _\-.]*(?P<number>\d+))?",
    re.IGNORECASE,
)
_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-zA-Z\u0080-\uffff]")
_AGREEMENT = 0.8  # share of leftover masks that must have the same unknown ending


@dataclass
class Matches:
    """Images with their masks, masks without an image, and files that fit several ways."""

    pairs: list[tuple[Path, list[Path]]] = field(default_factory=list)
    alone_masks: list[Path] = field(default_factory=list)
    ambiguous: list[Path] = field(default_factory=list)
    by_number: bool = False


def match(images: Sequence[Path], masks: Sequence[Path], by_number: bool = False) -> Matches:
    """Pair images and masks of two folders, or of one.

    First by equal stems, then by stems without words such as `_mask`, `img_` or `_sat` (with a
    number after it, an image has several masks), then by an ending that most leftover masks share,
    then, if `by_number`, `t007` with `man_seg007` where nothing else fits.
    Upper and lower case do not matter. Images of the same stem are ambiguous.
    """
    by_stem = grouped(images, lambda image: _plain(image.stem))
    ambiguous = [path for paths in by_stem.values() if len(paths) > 1 for path in paths]
    free = {stem: paths[0] for stem, paths in by_stem.items() if len(paths) == 1}
    left: list[Path] = []
    exact: dict[str, list[Path]] = {}
    for mask in masks:
        stem = _plain(mask.stem)
        if stem in free:
            exact.setdefault(stem, []).append(mask)
        else:
            (ambiguous if stem in by_stem else left).append(mask)
    masks_of: dict[Path, list[Path]] = {}
    for stem, same in exact.items():
        image = free.pop(stem)
        if len(same) > 1:  # x.png and x.gif: nobody knows which is meant
            ambiguous += [image, *same]
        else:
            masks_of[image] = same

    def take(image_of: Mapping[Path, Path]) -> None:
        nonlocal left, free
        for mask, image in image_of.items():
            masks_of.setdefault(image, []).append(mask)
        left = [mask for mask in left if mask not in image_of]
        free = {stem: image for stem, image in free.items() if image not in masks_of}

    take(_by_words(left, free, _KIND_WORDS))
    take(_by_words(left, free, _KIND_WORDS | set(SPLIT_WORDS)))
    take(_by_ending(left, free))
    numbered = by_number and not masks_of
    if numbered:
        take(_by_number(left, free))
    pairs = [
        (image, sorted(masks_of[image], key=lambda p: natural_key(p.name)))
        for image in images
        if image in masks_of
    ]
    return Matches(pairs, left, ambiguous, numbered)


def split_folder(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Images and masks of one folder that holds both: `x.jpg` beside `x_mask.png` or `x.png`."""
    masks = [p for p in files if _MASK_ENDING.fullmatch(p.stem)]
    if 0 < len(masks) < len(files):
        return [p for p in files if p not in set(masks)], masks
    lossy = [p for p in files if p.suffix.lower() in {".jpg", ".jpeg"}]
    stems = {_plain(p.stem) for p in lossy}
    others = [p for p in files if p not in set(lossy)]
    if lossy and others and all(_plain(p.stem) in stems for p in others):
        return lossy, others
    return list(files), []


def _plain(stem: str) -> str:
    return unicodedata.normalize("NFC", stem).casefold()


def _bare(stem: str, words: Collection[str]) -> str:
    """Stem without words that only say what kind of file it is, at either end."""
    parts = re.split(r"([ _\-.]+)", _plain(stem))
    while len(parts) > 2 and parts[0] in words:
        parts = parts[2:]
    while len(parts) > 2 and parts[-1] in words:
        parts = parts[:-2]
    return "".join(parts)


def _by_words(
    masks: Sequence[Path], free: Mapping[str, Path], words: Collection[str]
) -> dict[Path, Path]:
    """Image of each mask, by stems without words that only say what kind of file it is."""
    by_bare: dict[str, list[Path]] = {}
    for stem, image in free.items():
        for name in {stem, _bare(stem, words)}:
            by_bare.setdefault(name, []).append(image)
    image_of = {}
    for mask in masks:
        candidates = by_bare.get(_bare(mask.stem, words), [])
        if not candidates and (ending := _MASK_ENDING.fullmatch(mask.stem)):
            candidates = by_bare.get(_plain(ending["stem"]), [])
            candidates = candidates or by_bare.get(_bare(ending["stem"], words), [])
        if len(candidates) == 1:
            image_of[mask] = candidates[0]
    return image_of


def _by_ending(masks: Sequence[Path], free: Mapping[str, Path]) -> dict[Path, Path]:
    """Pair `x_anything.png` with `x.png` where most leftover masks end alike."""
    endings: dict[str, dict[Path, Path]] = {}
    for mask in masks:
        stem = _plain(mask.stem)
        cuts = [m.start() for m in _NOT_ALPHANUMERIC.finditer(stem) if stem[: m.start()] in free]
        if cuts:
            kind = re.sub(r"\d+$", "", stem[cuts[-1] :])
            endings.setdefault(kind, {})[mask] = free[stem[: cuts[-1]]]
    kind, members = max(endings.items(), key=lambda item: len(item[1]), default=("", {}))
    # An ending of digits alone is more likely another image's number than a mask's mark.
    agree = re.search(r"[^\W\d_]", kind) and len(members) >= _AGREEMENT * len(masks)
    return members if agree else {}


def _by_number(masks: Sequence[Path], free: Mapping[str, Path]) -> dict[Path, Path]:
    """Pair `t007.tif` with `man_seg007.tif`, where all names of each side are alike but for it."""
    images = {_numbered(stem): image for stem, image in free.items()}
    targets = {_numbered(mask.stem): mask for mask in masks}
    if len(images) < 2:  # one file is no pattern
        return {}
    alike = all(len({name for name, _ in side}) == 1 for side in (images, targets))
    if not alike or len(images) < len(free) or len(targets) < len(masks):
        return {}
    by_number = {number: image for (_, number), image in images.items() if number is not None}
    return {mask: by_number[n] for (_, n), mask in targets.items() if n in by_number}


def _numbered(stem: str) -> tuple[str, int | None]:
    """Name without its only number, and the number; `None` where there is not exactly one."""
    numbers = re.findall(r"\d+", stem)
    if len(numbers) != 1:
        return stem, None
    return re.sub(r"\d+", "", _plain(stem)), int(numbers[0])
