"""Which folders hold images and which hold masks, by the words in their paths."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path

from maskwright.data.readers.base import RUN_FILES
from maskwright.data.readers.splits.split_words import SPLIT_WORDS, short_words_count, split_of
from maskwright.imageio import IMAGE_SUFFIXES, is_image, natural_key
from maskwright.imageio.arrays import holds_objects

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
VIEW_WORDS = frozenset({"fov", "fovs", "view", "views", "fieldofview", "fov_mask", "fov_masks"})
OBJECT_WORDS = frozenset({"instances", "instance", "segmentationobject", "objects", "panoptic"})
_WORDS_OF_ROLE = {"objects": OBJECT_WORDS, "mask": MASK_WORDS | VIEW_WORDS, "image": IMAGE_WORDS}
_JOINED = re.compile(
    rf"({'|'.join(SPLIT_WORDS)})({'|'.join((MASK_WORDS | IMAGE_WORDS) - {'x', 'y', 'l'})})"
)
_MASK_PART = re.compile("mask|label|segm|annot|trimap|truth")
ANNOTATOR = re.compile(
    r"(?<![a-z0-9])(?:(?P<rank>\d)(?:st|nd|rd|th)(?![a-z0-9])|(?P<ordinal>first|second|third)"
    r"|(?:manual|annotator|observer|expert|rater|grader|reader|ho)[ _\-]?(?P<number>\d|[a-e])"
    r"(?![a-z0-9])|(?P<joined>\d)(?:st|nd|rd|th)[ _\-]?(?:ho|manual|observer|expert))",
    re.IGNORECASE,
)
"""What names the first or a further annotator: `1st_manual`, `manual2`, `2ndHO`, `expert_1`."""
_NEUTRAL_WORDS = frozenset(
    {"png", "jpg", "jpeg", "tif", "tiff", "machine", "human", "files", "set", "all"}
)
PORTION = re.compile(
    r"(?P<start>.*[ _\-])?(?:fold|split|batch|chunk|part|subset|images|imgs)[ _\-]?\d+",
    re.IGNORECASE,
)
"""Names of portions of a data set, such as `HAM_images_part_1`: neither cases nor classes."""
_ENUMERATED = re.compile(r"(?:\d{1,2}|[a-z])[.)]\s+", re.IGNORECASE)  # as in `1. Original Images`
_ARRAY_SUFFIXES = {".npy", ".npz"}
_MAX_DEPTH = 8
# Asking the disk for each of a hundred thousand files whether it is a folder takes long.
_FILE_SUFFIXES = IMAGE_SUFFIXES | {".txt", ".xml", ".json", ".csv", ".mat"}


@dataclass(frozen=True)
class Folder:
    """A folder with image files in natural order, and what its path says.

    Args:
        role: `"image"`, `"mask"`, `"objects"` (masks that number objects) or `""`.
        split: Name of the split that the path states, or `None`.
        rest: What remains of the path without the words for those.
        title: Name of the folder that states the role, else its own.
        label: Class that data.yaml states for its masks.
    """

    path: Path
    files: tuple[Path, ...]
    role: str
    split: str | None
    rest: tuple[str, ...]
    title: str = ""
    label: str = ""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words of `rest`, equal for folders of images and of masks that belong together."""
        return tuple(word.casefold() for part in self.rest for word in words_of(part))


def words_of(name: str) -> list[str]:
    """Words of a name, parted by spaces, dots, dashes and underscores."""
    return [word for word in re.split(r"[ _\-.()]+", name) if word]


