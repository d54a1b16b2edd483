"""Which folders hold images and which hold masks, by the words in their paths."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from maskwright.data.readers.split_files import SPLIT_WORDS
from maskwright.imageio import IMAGE_SUFFIXES, is_image, natural_key

IMAGE_WORDS = frozenset(
    {"images", "image", "imgs", "img", "jpegimages", "jpgs", "photos", "photo", "pictures"}
    | {"picture", "frames", "inputs", "input", "rgb", "raw", "data", "x", "originals", "original"}
    | {"orig", "sat", "tiles", "leftimg8bit", "source", "src", "scans"}
    | {"volume", "volumes", "imaging"}
)
MASK_WORDS = frozenset(
    {"masks", "mask", "labels", "label", "lbl", "gt", "gts", "groundtruth", "truth", "annotations"}
    | {"annotation", "annot", "annots", "anno", "annos", "trimaps", "trimap", "seg", "segs", "segm"}
    | {"segmentation", "segmentations", "segmentationclass", "segmentationmask", "targets"}
    | {"target", "manual", "1st_manual", "labeled", "labelled", "matte", "mattes", "semantic"}
    | {"ground_truth", "ground-truth", "ground truth", "gtfine", "roi", "y", "l"}
)
_OBJECT_WORDS = frozenset({"instances", "instance", "segmentationobject", "objects"})
_WORDS_OF_ROLE = {"objects": _OBJECT_WORDS, "mask": MASK_WORDS, "image": IMAGE_WORDS}
_JOINED = re.compile(rf"({'|'.join(SPLIT_WORDS)})({'|'.join(MASK_WORDS - {'y', 'l'})})")
_MASK_PART = re.compile("mask|label|segm|annot|trimap|truth")
_NEUTRAL_WORDS = frozenset({"png", "jpg", "jpeg", "tif", "tiff", "machine", "human", "files"})
_MAX_DEPTH = 8
# Asking the disk for each of a hundred thousand files whether it is a folder takes long.
_FILE_SUFFIXES = IMAGE_SUFFIXES | {".txt", ".xml", ".json", ".csv", ".mat"}


@dataclass(frozen=True)
class Folder:
    """A folder with image files in natural order, and what its path says.

    Args:
        role: `"image"`, `"mask"`, `"objects"` (masks that number objects) or `""`.
        split: Name of the split that the path states, or `None`.
        rest: What remains of the path without the words for those, equal for folders of images and
            of masks that belong together.
    """

    path: Path
    files: tuple[Path, ...]
    role: str
    split: str | None
    rest: tuple[str, ...]


def image_folders(root: Path, is_wanted: Callable[[Path], bool] = is_image) -> list[Folder]:
    """Folders with images in and below `root`; hidden ones are passed over, links are followed.

    `is_wanted` tells images by their names.
    """
    folders: list[tuple[Path, tuple[Path, ...]]] = []

    def visit(path: Path, above: tuple[Path, ...]) -> None:
        real = path.resolve()
        if real in above or len(above) > _MAX_DEPTH:  # a link that leads in a circle
            return
        entries = sorted(path.iterdir(), key=lambda p: natural_key(p.name))
        files = tuple(p for p in entries if is_wanted(p) and not p.is_dir())
        if files:
            folders.append((path, files))
        for entry in entries:
            hidden = entry.name.startswith((".", "__MACOSX"))
            if not hidden and entry.suffix.lower() not in _FILE_SUFFIXES and entry.is_dir():
                visit(entry, (*above, real))

    visit(root, ())
    levels = list(zip(*(path.relative_to(root).parts for path, _ in folders), strict=False))
    # What all folders have in common, such as `lung_segmentation`, tells none of them apart.
    common = list(takewhile(lambda level: len(set(level)) == 1, levels))
    shared = len(common) if len(folders) > 1 else 0
    described = []
    for path, files in folders:
        role, split, rest = "", None, []
        for depth, part in enumerate(path.relative_to(root).parts):
            part_role, part_split, remains = words_of(part)
            role = part_role if part_role and depth >= shared else role
            split = part_split or split
            rest += [remains] if remains else []
        described.append(Folder(path, files, role, split, tuple(rest)))
    return described


def words_of(part: str) -> tuple[str, str | None, str]:
    """Role and split that the name of a folder states, and what is left of the name."""
    name = part.casefold()
    if role := role_of(name):
        return role, None, ""
    if name in SPLIT_WORDS:
        return "", SPLIT_WORDS[name], ""
    if joined := _JOINED.fullmatch(name):  # trainannot
        return "mask", SPLIT_WORDS[joined[1]], ""
    words = [word for word in re.split(r"[ _\-.]+", name) if word not in _NEUTRAL_WORDS]
    roles = [role_of(word) or _role_of_part(word) for word in words]
    split = next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)
    named = zip(words, roles, strict=True)
    plain = [word for word, role in named if not role and word not in SPLIT_WORDS]
    # `train_masks`, `GT_01` and `my_images` state a role; `image_7` is a name like any other.
    role = next((role for role in reversed(roles) if role not in {"", "image"}), "")
    if not role and roles and (roles[-1] == "image" or not plain):
        role = max(roles)
    if role:
        return role, split, "_".join(plain)
    if split is not None:
        return "", split, "_".join(word for word in words if word not in SPLIT_WORDS)
    return "", None, part


def role_of(word: str) -> str:
    """Role that a word in lower case states, `""` where it states none."""
    return next((role for role, words in _WORDS_OF_ROLE.items() if word in words), "")


def _role_of_part(word: str) -> str:
    """Role that a part of a word states, as in PedMasks and PNGImages."""
    if _MASK_PART.search(word) and not word.startswith("un"):
        return "mask"
    return "image" if "images" in word else ""
