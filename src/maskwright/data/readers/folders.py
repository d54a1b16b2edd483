"""Which folders hold images, which hold masks, and which of them belong together."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from maskwright.data.readers.pair_matching import (
    IMAGE_WORDS,
    MASK_WORDS,
    SPLIT_WORDS,
    match,
    split_folder,
)
from maskwright.imageio import IMAGE_SUFFIXES, is_image, natural_key

_OBJECT_WORDS = frozenset({"instances", "instance", "segmentationobject", "objects"})
_JOINED = re.compile(rf"({'|'.join(SPLIT_WORDS)})({'|'.join(MASK_WORDS - {'y', 'l'})})")
_MASK_PART = re.compile("mask|label|segm|annot|trimap|truth")
_NEUTRAL_WORDS = frozenset({"png", "jpg", "jpeg", "tif", "tiff", "machine", "human", "files"})
_BARE_MASKS = frozenset({"mask", "masks"})
_MAX_DEPTH = 8
# Asking the disk for each of a hundred thousand files whether it is a folder takes long.
_FILE_SUFFIXES = IMAGE_SUFFIXES | {".txt", ".xml", ".json", ".csv", ".mat"}


@dataclass(frozen=True)
class Folder:
    """A folder that holds images, and what its path says.

    Args:
        path: Where it is.
        files: Its image files, in natural order.
        role: `"image"`, `"mask"`, `"objects"` (masks that number objects) or `""`.
        split: Name of the split that the path states, or `None`.
        rest: What remains of the path without the words for those; folders of images and of masks
            that belong together have the same.
    """

    path: Path
    files: tuple[Path, ...]
    role: str
    split: str | None
    rest: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """An image and its masks, as the folders show them."""

    image: Path
    masks: tuple[Path, ...]
    split: str | None
    rest: tuple[str, ...]


@dataclass
class Pairing:
    """All pairs of a data set, and why other files are in none.

    Args:
        pairs: In the order of the folders.
        style: What the folders look like, for people.
        objects: Whether images have one mask file for each object.
        left_out: Image files that are in no pair, each with the reason.
        spare: Folders of masks that would fit as well.
    """

    pairs: list[Pair] = field(default_factory=list)
    style: str = ""
    objects: bool = False
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    spare: list[Path] = field(default_factory=list)


def image_folders(root: Path) -> list[Folder]:
    """Folders with images in and below `root`; hidden ones are passed over, links are followed."""
    found: list[tuple[Path, tuple[Path, ...]]] = []

    def visit(path: Path, above: tuple[Path, ...]) -> None:
        real = path.resolve()
        if real in above or len(above) > _MAX_DEPTH:  # a link that leads in a circle
            return
        entries = sorted(path.iterdir(), key=lambda p: natural_key(p.name))
        files = tuple(p for p in entries if is_image(p) and not p.is_dir())
        if files:
            found.append((path, files))
        for entry in entries:
            hidden = entry.name.startswith((".", "__MACOSX"))
            if not hidden and entry.suffix.lower() not in _FILE_SUFFIXES and entry.is_dir():
                visit(entry, (*above, real))

    visit(root, ())
    paths = [path.relative_to(root).parts for path, _ in found]
    shared = 0
    if len(paths) > 1:
        levels = zip(*paths, strict=False)
        shared = sum(1 for _ in takewhile(lambda level: len(set(level)) == 1, levels))
    return [
        _describe(parts, shared, path, files)
        for parts, (path, files) in zip(paths, found, strict=True)
    ]


def pair_folders(folders: Sequence[Folder]) -> Pairing:
    """Pair the images of all folders with their masks.

    Tried for each folder of images, until one fits: the folder of masks with the same split and the
    same rest of its path, files paired by name; the same with the split stated on one side only;
    several masks for a single image; folders named after the images; masks beside the images;
    any folder of masks in which half of the names fit.
    """
    result = Pairing()
    mask_folders = [f for f in folders if f.role == "mask"]
    mask_folders = mask_folders or [f for f in folders if f.role == "objects"]
    sources = [f for f in folders if f.role == "image"]
    taken = {(f.split, f.rest) for f in sources}
    sources += [f for f in folders if not f.role and (f.split, f.rest) not in taken]
    sources.sort(key=lambda f: folders.index(f))
    by_rest: dict[tuple[str, ...], list[Folder]] = {}
    for masks in mask_folders:
        by_rest.setdefault(masks.rest, []).append(masks)
    reasons: dict[Path, str] = {}
    styles: list[str] = []
    open_sources: list[Folder] = []
    lone = [f for f in sources if len(f.files) == 1]
    one_each = len(lone) > 1 and len(lone) == len(sources)
    for source in sources:
        candidates = by_rest.get(source.rest, [])
        same = [f for f in candidates if f.split == source.split]
        if not same:
            same = [f for f in candidates if f.split is None or source.split is None]
        style = (
            _by_name(source, same, result, reasons)
            or _by_single(source, same, one_each, result)
            or _by_folder(source, by_rest, result)
            or _beside(source, result, reasons)
        )
        if style:
            styles.append(style)
        else:
            open_sources.append(source)
    for source in open_sources:
        used = {mask.parent for pair in result.pairs for mask in pair.masks}
        free = [f for f in mask_folders if f.path not in used and f.split in {source.split, None}]
        style = _by_name(source, free, result, reasons, least=0.5)
        if style:
            styles.append(style)
    if styles:
        result.style = max(sorted(set(styles)), key=styles.count)
    _leave_out(folders, mask_folders, result, reasons)
    return result


def _describe(parts: Sequence[str], shared: int, path: Path, files: tuple[Path, ...]) -> Folder:
    """Folder from the parts of its path, of which the first `shared` are those of all folders."""
    role, split, rest = "", None, []
    for depth, part in enumerate(parts):
        part_role, part_split, remains = _words_of(part)
        # What all folders have in common, such as `lung_segmentation`, tells none of them apart.
        role = part_role if part_role and depth >= shared else role
        split = part_split or split
        if remains:
            rest.append(remains)
    return Folder(path, files, role, split, tuple(rest))


def _words_of(part: str) -> tuple[str, str | None, str]:
    """Role and split that the name of a folder states, and what is left of the name."""
    name = part.casefold()
    if role := _role(name):
        return role, None, ""
    if name in SPLIT_WORDS:
        return "", SPLIT_WORDS[name], ""
    if joined := _JOINED.fullmatch(name):  # trainannot
        return "mask", SPLIT_WORDS[joined[1]], ""
    words = [word for word in re.split(r"[ _\-.]+", name) if word not in _NEUTRAL_WORDS]
    roles = [_role(word) or _role_of_part(word) for word in words]
    split = next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)
    plain = [
        word
        for word, role in zip(words, roles, strict=True)
        if not role and word not in SPLIT_WORDS
    ]
    # `train_masks`, `GT_01` and `my_images` state a role; `image_7` is a name like any other.
    role = next((role for role in reversed(roles) if role not in {"", "image"}), "")
    if not role and roles and (roles[-1] == "image" or not plain):
        role = max(roles)
    if role:
        return role, split, "_".join(plain)
    if split is not None:
        return "", split, "_".join(word for word in words if word not in SPLIT_WORDS)
    return "", None, part


def _role(word: str) -> str:
    if word in _OBJECT_WORDS:
        return "objects"
    if word in MASK_WORDS:
        return "mask"
    return "image" if word in IMAGE_WORDS else ""


def _role_of_part(word: str) -> str:
    """Role that a part of a word states, as in PedMasks and PNGImages."""
    if _MASK_PART.search(word) and not word.startswith("un"):
        return "mask"
    return "image" if "images" in word else ""


def _by_name(
    source: Folder,
    candidates: Sequence[Folder],
    result: Pairing,
    reasons: dict[Path, str],
    least: float = 0.0,
) -> str:
    """Pair files of two folders by their names; the folder of masks that fits best wins."""
    attempts = [
        (folder, match(source.files, folder.files, by_number=folder.rest == source.rest))
        for folder in candidates
    ]
    attempts = [
        (folder, found)
        for folder, found in attempts
        if found.pairs and len(found.pairs) >= least * min(len(source.files), len(folder.files))
    ]
    if not attempts:
        return ""
    # Where the masks are divided into splits and the images are not, every folder of masks counts.
    splits = {folder.split for folder, _ in attempts}
    # A folder called masks beside another one may hold the fields of view, as in DRIVE.
    best = [
        max(attempts, key=lambda a: (len(a[1].pairs), a[0].path.name.lower() not in _BARE_MASKS))
    ]
    used = attempts if source.split is None and len(splits) > 1 else best
    for folder, found in used:
        split = source.split or folder.split
        for image, masks in found.pairs:
            result.pairs.append(Pair(image, tuple(masks), split, source.rest))
            result.objects |= len(masks) > 1
        for path in found.ambiguous:
            reasons[path] = "several files of the same name fit together"
    result.spare += [folder.path for folder, _ in attempts if (folder, _) not in used]
    style = "folders of images and masks"
    return f"{style}, paired by number" if best[0][1].by_number else style


def _by_single(
    source: Folder, candidates: Sequence[Folder], one_each: bool, result: Pairing
) -> str:
    """One image and the masks of its objects, named at will, as in the Data Science Bowl 2018."""
    if len(source.files) != 1:
        return ""
    masks = candidates[0].files if len(candidates) == 1 else ()
    if not candidates and one_each:
        beside = [p for p in source.path.parent.iterdir() if p.is_dir()]
        if not any(_role(p.name.casefold()) == "mask" for p in beside):
            return ""
    elif not masks or (len(masks) == 1 and not one_each):
        return ""
    result.pairs.append(Pair(source.files[0], masks, source.split, source.rest))
    result.objects = True
    return "a folder for each image, with one mask for each object"


def _by_folder(
    source: Folder, by_rest: Mapping[tuple[str, ...], list[Folder]], result: Pairing
) -> str:
    """Masks of each image in a folder of the image's name: images/7.png, masks/7/*.png."""
    found = False
    for image in source.files:
        inner = by_rest.get((*source.rest, image.stem), [])
        inner = [f for f in inner if f.split == source.split]
        if len(inner) == 1:
            result.pairs.append(Pair(image, inner[0].files, source.split, source.rest))
            result.objects = found = True
    return "images, and a folder of masks for each of them" if found else ""


