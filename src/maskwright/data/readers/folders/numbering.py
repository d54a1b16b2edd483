"""Images and masks whose names are alike but for a number."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path


def plain(stem: str) -> str:
    """Stem in lower case, with accents written in one way."""
    return unicodedata.normalize("NFC", stem).casefold()


def unpadded(stem: str) -> str:
    """Plain stem with numbers without leading zeros."""
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain(stem))


def without_shared_ending(images: Mapping[str, Path]) -> dict[str, Path]:
    """Images by their unpadded stems without the words that all of them end with.

    As `x_rgb_anon` of masks `x_gt_labels`; none where two would have one name.
    """
    parts = {stem: re.split(r"([ _\-.]+)", unpadded(stem)) for stem in images}
    while len(parts) > 1 and all(len(words) > 2 for words in parts.values()):
        if len({tuple(words[-2:]) for words in parts.values()}) > 1:
            break
        parts = {stem: words[:-2] for stem, words in parts.items()}
    names = {"".join(words): images[stem] for stem, words in parts.items()}
    return names if len(names) == len(images) else {}


def by_number_alone(masks: Sequence[Path], free: Mapping[str, Path]) -> dict[Path, Path]:
    """Pair `t007.tif` with `man_seg007.tif`, where all names of each side are alike but for it."""
    images = _numbers(free.values())
    targets = _numbers(masks)
    if images is None or targets is None or len(images) < 2:  # one file is no pattern
        return {}
    return {mask: images[number] for number, mask in targets.items() if number in images}


def _numbers(paths: Collection[Path]) -> dict[int, Path] | None:
    """Files by their number; `None` where the names differ by more, or lack a number."""
    found = [(re.findall(r"\d+", path.stem), path) for path in paths]
    if len({re.sub(r"\d+", "#", plain(path.stem)) for path in paths}) != 1:
        return None
    columns = list(zip(*(numbers for numbers, _ in found), strict=True))
    varying = [place for place, column in enumerate(columns) if len(set(map(int, column))) > 1]
    place = varying[0] if varying else len(columns) - 1
    if len(varying) > 1 or place < 0:
        return None
    by_number = {int(numbers[place]): path for numbers, path in found}
    return by_number if len(by_number) == len(found) else None


def are_shifted(images: Sequence[Path], masks: Sequence[Path]) -> bool:
    """Whether masks are numbered as images without gaps, but from another number on and up to one
    beyond theirs, so that equal numbers need not belong together.
    """
    first, second = (sorted(_numbers(side) or ()) for side in (images, masks))
    runs = all(len(run) > 1 and run[-1] - run[0] == len(run) - 1 for run in (first, second))
    if not runs or abs(len(first) - len(second)) > 1:
        return False
    return (first[0] < second[0]) == (first[-1] < second[-1]) and first[0] != second[0]
