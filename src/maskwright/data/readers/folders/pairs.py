"""Which images and masks of which folders belong together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.readers.folders.pair_matching import Matches, match, split_folder
from maskwright.data.readers.folders.roles import Folder, role_of
from maskwright.data.samples import SkippedFile, grouped

_BARE_MASKS = frozenset({"mask", "masks"})


@dataclass(frozen=True)
class Pair:
    """An image and its masks, as the folders show them."""

    image: Path
    masks: tuple[Path, ...]
    split: str | None
    rest: tuple[str, ...]


@dataclass
class Pairing:
    """All pairs of a data set, and `reasons` why other files are in none.

    `style` is for people, `objects` means one mask file for each object, `spare` are folders of
    masks that would fit as well.
    """

    pairs: list[Pair] = field(default_factory=list)
    style: str = ""
    objects: bool = False
    skipped: list[SkippedFile] = field(default_factory=list)
    spare: list[Path] = field(default_factory=list)
    reasons: dict[Path, str] = field(default_factory=dict)

    def add(self, matches: Matches, source: Folder, split: str | None) -> None:
        """Add pairs whose images lie in a folder, and name the files that fit several ways."""
        for image, masks in matches.pairs:
            self.pairs.append(Pair(image, tuple(masks), split, source.rest))
            self.objects |= len(masks) > 1
        for path in matches.ambiguous:
            self.reasons[path] = "several files of the same name fit together"


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
    by_rest = grouped(mask_folders, lambda folder: folder.rest)
    styles: list[str] = []
    unpaired: list[Folder] = []
    one_each = len(sources) > 1 and all(len(f.files) == 1 for f in sources)
    for source in sources:
        candidates = by_rest.get(source.rest, [])
        same = [f for f in candidates if f.split == source.split]
        if not same:
            same = [f for f in candidates if f.split is None or source.split is None]
        style = (
            _by_name(source, same, result)
            or _by_single(source, same, one_each, result)
            or _by_folder(source, by_rest, result)
            or _beside(source, result)
        )
        if style:
            styles.append(style)
        else:
            unpaired.append(source)
    for source in unpaired:
        used = {mask.parent for pair in result.pairs for mask in pair.masks}
        free = [f for f in mask_folders if f.path not in used and f.split in {source.split, None}]
        if style := _by_name(source, free, result, least=0.5):
            styles.append(style)
    result.style = max(sorted(set(styles)), key=styles.count, default="")
    _add_skipped(folders, mask_folders, result)
    return result


def _by_name(
    source: Folder, candidates: Sequence[Folder], result: Pairing, least: float = 0.0
) -> str:
    """Pair files of two folders by their names; the folder of masks that fits best wins."""
    attempts = []
    for folder in candidates:
        matches = match(source.files, folder.files, by_number=folder.rest == source.rest)
        enough = least * min(len(source.files), len(folder.files))
        if matches.pairs and len(matches.pairs) >= enough:
            attempts.append((folder, matches))
    if not attempts:
        return ""
    # Where the masks are divided into splits and the images are not, every folder of masks counts.
    splits = {folder.split for folder, _ in attempts}
    # A folder called masks beside another one may hold the fields of view, as in DRIVE.
    best = max(attempts, key=lambda a: (len(a[1].pairs), a[0].path.name.lower() not in _BARE_MASKS))
    used = attempts if source.split is None and len(splits) > 1 else [best]
    for folder, matches in used:
        result.add(matches, source, source.split or folder.split)
    result.spare += [folder.path for folder, _ in attempts if (folder, _) not in used]
    style = "folders of images and masks"
    return f"{style}, paired by number" if best[1].by_number else style


def _by_single(
    source: Folder, candidates: Sequence[Folder], one_each: bool, result: Pairing
) -> str:
    """One image and the masks of its objects, named at will, as in the Data Science Bowl 2018."""
    if len(source.files) != 1:
        return ""
    masks = candidates[0].files if len(candidates) == 1 else ()
    if not candidates and one_each:
        beside = [p for p in source.path.parent.iterdir() if p.is_dir()]
        if not any(role_of(p.name.casefold()) == "mask" for p in beside):
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
    paired = False
    for image in source.files:
        inner = by_rest.get((*source.rest, image.stem), [])
        inner = [f for f in inner if f.split == source.split]
        if len(inner) == 1:
            result.pairs.append(Pair(image, inner[0].files, source.split, source.rest))
            result.objects = paired = True
    return "images, and a folder of masks for each of them" if paired else ""


def _beside(source: Folder, result: Pairing) -> str:
    """Masks in the folder of their images: x.jpg, x_mask.png."""
    images, masks = split_folder(source.files)
    matches = match(images, masks)
    if not matches.pairs or len(matches.pairs) < len(masks) / 2:
        return ""
    result.reasons |= dict.fromkeys(matches.alone_masks, "mask without an image")
    result.add(matches, source, source.split)
    return "images and masks side by side"


def _add_skipped(
    folders: Sequence[Folder], mask_folders: Sequence[Folder], result: Pairing
) -> None:
    """Say of each image file that is in no pair why that is so."""
    used = {file for pair in result.pairs for file in (pair.image, *pair.masks)}
    partners = {file.parent for file in used}
    for folder in folders:
        # Numbered objects beside masks of classes are not missed.
        is_beside = folder.role == "objects" and folder not in mask_folders
        if is_beside or folder.path in result.spare:
            continue
        is_mask = folder in mask_folders
        reason = "mask without an image" if is_mask else "image without a mask"
        if folder.path not in partners:
            reason = f"{reason.split()[0]} in a folder without {'images' if is_mask else 'masks'}"
        result.skipped += [
            SkippedFile(file, result.reasons.get(file, reason))
            for file in folder.files
            if file not in used
        ]
