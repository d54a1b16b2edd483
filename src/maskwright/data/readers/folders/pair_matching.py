"""Which mask belongs to which image, by their names alone."""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.readers.name_words import IMAGE_WORDS, MASK_WORDS, SPLIT_WORDS
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
    """Pair images and masks of two folders.

    First by equal stems, then by stems without words such as `_mask`, `img_` or `_sat` (with a
    number after it, an image has several masks), then by an ending that most leftover masks share.
    Upper and lower case do not matter. Images of the same stem are ambiguous.

    Args:
        images: Of one folder.
        masks: Of another, or of the same.
        by_number: Whether, where nothing else fits, `t007` may go with `man_seg007`.
    """
    by_stem: dict[str, list[Path]] = {}
    for image in images:
        by_stem.setdefault(_plain(image.stem), []).append(image)
    ambiguous = [path for paths in by_stem.values() if len(paths) > 1 for path in paths]
    masks_of: dict[Path, list[Path]] = {
        paths[0]: [] for paths in by_stem.values() if len(paths) == 1
    }
    owners = {stem: paths[0] for stem, paths in by_stem.items() if len(paths) == 1}
    doubtful = {stem for stem, paths in by_stem.items() if len(paths) > 1}
    left: list[Path] = []
    exact: dict[Path, list[Path]] = {}
    for mask in masks:
        stem = _plain(mask.stem)
        if stem in doubtful:
            ambiguous.append(mask)
        elif stem in owners:
            exact.setdefault(owners[stem], []).append(mask)
        else:
            left.append(mask)
    for image, same in exact.items():
        if len(same) > 1:  # x.png and x.gif: nobody knows which is meant
            ambiguous += [image, *same]
            del masks_of[image]
        else:
            masks_of[image] = same
    for words in (_KIND_WORDS, _KIND_WORDS | set(SPLIT_WORDS)):
        left = _match_by_words(left, owners, masks_of, words)
    left = _match_by_ending(left, owners, masks_of)
    numbered = by_number and not any(masks_of.values())
    if numbered:
        left = _match_by_number(left, owners, masks_of)
    result = Matches(alone_masks=left, ambiguous=ambiguous, by_number=numbered)
    for image in images:
        if masks_of.get(image):
            of_image = sorted(masks_of[image], key=lambda p: natural_key(p.name))
            result.pairs.append((image, of_image))
    return result


def split_folder(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Images and masks of one folder that holds both: `x.jpg` beside `x_mask.png` or `x.png`."""
    masks = [p for p in files if _MASK_ENDING.fullmatch(p.stem)]
    images = [p for p in files if not _MASK_ENDING.fullmatch(p.stem)]
    if masks and images:
        return images, masks
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


def _match_by_words(
    masks: Sequence[Path],
    owners: dict[str, Path],
    masks_of: dict[Path, list[Path]],
    words: Collection[str],
) -> list[Path]:
    by_bare: dict[str, list[Path]] = {}
    for stem, image in owners.items():
        if not masks_of.get(image, [None]):  # no mask yet
            bare = _bare(stem, words)
            by_bare.setdefault(bare, []).append(image)
            if bare != stem:
                by_bare.setdefault(stem, []).append(image)
    left = []
    for mask in masks:
        ending = _MASK_ENDING.fullmatch(mask.stem)
        candidates = by_bare.get(_bare(mask.stem, words), [])
        if not candidates and ending is not None:
            candidates = by_bare.get(_plain(ending["stem"]), [])
            candidates = candidates or by_bare.get(_bare(ending["stem"], words), [])
        if len(candidates) == 1:
            masks_of[candidates[0]].append(mask)
        else:
            left.append(mask)
    return left


def _match_by_ending(
    masks: Sequence[Path], owners: dict[str, Path], masks_of: dict[Path, list[Path]]
) -> list[Path]:
    """Pair `x_anything.png` with `x.png` where most leftover masks end alike."""
    endings: dict[str, list[tuple[Path, Path]]] = {}
    for mask in masks:
        stem = _plain(mask.stem)
        cuts = [m.start() for m in _NOT_ALPHANUMERIC.finditer(stem)]
        for cut in reversed(cuts):
            image = owners.get(stem[:cut])
            if image is not None and not masks_of.get(image, [None]):
                kind = re.sub(r"\d+$", "", stem[cut:])
                endings.setdefault(kind, []).append((mask, image))
                break
    if not endings:
        return list(masks)
    kind, members = max(endings.items(), key=lambda item: len(item[1]))
    # An ending of digits alone is more likely another image's number than a mask's mark.
    if not re.search(r"[^\W\d_]", kind) or len(members) < _AGREEMENT * len(masks):
        return list(masks)
    for mask, image in members:
        masks_of[image].append(mask)
    taken = {mask for mask, _ in members}
    return [mask for mask in masks if mask not in taken]


def _match_by_number(
    masks: Sequence[Path], owners: dict[str, Path], masks_of: dict[Path, list[Path]]
) -> list[Path]:
    """Pair `t007.tif` with `man_seg007.tif`, where all names of each side are alike but for it."""
    images = {_numbered(stem): image for stem, image in owners.items()}
    targets = {_numbered(mask.stem): mask for mask in masks}
    if len(images) < 2:  # one file is no pattern
        return list(masks)
    alike = all(len({name for name, _ in side}) == 1 for side in (images, targets))
    if not alike or len(images) < len(owners) or len(targets) < len(masks):
        return list(masks)
    by_number = {number: image for (_, number), image in images.items()}
    left = []
    for (_, number), mask in targets.items():
        if number is not None and number in by_number:
            masks_of[by_number[number]].append(mask)
        else:
            left.append(mask)
    return left


def _numbered(stem: str) -> tuple[str, int | None]:
    """Name without its only number, and the number; `None` where there is not exactly one."""
    numbers = re.findall(r"\d+", stem)
    if len(numbers) != 1:
        return stem, None
    return re.sub(r"\d+", "", _plain(stem)), int(numbers[0])
