"""Recognize how a folder holds its images and masks, and list its samples."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from maskwright.data.encodings.class_map import CAMVID, PETS, VOC, Legend, find_legend
from maskwright.data.readers.folders import Folder, Pair, image_folders, pair_folders
from maskwright.data.readers.split_files import divide_by_lists
from maskwright.data.samples import Sample, unique_ids
from maskwright.errors import DataError
from maskwright.imageio import find_images, natural_key

LeftOut = tuple[Path, str]
"""A file that is in no sample, and why."""

HOW_TO_STATE = (
    "State it: open a CSV file with the header `image,mask` and one row for each image, or put a "
    "data.yaml with `images: FOLDER` and `masks: FOLDER` beside the data."
)


@dataclass
class Layout:
    """What was recognized.

    Args:
        name: For people.
        samples: Those with a mask; `split` is `None` where none is stated.
        left_out: Files that are in no sample.
        notes: Sentences on what was inferred.
        legend: Names of the classes, where they are known.
        objects: Whether there is one mask file for each object.
        columns: Further facts on samples by column and id, for grouping.
        case_from: What tells cases: `"folder"` or the name of a column; `""` where nothing does.
    """

    name: str
    samples: list[Sample]
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    legend: Legend | None = None
    objects: bool = False
    columns: dict[str, dict[str, str]] = field(default_factory=dict)
    case_from: str = ""


def recognize_folder(root: Path, images: str | None = None, masks: str | None = None) -> Layout:
    """List the samples of a folder, whatever its layout.

    Args:
        root: Folder of the data set.
        images: Folder or glob of the images, from `root`; `None` where it is to be found.
        masks: The same for the masks; `None` with `images` where they lie in the same folder.

    Raises:
        DataError: If no image has a mask; the message says what was looked for and found.
    """
    if images is None and masks is None:
        folders = image_folders(root)
    elif masks is None:
        folders = _stated_folders(root, images or ".", "")
    else:
        folders = _stated_folders(root, images or ".", "image")
        mask_folders = _stated_folders(root, masks, "mask")
        inside = {folder.path for folder in mask_folders}
        folders = [folder for folder in folders if folder.path not in inside] + mask_folders
    pairing = pair_folders(folders)
    if not pairing.pairs:
        raise DataError(_nothing_found(root, folders))
    layout = Layout(pairing.style, _samples(pairing.pairs), pairing.left_out, case_from="folder")
    layout.objects = pairing.objects
    layout.notes += _facts_from_paths(layout.samples)
    for spare in pairing.spare:
        layout.notes.append(
            f"The masks in {spare.relative_to(root)} would fit as well and are not used; name the "
            f"folder under `masks` in data.yaml to use them."
        )
    _name_known(layout)
    _apply_lists(root, layout)
    if layout.legend is None:
        layout.legend = find_legend(root)
    return layout


def _stated_folders(root: Path, pattern: str, role: str) -> list[Folder]:
    """Folders of the images that a data.yaml states, all in the same role."""
    if (root / pattern).is_dir():
        found = image_folders(root / pattern)
        return [replace(f, role=role) for f in found]
    files: dict[Path, list[Path]] = {}
    for path in find_images(root / pattern):
        files.setdefault(path.parent, []).append(path)
    # Without folders between them to tell apart, names alone pair the files of a glob.
    return [Folder(path, tuple(own), role, None, ()) for path, own in files.items()]


def _samples(pairs: Sequence[Pair]) -> list[Sample]:
    """Samples with unique ids; folders tell their case or their label."""
    ids = unique_ids([(pair.split or "", *pair.rest, pair.image.stem) for pair in pairs])
    labels, cases = _from_paths([pair.rest for pair in pairs])
    return [
        Sample(id_, pair.image, pair.masks, case or id_, pair.split, label)
        for id_, pair, label, case in zip(ids, pairs, labels, cases, strict=True)
    ]


def _from_paths(
    rests: Sequence[tuple[str, ...]],
) -> tuple[list[str | None], list[str | None]]:
    """Label and case of each sample from the names of its folders.

    Folders with numbers in their names (tile_7, patient 12) are cases, others (benign, malignant)
    are labels; a single folder, or one for every sample, says nothing.
    """
    groups = Counter(rests)
    if len(groups) < 2 or len(groups) > len(rests) * 0.75:
        return [None] * len(rests), [None] * len(rests)
    depth = max(len(rest) for rest in groups)
    numbered: list[int] = []
    named: list[int] = []
    for level in range(depth):
        names = {rest[level] for rest in groups if len(rest) > level}
        if len(names) > 1:
            with_digit = sum(any(c.isdigit() for c in name) for name in names)
            (numbered if with_digit > len(names) / 2 else named).append(level)
    labels: list[str | None] = []
    cases: list[str | None] = []
    for rest in rests:
        parts = [rest[level] for level in named if len(rest) > level]
        labels.append(parts[-1] if parts else None)
        parts = [rest[level] for level in numbered if len(rest) > level]
        cases.append("/".join(rest) if parts else None)
    return labels, cases


def _facts_from_paths(samples: Sequence[Sample]) -> list[str]:
    """Sentences on labels and cases that folders tell."""
    notes = []
    labels = sorted({sample.label for sample in samples if sample.label is not None})
    if labels:
        notes.append(f"The folders {_some(labels)} are taken for labels of whole images.")
    cases = sorted({s.case for s in samples if s.case != s.id}, key=natural_key)
    if cases:
        notes.append(f"The folders {_some(cases)} are taken for cases, which no split parts.")
    return notes


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown}, …" if len(names) > 4 else shown


def _name_known(layout: Layout) -> None:
    """Names of data sets that are published in a form of their own, and of their classes."""
    folders = {mask.parent for sample in layout.samples for mask in sample.masks}
    names = {folder.name.casefold() for folder in folders}
    if names == {"trimaps"}:
        layout.name, layout.legend = "Oxford-IIIT Pet", PETS
    elif names and names <= {"trainannot", "valannot", "testannot"}:
        layout.name, layout.legend = "SegNet's CamVid (train, trainannot, …)", CAMVID
    elif names == {"segmentationclass"}:
        layout.name, layout.legend = "PASCAL VOC", VOC


def _apply_lists(root: Path, layout: Layout) -> None:
    """Take the splits from lists, unless folders state them."""
    if any(sample.split is not None for sample in layout.samples):
        return
    divided = divide_by_lists(root, layout.samples)
    if not divided.lists:
        return
    names = ", ".join(str(path.relative_to(root)) for path in divided.lists)
    layout.notes.append(f"The splits are those of {names}.")
    layout.samples = divided.samples
    layout.left_out += [(sample.image, "in no split list") for sample in divided.unlisted]
    layout.left_out += [
        (root / name, f"named in {path.relative_to(root)}, but there is no such image with a mask")
        for name, path in divided.missing
    ]
    if divided.doubles:
        shown = ", ".join(divided.doubles[:3])
        layout.notes.append(
            f"{len(divided.doubles)} samples are in the lists of two splits ({shown}, …); they "
            f"count for test before validation before training."
        )


def _nothing_found(root: Path, folders: Sequence[Folder]) -> str:
    """What was looked for, what is there, and what to do."""
    there = [
        f"{len(folder.files)} images in {folder.path.relative_to(root).as_posix()}/"
        for folder in folders[:6]
    ]
    if len(folders) > 6:
        there.append(f"{len(folders) - 6} more folders with images")
    others = _other_files(root)
    there += [f"{count} {suffix} files" for suffix, count in others.most_common(4)]
    found = "; ".join(there) or "nothing"
    advice = HOW_TO_STATE
    if others[".txt"] > 3 or others[".xml"] > 3:
        advice = (
            f"Polygons and boxes in text or XML files are not masks: draw them into one PNG of "
            f"labels for each image. {HOW_TO_STATE}"
        )
    return (
        f"No image with a mask was recognized in {root}. Looked for: folders such as images/ and "
        f"masks/ (or labels/, gt/, train/ and trainannot/) with files of equal names, x.jpg beside "
        f"x_mask.png, a folder of masks for each image, and COCO annotations. Found: {found}. "
        f"{advice}"
    )


def _other_files(root: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in root.rglob("*"):
        if path.suffix.lower() in {".json", ".txt", ".xml", ".csv", ".mat", ".npy", ".npz"}:
            found[path.suffix.lower()] += 1
    return found