def _beside(source: Folder, result: Pairing, reasons: dict[Path, str]) -> str:
    """Masks in the folder of their images: x.jpg, x_mask.png."""
    images, masks = split_folder(source.files)
    found = match(images, masks)
    if not found.pairs or len(found.pairs) < len(masks) / 2:
        return ""
    for image, own in found.pairs:
        result.pairs.append(Pair(image, tuple(own), source.split, source.rest))
        result.objects |= len(own) > 1
    for mask in found.alone_masks:
        reasons[mask] = "mask without an image"
    for path in found.ambiguous:
        reasons[path] = "several files of the same name fit together"
    return "images and masks side by side"


def _leave_out(
    folders: Sequence[Folder],
    mask_folders: Sequence[Folder],
    result: Pairing,
    reasons: Mapping[Path, str],
) -> None:
    """Say of each image file that is in no pair why that is so."""
    used = {file for pair in result.pairs for file in (pair.image, *pair.masks)}
    partners = {file.parent for file in used}
    for folder in folders:
        if folder.role == "objects" and folder not in mask_folders:
            continue  # numbered objects beside masks of classes are not missed
        if folder.path in result.spare:
            continue
        is_mask = folder in mask_folders
        reason = "mask without an image" if is_mask else "image without a mask"
        if folder.path not in partners:
            reason = f"{reason.split()[0]} in a folder without {'images' if is_mask else 'masks'}"
        for file in folder.files:
            if file not in used:
                result.left_out.append((file, reasons.get(file, reason)))
