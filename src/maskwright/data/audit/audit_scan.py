"""What an audit reads of every sample, once, as training will, and what it finds and advises."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from maskwright.data.cases.duplicates import digest_of, is_flat, thumbnail
from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample, examples
from maskwright.errors import DataError
from maskwright.imageio import Header, read_image, read_mask
from maskwright.labels import IGNORE_LABEL, label_counts

Severity = Literal["error", "warning", "note"]
FaultCode = Literal["unreadable_image", "unreadable_mask", "unequal_sizes", "unusable"]

UNUSABLE: frozenset[str] = frozenset({*get_args(FaultCode), "unusable_pair"})
"""Codes of findings on files that cannot be used, which training skips."""

# Pixels, about, that are compared of an image and its mask, and their correlation in a copy, even
# one stored as JPEG, but in no photograph; few suffice for most.
_COMPARED = ((2**11, 0.9), (2**16, 0.99))
_MOST_TINT = 0.02  # mean difference of the channels in a gray image, as a share of its contrast

_STORAGE = {"1": "one bit", "L": "gray", "LA": "gray with alpha", "P": "palette"}
_STORAGE |= {"RGB": "RGB", "RGBA": "RGBA", "I;16": "16-bit gray", "I": "16-bit gray"}


@dataclass(frozen=True)
class SampleFault:
    """Why a sample cannot be used, and which file is to blame."""

    code: FaultCode
    message: str
    file: Path


@dataclass(frozen=True)
class AuditedSample:
    """One sample as training would read it.

    Args:
        name: Of the image file, relative to the data set where it lies in it.
        mask_kinds: How each mask file stores its pixels, such as `"palette"`.
        counts: Pixels of each label, `(256,)`; the last counts ignored ones.
        gap_px: Pixels of the image without data.
        inverted: Whether the image or a mask stores white as 0.
        content: Hash of the pixels; see `DataSet.content_hash`.
        is_mask: Whether the image is gray and correlates with its mask like a copy of it.
    """

    sample: Sample
    name: str
    header: Header
    mask_kinds: tuple[str, ...]
    size: tuple[int, int]
    counts: np.ndarray
    content: str
    labels_digest: bytes
    thumb: np.ndarray
    gap_px: int
    inverted: bool
    flat: bool
    is_mask: bool


def scan(dataset: DataSet, samples: Sequence[Sample]) -> list[AuditedSample | SampleFault]:
    """Read every sample once, in threads; one that fails is described and stops nothing."""
    return list(in_threads(partial(_read, dataset), samples, "Checking images"))


def relative_name(root: Path, path: Path) -> str:
    """Name of a file, relative to the data set where it lies in it."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _read(dataset: DataSet, sample: Sample) -> AuditedSample | SampleFault:
    try:
        header = dataset.header(sample.image)
        image, labels, gap = dataset.read_with_gaps(sample)
        if sample.instances is not None:
            dataset.read_objects(sample)
    except DataError as error:
        return _diagnose(dataset, sample, str(error))
    thumb = thumbnail(image)
    stored = labels.astype(np.uint8)
    return AuditedSample(
        sample,
        relative_name(dataset.root, sample.image),
        header,
        mask_kinds=tuple(_storage(dataset.header(path)) for path in sample.masks),
        size=(labels.shape[0], labels.shape[1]),
        counts=label_counts(stored),
        content=dataset.hashes[sample.image],
        labels_digest=digest_of(stored),
        thumb=thumb,
        gap_px=0 if gap is None else int(gap.sum()),
        inverted=any(dataset.header(path).white_is_zero for path in (sample.image, *sample.masks)),
        flat=not thumb.any() and is_flat(image),
        is_mask=_is_copy(image, labels),
    )


def _is_copy(image: np.ndarray, labels: np.ndarray) -> bool:
    """Whether an image is gray, and its values are those of the labels but for scale and offset."""
    for limit, correlation in _COMPARED:
        step = max(1, int(np.sqrt(labels.size / limit)))
        pixels, classes = image[::step, ::step].astype(np.float64), labels[::step, ::step]
        inside = classes != IGNORE_LABEL
        gray, classes = pixels.mean(axis=2)[inside], classes[inside]
        if len(gray) < 2 or classes.min() == classes.max():
            continue
        spread, tint = gray.std(), np.abs(pixels[inside] - gray[:, None]).mean()
        if not np.isfinite(spread) or spread == 0 or tint > _MOST_TINT * spread:
            return False
        if abs(np.corrcoef(gray, classes)[0, 1]) <= correlation:
            return False
    return bool(inside.any() and classes.min() != classes.max())


