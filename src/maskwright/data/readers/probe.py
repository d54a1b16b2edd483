"""Look at the files of a layout before anything is read: headers of images, contents of masks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from maskwright.data.encodings.encoding import Encoding, MaskContents, content_of
from maskwright.data.geometry import same_aspect
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.imageio import Header, read_header

MASKS_LOOKED_AT = 200
"""Masks whose contents tell the encoding."""

MASKS_STRATIFIED = 2000
"""Up to so many masks, all are looked at where they are to be spread evenly over splits."""

HEADERS_READ = 4000
"""Samples whose headers are read; beyond, faults are found when a sample is read."""

Item = TypeVar("Item")


@dataclass
class ProbeResult:
    """What the files hold.

    Args:
        samples: Those in which nothing is wrong so far.
        left_out: Files of others, each with the reason.
        channels: Of most images.
        dtype: Of most images.
        contents: Of the masks that were looked at.
    """

    samples: list[Sample]
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    channels: int = 0
    dtype: str = ""
    contents: dict[Path, MaskContents] = field(default_factory=dict)


def probe(
    samples: Sequence[Sample], seed: int, divide: bool, scaled_masks: bool = False
) -> ProbeResult:
    """Look at headers and masks; what is broken is left out.

    Args:
        samples: Of a layout.
        seed: Decides which files are looked at where there are many.
        divide: Whether splits are to be made, which goes better when the masks are known.
        scaled_masks: Whether a mask may be larger or smaller than its image, if the aspect agrees.

    Raises:
        DataError: If no sample is left.
    """
    result = ProbeResult(list(samples))
    _look_at_headers(result, seed, scaled_masks)
    _look_at_masks(result, seed, divide)
    if not result.samples:
        raise DataError(f"No sample can be used; of the first: {result.left_out[0][1]}")
    return result


def held_classes(
    samples: Sequence[Sample], contents: Mapping[Path, MaskContents], encoding: Encoding
) -> dict[str, set[str]]:
    """By the id of a sample, its image label and the classes in its masks, as far as looked at."""
    held = {}
    for sample in samples:
        found = [contents[mask] for mask in sample.masks if mask in contents]
        labels = {
            encoding.label_of(value)
            for content in found
            for value in (content.as_colors() if encoding.kind == "colors" else content.values)
        }
        held[sample.id] = {f"class {label}" for label in labels if label is not None}
        held[sample.id] |= {f"image {label}" for label in sample.labels}
    return held


def kind_differs(channels: int, dtype: str, expected: int, expected_dtype: str) -> str:
    """What is wrong with an image of another kind, or `""`; gray and RGB go together."""
    if channels != expected and {channels, expected} != {1, 3}:
        return f"has {channels} channels where the data set has {expected}"
    if dtype != expected_dtype:
        return f"holds {dtype} pixels where the data set has {expected_dtype}"
    return ""


def sizes_differ(image: Path, size: Sequence[int], mask: Path, mask_size: Sequence[int]) -> str:
    """Sentence on an image and a mask of unequal `(height, width)`."""
    hint = ""
    if tuple(size) == tuple(mask_size)[::-1]:
        hint = " One lies on its side: turn the mask, or remove the EXIF orientation of the image."
    return (
        f"{image} is {size[1]}x{size[0]} pixels but its mask {mask} is "
        f"{mask_size[1]}x{mask_size[0]}; both must have the same size.{hint}"
    )


def _look_at_headers(result: ProbeResult, seed: int, scaled_masks: bool) -> None:
    samples = _some(result.samples, HEADERS_READ, [seed, 1])
    outcomes = in_threads(_headers, samples, "Looking at the images")
    bad: dict[str, tuple[Path, str]] = {}
    good: list[tuple[Sample, Header, Header | None]] = []
    for sample, outcome in zip(samples, outcomes, strict=True):
        if isinstance(outcome, DataError):
            bad[sample.id] = (sample.image, str(outcome))
        else:
            good.append((sample, *outcome))
    if good:
        kinds = Counter((image.channels, image.dtype) for _, image, _ in good)
        result.channels, result.dtype = kinds.most_common(1)[0][0]
    for sample, image, mask in good:
        size = (image.height, image.width)
        problem = kind_differs(image.channels, image.dtype, result.channels, result.dtype)
        if problem:
            bad[sample.id] = (sample.image, f"{sample.image} {problem}.")
        elif mask is not None and (mask.height, mask.width) != size:
            mask_size = (mask.height, mask.width)
            if not (scaled_masks and same_aspect(size, mask_size)):
                said = sizes_differ(sample.image, size, sample.masks[0], mask_size)
                bad[sample.id] = (sample.image, said)
    _leave_out(result, bad)


def _headers(sample: Sample) -> tuple[Header, Header | None] | DataError:
    try:
        mask = read_header(sample.masks[0]) if sample.masks else None
        return read_header(sample.image), mask
    except DataError as error:
        return error


def _look_at_masks(result: ProbeResult, seed: int, divide: bool) -> None:
    paths = [mask for sample in result.samples for mask in sample.masks]
    if not divide or len(paths) > MASKS_STRATIFIED:
        paths = _some(paths, MASKS_LOOKED_AT, [seed, 2])
    bad: dict[Path, str] = {}
    for path, outcome in zip(
        paths, in_threads(_content, paths, "Looking at the masks"), strict=True
    ):
        if isinstance(outcome, DataError):
            bad[path] = str(outcome)
        else:
            result.contents[path] = outcome
    broken = {
        sample.id: (mask, bad[mask])
        for sample in result.samples
        for mask in sample.masks
        if mask in bad
    }
    _leave_out(result, broken)


def _content(path: Path) -> MaskContents | DataError:
    try:
        return content_of(path)
    except DataError as error:
        return error


def _leave_out(result: ProbeResult, bad: Mapping[str, tuple[Path, str]]) -> None:
    result.left_out += bad.values()
    result.samples = [sample for sample in result.samples if sample.id not in bad]


def _some(items: Sequence[Item], most: int, seed: Sequence[int]) -> list[Item]:
    """At most so many items, in order."""
    if len(items) <= most:
        return list(items)
    chosen = np.random.default_rng(seed).choice(len(items), most, replace=False)
    return [items[index] for index in sorted(chosen.tolist())]
