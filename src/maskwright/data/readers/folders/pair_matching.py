"""Which mask belongs to which image, by their names alone."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.readers.folders.numbering import (
    are_shifted,
    by_number_alone,
    plain,
    unpadded,
    without_shared_ending,
)
from maskwright.data.readers.folders.roles import ANNOTATOR, IMAGE_WORDS, MASK_WORDS, role_of_file
from maskwright.data.readers.splits.split_words import SPLIT_WORDS
from maskwright.data.samples import grouped
from maskwright.imageio import natural_key

LOSSY = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
_KIND_WORDS = IMAGE_WORDS | MASK_WORDS
_MASK_ENDING = re.compile(
    r"(?P<stem>.+?)[ _\-.]+(?:"
    + "|".join(sorted(map(re.escape, MASK_WORDS - {"y"}), key=len, reverse=True))
    + r")(?:[ _\-.]*(?P<number>\d+))?",
    re.IGNORECASE,
)
_BRUSH = re.compile(r"task-(?P<task>\d+)-annotation-\d+-by-\d+-tag-.+-\d+", re.IGNORECASE)
_NOT_ALPHANUMERIC = re.compile(r"[^0-9a-zA-Z\u0080-\uffff]")
_AGREEMENT = 0.8  # share of leftover masks that must have known endings
_MAX_ENDINGS = 64


@dataclass
class Matches:
    """Images with their masks, masks without an image, and files that fit several ways."""

    pairs: list[tuple[Path, list[Path]]] = field(default_factory=list)
    alone_masks: list[Path] = field(default_factory=list)
    ambiguous: list[Path] = field(default_factory=list)
    copies: list[Path] = field(default_factory=list)
    by_number: bool = False
    shifted: bool = False

    @property
    def num_masks(self) -> int:
        """Masks in all pairs."""
        return sum(len(masks) for _, masks in self.pairs)


def match(images: Sequence[Path], masks: Sequence[Path], by_number: bool = False) -> Matches:
    """Pair images and masks of two folders, or of one.

    First by equal stems, then by stems without words such as `_mask`, `img_` or `_sat` (with a
    number after it, an image has several masks), then by endings or beginnings that leftover masks
    share, then, if `by_number`, where nothing else fits, `t007` with `man_seg007`, or as before
    without leading zeros and without the ending that all images share. Upper and lower
    case only matter where images differ in nothing else. Images of the same stem are ambiguous,
    unless masks are named after both, as `x.jpg.png` or `x_jpg.png`; of masks of the same stem, one
    of which is a JPEG, the other is taken. `shifted` tells that the numbers of the masks are those
    of the images, shifted.
    """
    by_stem = grouped(images, lambda image: plain(image.stem))
    ambiguous = [path for paths in by_stem.values() if len(paths) > 1 for path in paths]
    free = {stem: paths[0] for stem, paths in by_stem.items() if len(paths) == 1}
    masks_of = _by_letter_case(ambiguous, masks)
    ambiguous = [path for path in ambiguous if path not in masks_of]
    masks = _without(masks, [mask for (mask,) in masks_of.values()])
    stems = {plain(mask.stem) for mask in masks}
    for path in list(ambiguous):
        named = {plain(path.name), plain(f"{path.stem}_{path.suffix[1:]}")} & stems
        if len(named) == 1:
            free[named.pop()] = path
            ambiguous.remove(path)
    every, left = dict(free), list[Path]()
    copies: list[Path] = []
    for stem, same in grouped(masks, lambda mask: plain(mask.stem)).items():
        sharp = [path for path in same if path.suffix.lower() not in LOSSY]
        copies += [path for path in same if len(sharp) == 1 and path != sharp[0]]
        used = sharp if len(sharp) == 1 else same
        if stem not in free:
            (ambiguous if stem in by_stem else left).extend(used)
        elif len(used) > 1:  # x.png and x.gif: nobody knows which is meant
            ambiguous += [free.pop(stem), *used]
        else:
            masks_of[free.pop(stem)] = used

    def take(image_of: Mapping[Path, Path]) -> None:
        nonlocal left, free
        for mask, image in image_of.items():
            masks_of.setdefault(image, []).append(mask)
        left = [mask for mask in left if mask not in image_of]
        free = {stem: image for stem, image in free.items() if image not in masks_of}

    take(_by_words(left, free, _KIND_WORDS))
    take(_by_words(left, free, _KIND_WORDS | set(SPLIT_WORDS)))
    take(_by_ending(left, free, alone=not masks_of))
    take(_by_ending(left, every))  # x_edge.png beside x.png
    numbered = by_number and not masks_of
    if numbered:
        take(by_number_alone(left, free))
    if by_number and not masks_of:
        take(_by_ending(left, without_shared_ending(every), stem_of=unpadded))
        numbered = False
    pairs = [
        (image, sorted(masks_of[image], key=lambda p: natural_key(p.name)))
        for image in images
        if image in masks_of
    ]
    shifted = are_shifted(images, masks)
    return Matches(pairs, left, ambiguous, copies, numbered, shifted)


def in_order(images: Sequence[Path], masks: Sequence[Path]) -> Matches:
    """Pair the first image with the first mask and so on, where there are as many of both."""
    if len(images) != len(masks):
        return Matches(alone_masks=list(masks))
    return Matches([(image, [mask]) for image, mask in zip(images, masks, strict=True)])


def split_folder(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Images and masks of one folder that holds both: `x.jpg` beside `x_mask.png` or `x.png`, or
    beside `x_1stHO.png`, or beside files with endings that recur, such as `x_dent.png`.
    """
    masks = [
        p
        for p in files
        if _MASK_ENDING.fullmatch(p.stem) or _by_annotator(p.stem) or role_of_file(p) == "mask"
    ]
    if 0 < len(masks) < len(files):
        return _without(files, masks), masks
    lossy = [p for p in files if p.suffix.lower() in LOSSY]
    stems = {plain(p.stem) for p in lossy}
    others = _without(files, lossy)
    if lossy and others and all(plain(p.stem) in stems for p in others):
        return lossy, others
    every = {plain(p.stem) for p in files}
    ends = [p for p in files if _begins(plain(p.stem), every)]
    images = _without(files, ends)
    free = {plain(p.stem): p for p in images}
    if len(images) > 1 and ends and len(_by_ending(ends, free)) == len(ends):
        return images, ends
    return list(files), []


