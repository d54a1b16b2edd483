"""Read every sample once, as training will, and measure what an audit judges."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.duplicates import THUMB_SIDE, digest_of, is_flat, thumbnail
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.imageio import Header, read_image, read_mask
from maskwright.labels import IGNORE_LABEL

FaultCode = Literal["unreadable_image", "unreadable_mask", "unequal_sizes", "unusable"]

_STORAGE = {"1": "one bit", "L": "gray", "LA": "gray with alpha", "P": "palette"}
_STORAGE |= {"RGB": "RGB", "RGBA": "RGBA", "I;16": "16-bit gray", "I": "16-bit gray"}
_WITH_ALPHA = {"PNG", "GIF", "WEBP"}  # formats in which transparency is meant


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
        fault: Why it cannot be used; the fields after it are then empty.
        format: Format of the image as its content says, such as `"PNG"`.
        channels: Channels of the image as stored.
        orientation: EXIF orientation, 1 for upright.
        alpha: Whether the image has transparency, which is dropped.
        mask_kinds: How each mask file stores its pixels, such as `"palette"`.
        counts: Pixels of each label, `(256,)`; the last counts ignored ones.
        thumb: `(32, 32)` float32.
    """

    sample: Sample
    name: str = ""
    fault: SampleFault | None = None
    format: str = ""
    channels: int = 0
    orientation: int = 1
    alpha: bool = False
    mask_kinds: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    counts: np.ndarray = field(default_factory=lambda: np.zeros(IGNORE_LABEL + 1, np.int64))
    pixels_digest: bytes = b""
    labels_digest: bytes = b""
    thumb: np.ndarray = field(default_factory=lambda: np.zeros((THUMB_SIDE, THUMB_SIDE), "f4"))
    finite: bool = True
    flat: bool = False


def scan(dataset: DataSet, samples: Sequence[Sample]) -> list[AuditedSample]:
    """Read every sample once, in threads; one that fails is described and stops nothing."""
    return list(in_threads(partial(_read, dataset), samples, "Checking images"))


def relative_name(root: Path, path: Path) -> str:
    """Name of a file, relative to the data set where it lies in it."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _read(dataset: DataSet, sample: Sample) -> AuditedSample:
    name = relative_name(dataset.root, sample.image)
    try:
        header = dataset.header(sample.image)
        image, labels = dataset.read(sample)
    except DataError as error:
        return AuditedSample(sample, name, _diagnose(dataset, sample, str(error)))
    counts = np.bincount(labels.ravel(), minlength=IGNORE_LABEL + 1)
    low, high, thumb = image.min(), image.max(), thumbnail(image)
    return AuditedSample(
        sample,
        name,
        format=header.format,
        channels=header.channels,
        orientation=header.orientation,
        alpha=header.alpha and header.format in _WITH_ALPHA,
        mask_kinds=tuple(_storage(dataset.header(path)) for path in sample.masks),
        size=(labels.shape[0], labels.shape[1]),
        counts=counts,
        pixels_digest=digest_of(image),
        labels_digest=digest_of(labels),
        thumb=thumb,
        finite=image.dtype.kind != "f" or bool(np.isfinite(low) and np.isfinite(high)),
        flat=float(np.ptp(thumb)) < 1 and is_flat(image),
    )


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
    except DataError as error:
        return SampleFault(code, str(error), path)
    sizes_agree = image.shape[:2] == mask.shape
    return SampleFault("unusable" if sizes_agree else "unequal_sizes", message, sample.image)


def _storage(header: Header) -> str:
    """How a mask file stores its pixels."""
    if header.format == "TIFF":
        return f"{header.dtype}, {header.channels} channels"
    return _STORAGE.get(header.mode, header.mode)
