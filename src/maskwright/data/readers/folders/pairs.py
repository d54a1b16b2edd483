"""Which images and masks of which folders belong together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from maskwright.data.readers.folders.candidates import (
    MaskFolder,
    MaskFolders,
    assign_roles,
    without_derived,
)
from maskwright.data.readers.folders.marks import Pair, mark_of
from maskwright.data.readers.folders.numbering import plain
from maskwright.data.readers.folders.pair_matching import (
    Matches,
    in_order,
    match,
    split_folder,
)
from maskwright.data.readers.folders.pairing import Pairing, add_skipped
from maskwright.data.readers.folders.roles import Folder, role_of, role_of_file


@dataclass(frozen=True)
class _Search:
    """What is known while folders are paired, one after the other."""

    result: Pairing
    masks: MaskFolders
    by_rest: Mapping[tuple[str, ...], list[Folder]]
    one_each: bool
    by_order: bool

    def group(self, source: Folder) -> Path:
        """Folder that stands for all images whose masks are named alike."""
        return Path() if self.one_each else source.path


def pair_folders(folders: Sequence[Folder], by_order: bool = False) -> Pairing:
    """Pair the images of all folders with their masks.

    Tried for each folder of images, until one fits: several masks for a single image; the folders
    of masks with the same split and the same words in their paths, files paired by name; folders
    named after the images; folders of masks with further words; masks beside the images; any folder
    of masks in which half of the names fit. `by_order` pairs first with first and so on.
    """
    result = Pairing()
    folders, result.spare = without_derived(folders)
    mask_folders, sources = assign_roles(folders)
    one_each = len(sources) > 1 and all(len(f.files) == 1 for f in sources)
    by_rest: dict[tuple[str, ...], list[Folder]] = {}
    for folder in mask_folders:
        for depth in range(1, len(folder.rest) + 1):
            by_rest.setdefault(folder.rest[:depth], []).append(folder)
    search = _Search(result, MaskFolders(mask_folders, sources), by_rest, one_each, by_order)
    styles: list[str] = []
    unpaired: list[Folder] = []
    for source in sources:
        same, wider = search.masks.same(source), search.masks.wider(source)
        style = (
            _by_single(source, same, search)
            or _by_name(source, same, search, beside=wider)
            or _by_folder(source, search, least=0.5)
            or _by_name(source, wider, search, least=0.5)
            or _by_folder(source, search)
            or _beside(source, search)
        )
        if style:
            styles.append(style)
        else:
            unpaired.append(source)
    stems = [plain(file.stem) for source in unpaired for file in source.files]
    if len(set(stems)) == len(stems):
        styles += _by_any(unpaired, mask_folders, search)
    result.style = max(sorted(set(styles)), key=styles.count, default="")
    add_skipped(folders, mask_folders, result)
    return result


def _by_any(sources: Sequence[Folder], masks: Sequence[Folder], search: _Search) -> Iterator[str]:
    """Pair folders of images with any masks that are left: all by names, before any by number."""
    left = list(sources)
    for by_number in (False, True):
        for source in list(left):
            used = {mask for pair in search.result.pairs for mask in pair.masks}
            free = [f for f in masks if f.split in {source.split, None}]
            free = [replace(f, files=tuple(p for p in f.files if p not in used)) for f in free]
            candidates = [MaskFolder(folder, ()) for folder in free if folder.files]
            if style := _by_name(source, candidates, search, 0.5, by_number=by_number):
                left.remove(source)
                yield style


def _by_name(
    source: Folder,
    candidates: Sequence[MaskFolder],
    search: _Search,
    least: float = 0.0,
    beside: Sequence[MaskFolder] = (),
    *,
    by_number: bool = True,
) -> str:
    """Pair files of folders by their names; masks `beside` are looked at where others fit."""

    def fitting(candidates: Sequence[MaskFolder], least: float) -> list[tuple[MaskFolder, Matches]]:
        pair = in_order if search.by_order else partial(match, by_number=by_number)
        found = [(c, pair(source.files, c.folder.files)) for c in candidates]
        return [
            (candidate, matches)
            for candidate, matches in found
            if matches.pairs
            and (
                len(matches.pairs) >= least * len(source.files)
                or matches.num_masks >= least * len(candidate.folder.files)
            )
        ]

    found = fitting(candidates, least)
    if not found:
        return ""
    found += fitting(beside, 0.5)
    search.result.add(found, source, search.group(source))
    style = "folders of images and masks"
    return f"{style}, paired by number" if any(m.by_number for _, m in found) else style


def _by_single(source: Folder, same: Sequence[MaskFolder], search: _Search) -> str:
    """One image and the masks of its objects, named at will, as in the Data Science Bowl 2018."""
    if len(source.files) != 1:
        return ""
    image = source.files[0]
    own = [c for c in same if not search.masks.is_shared(c.folder)]
    masks = [(mask, candidate) for candidate in own for mask in candidate.folder.files]
    if not masks and search.one_each:
        beside = [p for p in source.path.parent.iterdir() if p.is_dir()]
        if not any(role_of(p.name.casefold()) == "mask" for p in beside):
            return ""
    elif not masks or (len(masks) == 1 and not search.one_each):
        return ""
    elif not search.one_each and any(plain(m.stem) == plain(image.stem) for m, _ in masks):
        return ""  # one image of several has its mask here
    marks = tuple(mark_of(mask, image, c.folder, c.extra, alone=True) for mask, c in masks)
    paths = tuple(mask for mask, _ in masks)
    group = search.group(source)
    search.result.pairs.append(Pair(image, paths, source.split, source.rest, marks, group))
    return "a folder for each image, with one mask for each object"


def _by_folder(source: Folder, search: _Search, least: float = 0.0) -> str:
    """Masks of each image in or below a folder of its name: images/7.png, masks/7/*.png."""
    pairs = []
    depth = len(source.rest) + 1
    for image in source.files:
        fits = search.by_rest.get((*source.rest, image.stem), [])
        inner = [replace(f, title="") for f in fits if f.split == source.split]
        if inner:
            masks = [(mask, folder) for folder in inner for mask in folder.files]
            marks = tuple(
                mark_of(mask, image, folder, folder.rest[depth:], alone=True)
                for mask, folder in masks
            )
            files = tuple(mask for mask, _ in masks)
            pairs.append(Pair(image, files, source.split, source.rest, marks, source.path))
    if len(pairs) < max(1, least * len(source.files)):
        return ""
    search.result.pairs += pairs
    return "images, and a folder of masks for each of them"


def _beside(source: Folder, search: _Search) -> str:
    """Masks in the folder of their images: x.jpg, x_mask.png; or image.png, label.png."""
    images, masks = split_folder(source.files)
    found = MaskFolder(replace(source, title=""), ())
    if len(images) == 1 and role_of_file(images[0]) == "image":
        matches, group = Matches([(images[0], masks)] if masks else []), Path()
    else:
        matches, group = match(images, masks), search.group(source)
    same_name = any(plain(of[0].stem) == plain(image.stem) for image, of in matches.pairs)
    if same_name and source.role == "image" and search.masks.same(source):
        return ""  # two images of one name, whose masks lie elsewhere
    if not matches.pairs or (
        sum(len(m) for _, m in matches.pairs) < len(masks) / 2 and group != Path()
    ):
        return ""
    alone = dict.fromkeys(matches.alone_masks, "mask without an image")
    search.result.reasons |= alone
    search.result.add([(found, matches)], source, group)
    return "images and masks side by side"