def _without(files: Sequence[Path], others: Sequence[Path]) -> list[Path]:
    excluded = set(others)
    return [path for path in files if path not in excluded]


def _by_annotator(stem: str) -> bool:
    """Whether a stem ends in an annotator, as in `Image_01L_1stHO`."""
    match = ANNOTATOR.search(stem)
    return match is not None and match.start() > 0 and match.end() == len(stem)


def _by_letter_case(images: Sequence[Path], masks: Sequence[Path]) -> dict[Path, list[Path]]:
    """Mask of each image with exactly its stem, such as `A0` beside `a0`."""
    masks_of = grouped(masks, lambda mask: mask.stem)
    by_stem = grouped(images, lambda image: image.stem)
    return {
        same[0]: masks_of[stem]
        for stem, same in by_stem.items()
        if len(same) == len(masks_of.get(stem, ())) == 1
    }


def _begins(stem: str, stems: Collection[str]) -> list[int]:
    """Where a stem can be cut so that what is before is another stem."""
    return [m.start() for m in _NOT_ALPHANUMERIC.finditer(stem) if stem[: m.start()] in stems]


def _bare(stem: str, words: Collection[str]) -> str:
    """Stem without words that only say what kind of file it is, at either end."""
    parts = re.split(r"([ _\-.]+)", plain(stem))
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
            candidates = by_bare.get(plain(ending["stem"]), [])
            candidates = candidates or by_bare.get(_bare(ending["stem"], words), [])
        if len(candidates) == 1:
            image_of[mask] = candidates[0]
    return image_of


def _by_ending(
    masks: Sequence[Path],
    free: Mapping[str, Path],
    alone: bool = False,
    stem_of: Callable[[str], str] = plain,
) -> dict[Path, Path]:
    """Pair `x_scratch.png` and `x_dent.png`, or `scratch_x.png`, with `x.png`.

    Nearly all masks must have such endings, few of which differ. Digits alone are rather the number
    of another image, unless the masks stand `alone` and all have them.
    """
    names = dict(free)
    bare = grouped(free, lambda stem: _bare(stem, _KIND_WORDS))
    names |= {name: free[stems[0]] for name, stems in bare.items() if len(stems) == 1}

    def cut(mask: Path) -> tuple[str, Path] | None:
        whole = stem_of(mask.stem)
        if brush := _BRUSH.fullmatch(whole):
            images = [names[n] for n in (f"task-{brush['task']}", brush["task"]) if n in names]
            return (whole[brush.end("task") :], images[0]) if images else None
        for stem in dict.fromkeys((whole, _bare(whole, _KIND_WORDS))):
            if places := _begins(stem, names):
                return stem[places[-1] :], names[stem[: places[-1]]]
            ends = (m.end() for m in _NOT_ALPHANUMERIC.finditer(stem) if stem[m.end() :] in names)
            if end := next(ends, None):
                return stem[:end], names[stem[end:]]
        return None

    cuts = {mask: result for mask in masks if (result := cut(mask))}
    marked = {mask: image for mask, (mark, image) in cuts.items() if re.search(r"[^\W\d_]", mark)}
    kinds = {re.sub(r"\d+", "", cuts[mask][0]) for mask in marked}
    most = max(1, min(_MAX_ENDINGS, len(marked) // 2, 3 * len(set(marked.values()))))
    few = len(kinds) <= most or (len(free) == 1 and len(kinds) == len(marked))
    if marked and few and len(marked) >= _AGREEMENT * len(masks):
        return marked
    image_of = {mask: image for mask, (_, image) in cuts.items()}
    whole = len(cuts) == len(masks) and set(image_of.values()) == set(free.values())
    return image_of if alone and whole else {}
