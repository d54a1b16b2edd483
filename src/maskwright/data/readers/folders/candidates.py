"""Folders of masks that may belong to a folder of images, by the words in their paths."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from maskwright.data.encodings.contents import read_contents
from maskwright.data.readers.folders.marks import DERIVED_WORDS
from maskwright.data.readers.folders.numbering import plain
from maskwright.data.readers.folders.pair_matching import LOSSY
from maskwright.data.readers.folders.roles import Folder, role_of, words_of
from maskwright.data.samples import grouped
from maskwright.errors import DataError

_FEW_VALUES = 16  # that a mask has at most, whose path has no word for masks


@dataclass(frozen=True)
class MaskFolder:
    """Folder of masks, and the words in its path that the folder of images lacks."""

    folder: Folder
    extra: tuple[str, ...]


class MaskFolders:
    """Folders of masks, to be asked for those that fit a folder of images."""

    def __init__(self, masks: Sequence[Folder], sources: Sequence[Folder]) -> None:
        counts = Counter(word for source in sources for word in set(source.words))
        self._masks = masks
        # Words in all paths of images, such as `Dermoscopic` in PH2, need not be in those of masks.
        self._common = {word for word, count in counts.items() if count == len(sources)}
        self._distinct = counts.keys() - self._common
        self._parts = {part for source in sources for part in _parts(source)}
        self._by_words = grouped(masks, lambda folder: tuple(sorted(folder.words)))
        self._by_word: dict[str, list[Folder]] = {}
        for folder in masks:
            for word in set(folder.words):
                self._by_word.setdefault(word, []).append(folder)
        same = ({c.folder.path for c in self.same(source)} for source in sources)
        self._owners = Counter(path for paths in same for path in paths)

    def same(self, source: Folder) -> list[MaskFolder]:
        """Folders with the same words and the same split, else with a split on one side only."""
        equal = self._by_words.get(tuple(sorted(source.words)), [])
        return [MaskFolder(folder, ()) for folder in _same_split(equal, source)]

    def is_shared(self, folder: Folder) -> bool:
        """Whether several folders of images have the same words and split."""
        return self._owners[folder.path] > 1

    def wider(self, source: Folder) -> list[MaskFolder]:
        """Folders with further words, such as those of classes.

        Those that share most words with the images, and those beside them; none with a word, or a
        folder's whole name, of other folders of images.
        """
        own = set(source.words)
        rare = own & self._distinct
        fits = min((self._by_word.get(word, []) for word in rare), key=len, default=self._masks)
        missing: dict[Path, int] = {}
        for folder in fits:
            words = set(folder.words)
            if _is_inside(folder, source):  # class_2 of scan_1 is not of scan_2
                foreign = (_parts(folder) - _parts(source)) & self._parts
            else:
                foreign = (words - own) & self._distinct
            if rare <= words and words != own and not foreign:
                missing[folder.path] = len(own - words)
        least = min(missing.values(), default=0)
        beside = {path.parent for path, count in missing.items() if count == least}
        nearest = [f for f in fits if f.path in missing and f.path.parent in beside]
        return [MaskFolder(f, _further_words(f, source)) for f in _same_split(nearest, source)]


def _parts(folder: Folder) -> set[str]:
    return {part.casefold() for part in folder.rest}


def _is_inside(folder: Folder, source: Folder) -> bool:
    """Whether the path of a folder holds all names of another's, not only their words."""
    return bool(source.rest) and _parts(source) <= _parts(folder)


def _further_words(folder: Folder, source: Folder) -> tuple[str, ...]:
    """Words of the path of a folder of masks that the path of the images lacks.

    The 1 of scan_1 is not that of scan_1/class_1.
    """
    own = set(source.words)
    result: list[str] = []
    for part in folder.rest:
        words = words_of(part)
        lacking = [word for word in words if word.casefold() not in own]
        as_whole = _is_inside(folder, source) and part.casefold() not in _parts(source)
        numbered = as_whole and words[-1].isdecimal() and own.isdisjoint(_words(words[:-1]))
        result += words if numbered else lacking
    return tuple(result)


def _words(words: Sequence[str]) -> set[str]:
    return {word.casefold() for word in words}


def _same_split(folders: Sequence[Folder], source: Folder) -> list[Folder]:
    same = [folder for folder in folders if folder.split == source.split]
    return same or [f for f in folders if f.split is None or source.split is None]


def assign_roles(folders: Sequence[Folder]) -> tuple[list[Folder], list[Folder]]:
    """Folders of masks, and folders of images.

    Where no path has a word for masks, other than `roi`, folders beside those of images are masks
    if their files look like it.
    """
    masks = [f for f in folders if f.role == "mask"]
    images = [f for f in folders if f.role == "image"]
    if images and all(role_of(f.title.casefold()) == "" and _is_roi(f) for f in masks):
        taken = {(f.split, f.words) for f in images}
        others = [f for f in folders if not f.role and (f.split, f.words) not in taken]
        if others and all(
            map(_looks_like_masks, (others[0], others[len(others) // 2], others[-1]))
        ):
            return masks + others, images
    masks = masks or [f for f in folders if f.role == "objects"]
    taken = {(f.split, f.rest) for f in images}
    images += [f for f in folders if not f.role and (f.split, f.rest) not in taken]
    order = {id(folder): place for place, folder in enumerate(folders)}
    images.sort(key=lambda f: order[id(f)])
    return masks, images


def without_derived(folders: Sequence[Folder]) -> tuple[list[Folder], set[Path]]:
    """Folders of images without files such as `x_superpixels.png` beside `x.jpg`, and those."""
    derived: set[Path] = set()
    for folder in folders:
        stems = {plain(file.stem) for file in folder.files}
        for file in folder.files if folder.role != "mask" else ():
            start, _, end = re.sub(r"[ _\-.]+(?=[^ _\-.]+$)", "/", plain(file.stem)).partition("/")
            if start in stems and end in DERIVED_WORDS:
                derived.add(file)
    left = [replace(f, files=tuple(p for p in f.files if p not in derived)) for f in folders]
    return left, derived


def _is_roi(folder: Folder) -> bool:
    return "roi" in {word.casefold() for word in words_of(folder.title)}


def _looks_like_masks(folder: Folder) -> bool:
    """Whether a file of a folder has few values; a JPEG only where there is no other."""
    try:
        file = min(folder.files, key=lambda path: path.suffix.lower() in LOSSY)
        return len(read_contents(file).values) <= _FEW_VALUES
    except DataError:
        return False