def _diagnose(dataset: DataSet, sample: Sample, message: str) -> SampleFault:
    """Which file of a sample that cannot be read is at fault; reads them again, one by one."""
    code: FaultCode = "unreadable_image"
    path = sample.image
    try:
        image = read_image(path)
        code = "unreadable_mask"
        for path in sample.masks:
            dataset.encoding.decode(read_mask(path), path)
        path = sample.masks[0] if sample.masks else sample.image
        mask = dataset.read_mask(sample)
        if sample.instances is not None:
            path = sample.instances
            dataset.read_objects(sample)
    except DataError as error:
        return SampleFault(code, str(error), path)
    sizes_agree = image.shape[:2] == mask.shape
    return SampleFault("unusable" if sizes_agree else "unequal_sizes", message, sample.image)


def _storage(header: Header) -> str:
    """How a mask file stores its pixels."""
    if not header.mode:
        return f"{header.dtype}, {header.channels} channels"
    return _STORAGE.get(header.mode, header.mode)


_KEEP_ONE = "Keep one of each, or give them one case, so that no new split parts them."
_ONE_CASE = (
    "Give copies one case (a `case` column in a CSV manifest, or --group-by), or keep only one of "
    "each."
)
ADVICE = {
    "unreadable_image": "Mend or replace the image, or delete it together with its mask.",
    "unreadable_mask": "Correct the mask, or delete it together with its image.",
    "unequal_sizes": "Make image and mask of one size; export the mask again from its source.",
    "unusable": "Convert the image to what the others are, or leave it out.",
    "unusable_pair": "Mend the file, or delete the pair.",
    "skipped": "Add what is missing or correct the names, so that image and mask match; or delete "
    "what is not wanted.",
    "misnamed": "They are read by their content here; rename or convert them for other programs.",
    "alpha": "Nothing, where the colors beneath are the picture; else flatten the images.",
    "alpha_kept": "Nothing, where it is a band of its own, as infrared; else remove it.",
    "orientation": "See on the contact sheet that masks and images lie alike.",
    "channels": "Nothing, where color means nothing; else look for images of another source.",
    "no_data": "Nothing, where it is meant so: they are neither trained on nor scored.",
    "pages": "Nothing, where each page is a channel; else write each page to a file of its own.",
    "white_is_zero": "Nothing, where they look right on the contact sheet.",
    "flat": "Leave them out: there is nothing to see.",
    "tiny": "Leave them out, unless they are meant to be that small.",
    "mixed_sizes": "Nothing: they are brought to one working size, or cropped.",
    "all_ignored": "Leave these samples out; they teach nothing.",
    "ignored": "Nothing, where it is meant so; else give their value a class in data.yaml.",
    "lossy_masks": "Export the masks as PNG from the original, if you have it.",
    "mixed_masks": "All are read as the same classes; see on the contact sheet that it is so.",
    "one_class_mask": "See on the images that it is so.",
    "empty_mask": "See that nothing was forgotten there; images without any object are welcome "
    "where such images will come.",
    "one_class": "See that the values of the masks were understood; state them in data.yaml.",
    "copied_mask": "See that the images are not copies or pictures of the masks.",
    "class_never": "Remove it from the classes in data.yaml, or add images that show it.",
    "class_not_in_train": "Move images that show it to the training split, or unite the class with "
    "another.",
    "class_not_scored": "Add images that show it to the split, or keep it in mind with the scores.",
    "rare_class": "Weight the classes, and favor rare ones when cropping.",
    "no_training": "Put samples into a split named train, or state no splits.",
    "few_images": "Expect little, and look at predictions rather than at scores; use crops.",
    "different_masks": "Only one of the masks can be right; correct the others or leave them out.",
    **{"duplicates": _KEEP_ONE, "near_duplicates": _KEEP_ONE},
    **{"duplicates_across_splits": _ONE_CASE, "near_duplicates_across_splits": _ONE_CASE},
    "case_across_splits": "Move all images of a case to one split, or state no splits and let them "
    "be made.",
    "video_across_splits": "Group by video (--group-by).",
    "video_frames": "Group by video (--group-by).",
}
"""What to do about a finding, by its code."""


@dataclass(frozen=True)
class Finding:
    """One thing to know of a data set.

    Args:
        code: Short name that stays the same between versions.
        severity: `"error"` where training as it is would be wrong, `"warning"` where the result
            may be worse or look better than it is, `"note"` for what is good to know.
        files: All files concerned, relative to the data set where they lie in it.
    """

    code: str
    severity: Severity
    message: str
    advice: str
    files: tuple[str, ...] = ()


def finding(code: str, severity: Severity, message: str, files: Iterable[str] = ()) -> Finding:
    """Finding with the advice for its code."""
    return Finding(code, severity, message, ADVICE[code], tuple(files))


def finding_on(
    code: str, severity: Severity, message: str, files: Sequence[str]
) -> Iterator[Finding]:
    """Finding on files, the first of which are named at the end of the message; none without."""
    if files:
        yield finding(code, severity, f"{message}: {examples(files)}.", files)
