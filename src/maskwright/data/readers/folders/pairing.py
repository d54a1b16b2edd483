"""Pairs of images and masks as they are collected, and why other files are in none."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.readers.folders.candidates import MaskFolder
from maskwright.data.readers.folders.marks import DERIVED_WORDS, Mark, Pair, mark_of
from maskwright.data.readers.folders.pair_matching import Matches
from maskwright.data.readers.folders.roles import Folder
from maskwright.data.samples import SkippedFile


@dataclass
class Pairing:
    """All pairs of a data set, and `reasons` why other files are in none.

    `style` is for people; `shifted` are folders whose images and masks are numbered alike but for
    the start; `unpaired` are images without masks, `spare` files made of images or masks.
    """

    pairs: list[Pair] = field(default_factory=list)
    style: str = ""
    shifted: list[Path] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    unpaired: list[Pair] = field(default_factory=list)
    spare: set[Path] = field(default_factory=set)
    reasons: dict[Path, str] = field(default_factory=dict)

    @property
    def alone(self) -> list[Path]:
        """Images and masks in no pair."""
        return [*(pair.image for pair in self.unpaired), *(file.path for file in self.skipped)]

    def add(self, found: Sequence[tuple[MaskFolder, Matches]], source: Folder, group: Path) -> None:
        """Add pairs whose images lie in a folder, with the masks of all folders that fit.

        `group` is equal for images whose masks are named alike.
        """
        members: dict[tuple[Path, str | None], list[tuple[Path, Mark]]] = {}
        for candidate, matches in found:
            folder = candidate.folder
            for image, masks in matches.pairs:
                of_image = members.setdefault((image, source.split or folder.split), [])
                of_image += [(m, mark_of(m, image, folder, candidate.extra)) for m in masks]
            for path in matches.ambiguous:
                self.reasons[path] = "several files of the same name fit together"
            self.spare.update(matches.copies)
            if matches.shifted and source.path not in self.shifted:
                self.shifted.append(source.path)
        for (image, split), masks_of in members.items():
            paths, marks = zip(*masks_of, strict=True)
            self.pairs.append(Pair(image, paths, split, source.rest, marks, group))


def add_skipped(folders: Sequence[Folder], mask_folders: Sequence[Folder], result: Pairing) -> None:
    """Say of each image file that is in no pair why that is so."""
    used = {file for pair in result.pairs for file in (pair.image, *pair.masks)} | result.spare
    partners = {file.parent for file in used}
    of_masks = {id(folder) for folder in mask_folders}
    for folder in folders:
        left = [file for file in folder.files if file not in used]
        # Numbered objects beside masks of classes, and pictures of masks, are not missed.
        beside = folder.role == "objects" or folder.title.casefold() in DERIVED_WORDS
        if beside and id(folder) not in of_masks:
            continue
        if id(folder) in of_masks:
            reason = "mask without an image"
            if folder.path not in partners:
                reason = "mask in a folder without images"
            result.skipped += [
                SkippedFile(p, result.reasons.get(p, reason), unpaired="mask") for p in left
            ]
            continue
        for file in left:
            if file in result.reasons:
                reason = result.reasons[file]
                result.skipped.append(SkippedFile(file, reason, unpaired="image"))
            else:
                result.unpaired.append(Pair(file, (), folder.split, folder.rest))