def image_folders(root: Path, is_wanted: Callable[[Path], bool] = is_image) -> list[Folder]:
    """Folders with images in and below `root`; links are followed.

    Hidden ones, runs and arrays of Python objects are passed over; `is_wanted` tells images by
    their names.
    """
    folders: list[tuple[Path, tuple[Path, ...]]] = []

    def visit(path: Path, above: tuple[Path, ...]) -> None:
        real = path.resolve()
        if real in above or len(above) > _MAX_DEPTH:  # a link that leads in a circle
            return
        entries = sorted(path.iterdir(), key=lambda p: natural_key(p.name))
        if above and any(entry.name in RUN_FILES for entry in entries):
            return
        wanted = (p for p in entries if is_wanted(p) and not p.is_dir())
        files = tuple(p for p in wanted if not holds_objects(p))
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
    names = {part for path, _ in folders for part in path.relative_to(root).parts}
    short = short_words_count(word for name in names for word in words_of(name))
    described = []
    for path, files in folders:
        role, split, rest, title, above = "", None, [], "", ""
        for depth, part in enumerate(path.relative_to(root).parts):
            own = _own_name(part, above)
            part_role, part_split, remains = parse_folder_name(own, short)
            if part_role and depth >= shared:
                role, title = part_role, part
            split = part_split or split
            rest += [remains] if remains else []
            above = part
        described.append(Folder(path, files, role, split, tuple(rest), title or path.name))
    return described


def _own_name(part: str, above: str) -> str:
    """Name without that of the folder above and a numbering: `IMD002_lesion` in `IMD002`."""
    part = _ENUMERATED.sub("", part, count=1) if _ENUMERATED.match(part) else part
    inner = part[len(above) :].lstrip(" _-.")
    repeats = above and part.casefold().startswith(above.casefold()) and inner
    return inner if repeats and not part[len(above)].isalnum() else part


def parse_folder_name(part: str, short: bool = False) -> tuple[str, str | None, str]:
    """Role and split that the name of a folder states, and what is left of the name."""
    name = part.casefold()
    if role := role_of(name):
        return role, None, ""
    if ANNOTATOR.fullmatch(name):
        return "mask", None, ""
    if split := split_of(name, short):
        return "", split, ""
    if joined := _JOINED.fullmatch(name):  # trainannot, TestImages
        return role_of(joined[2]), SPLIT_WORDS[joined[1]], ""
    words = [word for word in words_of(part) if word.casefold() not in _NEUTRAL_WORDS]
    roles = [role_of(word.casefold()) or _role_of_part(word.casefold()) for word in words]
    splits = [split_of(word, short) for word in words]
    split = next(filter(None, splits), None)
    named = list(zip(words, roles, splits, strict=True))
    plain = [word for word, role, of_split in named if not role and not of_split]
    # `train_masks`, `GT_01` and `my_images` state a role; `image_7` is a name like any other.
    role = next((role for role in reversed(roles) if role not in {"", "image"}), "")
    if not role and roles and (roles[-1] == "image" or not plain):
        role = max(roles)
    if role:
        # leftMask, not only Mask
        parted = [left for word, r, _ in named if r and (left := _without_role(word))]
        return role, split, "_".join([*parted, *plain])
    if split is not None:
        return "", split, "_".join(w for w, _, of_split in named if not of_split)
    return "", None, part


def role_of(word: str) -> str:
    """Role that a word in lower case states, `""` where it states none."""
    return next((role for role, words in _WORDS_OF_ROLE.items() if word in words), "")


def role_of_file(path: Path) -> str:
    """Role that a name such as `image.png` or `label.png` states; arrays hold whole data sets."""
    return "" if path.suffix.lower() in _ARRAY_SUFFIXES else role_of(path.stem.casefold())


def _role_of_part(word: str) -> str:
    """Role that a part of a word states, as in PedMasks and PNGImages."""
    if _MASK_PART.search(word) and not word.startswith("un"):
        return "mask"
    return "image" if "images" in word else ""


def _without_role(word: str) -> str:
    """`left` of leftMask; `""` of a word that states a role as a whole."""
    if role_of(word.casefold()):
        return ""
    parts = re.findall(r"[A-Z]*[^A-Z]+|[A-Z]+", word)
    return "".join(part for part in parts if not role_of(part.casefold())) if parts[1:] else ""
