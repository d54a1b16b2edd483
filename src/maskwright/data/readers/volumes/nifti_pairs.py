"""Which NIfTI files belong together: the channels of a volume, and its masks."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from maskwright.data.readers.description import Description
from maskwright.data.readers.folders.described import described_folders
from maskwright.data.readers.folders.pairs import pair_folders
from maskwright.data.readers.folders.roles import IMAGE_WORDS, MASK_WORDS, Folder, image_folders
from maskwright.data.readers.volumes.nifti import is_nifti, nifti_stem
from maskwright.data.samples import grouped
from maskwright.errors import DataError

_MASK_TOKENS = MASK_WORDS - {"l", "y"}
_IMAGE_TOKENS = IMAGE_WORDS | {"ct", "mr", "mri"}


@dataclass(frozen=True)
class VolumePair:
    """Files of a volume.

    Args:
        images: Its channels, named by `modalities` if there are several.
        mask_names: What tells each of its masks from the others.
        classes: Class that each mask shows; empty where masks hold the classes.
    """

    name: str
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    split: str | None
    rest: tuple[str, ...]
    modalities: tuple[str, ...] = ()
    mask_names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class VolumePairs:
    """All volumes with masks, what told them, and files in none of them."""

    pairs: list[VolumePair] = field(default_factory=list)
    style: str = ""
    alone: list[Path] = field(default_factory=list)


def pair_nifti(root: Path, description: Description) -> VolumePairs:
    """Pair volumes below a folder with masks: as images are, else by words within one folder."""
    if description.images is None and description.masks is None:
        folders = image_folders(root, is_nifti)
    else:
        try:
            folders = described_folders(root, description, is_nifti)
        except DataError:  # a place of other images
            return VolumePairs()
    by_words = [pair for folder in folders for pair in _by_words(folder)]
    return _as_images(folders) or VolumePairs(by_words, "images and masks by their names")


def _as_images(folders: Sequence[Folder]) -> VolumePairs | None:
    """Pairs as of images, whose stems tell what they are; `None` where there are none."""
    real = {_bare(file): file for folder in folders for file in folder.files}
    pairing = pair_folders([replace(f, files=tuple(map(_bare, f.files))) for f in folders])
    pairs = []
    for p in pairing.pairs:
        names = [mark.label or mark.name or mark.extra or mark.title for mark in p.marks]
        names = [re.sub(r"\W+", "_", name) for name in names]
        stated = any(mark.label for mark in p.marks)
        masks = tuple(real[mask] for mask in p.masks)
        pair = VolumePair(p.image.stem, (real[p.image],), masks, p.split, p.rest)
        pairs.append(replace(pair, mask_names=tuple(names), classes=tuple(names) if stated else ()))
    alone = [real[file] for file in pairing.alone if file in real]
    return VolumePairs(pairs, pairing.style, alone) if pairs else None


def _bare(file: Path) -> Path:
    """Path without `.gz`, whose stem is that of the volume."""
    return file.with_name(f"{nifti_stem(file)}.nii")


def _by_words(folder: Folder) -> Iterator[VolumePair]:
    """Pairs within a folder: `volume-0` with `segmentation-0`, `x_t1` and `x_t2` with `x_seg`."""
    tokens = {file: re.split(r"[ _\-.]+", nifti_stem(file).casefold()) for file in folder.files}
    masks = [file for file in folder.files if _MASK_TOKENS.intersection(tokens[file])]
    images = [file for file in folder.files if file not in masks]
    plain = {
        file: [token for token in tokens[file] if token not in _IMAGE_TOKENS] for file in images
    }
    keys = {mask: [token for token in tokens[mask] if token not in _MASK_TOKENS] for mask in masks}
    for key, same in grouped(masks, lambda mask: tuple(keys[mask])).items():
        chosen = [file for file in images if tuple(plain[file]) == key]
        if len(chosen) != 1:
            chosen = [file for file in images if key and tuple(tokens[file][: len(key)]) == key]
        if chosen:
            modalities = tuple("_".join(tokens[file][len(key) :]) for file in chosen)
            name = "_".join(key) or nifti_stem(chosen[0])
            several = modalities if len(chosen) > 1 else ()
            yield VolumePair(name, tuple(chosen), tuple(same), folder.split, folder.rest, several)
