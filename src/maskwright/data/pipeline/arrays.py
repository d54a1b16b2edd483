"""Samples decoded once and kept at working size, in memory or in one file on disk."""

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from maskwright.data.geometry import resize_image, resize_labels
from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.imageio import read_header
from maskwright.labels import IGNORE_LABEL

MEMORY_LIMIT_MB = 2048
"""Arrays above this size are kept on disk, unless told otherwise."""

_FORMAT = 1  # of the files on disk; part of their name


class Source(Protocol):
    """What loading needs of a data set."""

    @property
    def channels(self) -> int:
        """Channels of every image that `read` returns."""

    @property
    def dtype(self) -> str:
        """Type of the images' pixels."""

    @property
    def encoding(self) -> object:
        """How mask files are turned into labels."""

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image `(h, w, c)` and labels int32 `(h, w)`; `DataError` where it cannot."""


@dataclass(frozen=True, eq=False)
class Arrays:
    """Images and masks by position; `arrays[i]` gives views `(h, w, c)` and uint8 `(h, w)`.

    Args:
        pixels: Pixels of all images, one after the other, in one dimension.
        labels: Labels of all masks likewise, uint8.
        starts: Where each mask begins in `labels`; its image begins `channels` times later.
        sizes: Height and width of each, `(n, 2)`.
        channels: Channels of every image.
        weights: How much each sample counts, `(n,)`.
        ids: Names of the samples.
        cases: Case of each sample.
        value_range: Lowest and highest value of a pixel: 0 to 255 for uint8, else as found.
        skipped: One sentence for each sample that was left out because it cannot be read.
    """

    pixels: np.ndarray
    labels: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    channels: int
    weights: np.ndarray
    ids: tuple[str, ...]
    cases: tuple[str, ...]
    value_range: tuple[float, float]
    skipped: tuple[str, ...] = ()
    _counted: dict[int, np.ndarray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        height, width = (int(side) for side in self.sizes[index])
        start, area = int(self.starts[index]), height * width
        channels = self.channels
        image = self.pixels[start * channels : (start + area) * channels]
        labels = self.labels[start : start + area]
        return image.reshape(height, width, channels), labels.reshape(height, width)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self[index] for index in range(len(self)))

    @classmethod
    def from_numpy(
        cls,
        images: Sequence[np.ndarray] | np.ndarray,
        labels: Sequence[np.ndarray] | np.ndarray,
        ids: Sequence[str] | None = None,
    ) -> "Arrays":
        """Arrays from images `(h, w, c)` of one type and labels `(h, w)`, which are copied."""
        sizes = np.array([mask.shape for mask in labels], np.int64).reshape(-1, 2)
        if not len(images) or [image.shape[:2] for image in images] != [tuple(s) for s in sizes]:
            raise DataError("Expected at least one image, and a mask of its size for each.")
        names = tuple(ids or (str(index) for index in range(len(images))))
        pixels = np.concatenate([np.asarray(image).ravel() for image in images])
        return cls(
            pixels=pixels,
            labels=np.concatenate([np.asarray(mask, np.uint8).ravel() for mask in labels]),
            starts=_starts(sizes),
            sizes=sizes,
            channels=images[0].shape[2],
            weights=np.ones(len(names), np.float32),
            ids=names,
            cases=names,
            value_range=_value_range(pixels.dtype, [(pixels.min(), pixels.max())]),
        )

    @property
    def dtype(self) -> str:
        """Type of the pixels, `"uint8"`, `"uint16"` or `"float32"`."""
        return str(self.pixels.dtype)

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width that all have, or `None` where they differ."""
        if (self.sizes == self.sizes[0]).all():
            return int(self.sizes[0, 0]), int(self.sizes[0, 1])
        return None

    def counts(self, num_classes: int) -> np.ndarray:
        """Pixels of each class in each sample, int64 `(n, num_classes)`; ignored ones left out."""
        if num_classes not in self._counted:
            rows = [np.bincount(mask.ravel(), minlength=IGNORE_LABEL + 1) for _, mask in self]
            self._counted[num_classes] = np.stack(rows)[:, :num_classes]
        return self._counted[num_classes]

    def fingerprint(self) -> str:
        """SHA-256 of everything a model could learn from, hexadecimal."""
        digest = hashlib.sha256(repr((self.ids, self.sizes.tolist(), self.dtype)).encode())
        for image, mask in self:
            digest.update(image.data)
            digest.update(mask.data)
        return digest.hexdigest()


def load(
    dataset: Source,
    samples: Sequence[Sample],
    size: tuple[int, int] | None,
    memory_limit_mb: float = MEMORY_LIMIT_MB,
    cache_dir: Path | None = None,
    skip_unreadable: bool = False,
) -> Arrays:
    """Decode every sample once and keep it at working size.

    Args:
        size: Height and width that images are stretched to, averaging down or interpolating up;
            masks take nearest labels. `None` keeps the sizes of the files.
        memory_limit_mb: Arrays larger than this go to a folder in `cache_dir`, where a second
            call for unchanged files finds them.
        cache_dir: Folder for them; `None` for `~/.cache/maskwright`. It can be deleted when no
            training runs.
        skip_unreadable: Leave samples out that cannot be read; `Arrays.skipped` says why.

    Raises:
        DataError: If there is no sample, one cannot be read, or the disk is too small.
    """
    if not samples:
        raise DataError("There is no sample to load; the split is empty.")
    skipped: list[str] = []
    if size is None:
        wanted = []
        for sample, found in zip(samples, _headers(samples, skip_unreadable), strict=True):
            if isinstance(found, str):
                skipped.append(found)
            else:
                wanted.append((sample, found))
        samples = [sample for sample, _ in wanted]
        sizes = np.array([found for _, found in wanted], np.int64).reshape(-1, 2)
    else:
        sizes = np.tile(np.array(size, np.int64), (len(samples), 1))
    area = int(sizes.prod(axis=1).sum())
    needed_mb = area * (dataset.channels * np.dtype(dataset.dtype).itemsize + 1) / 1e6
    if needed_mb <= memory_limit_mb:
        pixels = np.empty(area * dataset.channels, dataset.dtype)
        labels = np.empty(area, np.uint8)
        known = _fill(dataset, samples, sizes, pixels, labels, skip_unreadable)
    else:
        folder = cache_dir or Path.home() / ".cache" / "maskwright"
        kept = folder / f"arrays-{_key(dataset, samples, sizes, skip_unreadable)}"
        if not (kept / "known.json").exists():
            _write_arrays(kept, dataset, samples, sizes, needed_mb, skip_unreadable)
        known = json.loads((kept / "known.json").read_text(encoding="utf-8"))
        pixels = np.load(kept / "pixels.npy", mmap_mode="r")
        labels = np.load(kept / "labels.npy", mmap_mode="r")
    good = known["good"]
    skipped += known["skipped"]
    if not good:
        raise DataError(f"None of {len(skipped)} samples can be read; the first: {skipped[0]}")
    return Arrays(
        pixels=pixels,
        labels=labels,
        starts=_starts(sizes)[good],
        sizes=sizes[good],
        channels=dataset.channels,
        weights=np.array([samples[index].weight for index in good], np.float32),
        ids=tuple(samples[index].id for index in good),
        cases=tuple(samples[index].case for index in good),
        value_range=_value_range(pixels.dtype, known["ranges"]),
        skipped=tuple(skipped),
    )


def class_weights(arrays: Arrays, num_classes: int) -> np.ndarray:
    """Weight of each class, float32: median frequency, at most 25 apart, mean one over pixels.

    The frequency of a class is its share of the pixels of the images it occurs in. Weights are
    clipped to `[0.2, 5]` and then divided by their mean over all pixels that count, so that they
    do not change the learning rate. A class that never occurs gets 1.

    Source: Eigen and Fergus, 2015; clipping and normalizing are ours.
    """
    counts = arrays.counts(num_classes)
    total = counts.sum(axis=0)
    occurs = total > 0
    weights = np.ones(num_classes)
    if not occurs.any():
        return weights.astype(np.float32)
    around = ((counts > 0) * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    frequency = total[occurs] / around[occurs]
    weights[occurs] = np.clip(np.median(frequency) / frequency, 0.2, 5.0)
    weights[occurs] /= (weights * total).sum() / total.sum()
    return weights.astype(np.float32)


def rare_class_weights(arrays: Arrays, num_classes: int) -> np.ndarray:
    """Chance of each class to be the middle of a crop: one over its pixels, sum one; float64."""
    total = arrays.counts(num_classes).sum(axis=0)
    inverse = np.where(total > 0, 1 / np.maximum(total, 1), 0.0)
    return inverse / max(float(inverse.sum()), np.finfo(float).tiny)


def _starts(sizes: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(sizes.prod(axis=1))[:-1]]).astype(np.int64)


def _value_range(dtype: np.dtype, ranges: Sequence[Sequence[float]]) -> tuple[float, float]:
    if dtype == np.uint8:
        return 0.0, 255.0
    return float(min(low for low, _ in ranges)), float(max(high for _, high in ranges))


def _headers(samples: Sequence[Sample], skip: bool) -> list[tuple[int, int] | str]:
    """Height and width of each image, or why it has none."""

    def measure(sample: Sample) -> tuple[int, int] | str:
        try:
            header = read_header(sample.image)
        except DataError as error:
            if not skip:
                raise
            return str(error)
        return header.height, header.width

    return list(in_threads(measure, samples, "Reading sizes"))


def _fill(
    dataset: Source,
    samples: Sequence[Sample],
    sizes: np.ndarray,
    pixels: np.ndarray,
    labels: np.ndarray,
    skip: bool,
) -> dict[str, Any]:
    """Decode all samples into their places; what is known of them afterwards, fit for JSON."""
    decode = partial(_decode, dataset, pixels=pixels, labels=labels, skip=skip)
    places = list(zip(samples, sizes.tolist(), _starts(sizes).tolist(), strict=True))
    good: list[int] = []
    ranges: list[tuple[float, float]] = []
    skipped: list[str] = []
    for index, found in enumerate(in_threads(decode, places, "Decoding images")):
        if isinstance(found, str):
            skipped.append(found)
        else:
            good.append(index)
            ranges.append(found)
    return {"good": good, "ranges": ranges, "skipped": skipped}


def _decode(
    dataset: Source,
    place: tuple[Sample, list[int], int],
    *,
    pixels: np.ndarray,
    labels: np.ndarray,
    skip: bool,
) -> tuple[float, float] | str:
    """Put one sample into its place; its lowest and highest value, or why it was left out."""
    sample, (height, width), start = place
    try:
        image, mask = dataset.read(sample)
        if image.dtype != pixels.dtype and pixels.dtype != np.float32:
            raise DataError(
                f"{sample.image} holds {image.dtype} where most images hold {pixels.dtype}; "
                f"convert it, or leave it out."
            )
    except DataError as error:
        if not skip:
            raise
        return str(error)
    image = resize_image(image, (height, width))
    end, channels = start + height * width, image.shape[2]
    pixels[start * channels : end * channels] = image.ravel()
    labels[start:end] = resize_labels(mask, (height, width)).ravel()
    return float(image.min()), float(image.max())


def _write_arrays(
    kept: Path,
    dataset: Source,
    samples: Sequence[Sample],
    sizes: np.ndarray,
    needed_mb: float,
    skip: bool,
) -> None:
    """Decode into a folder beside `kept` and move it there, so that it is whole or absent."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(kept.parent).free / 1e6
    if needed_mb > free_mb:
        raise DataError(
            f"The decoded images take {needed_mb:,.0f} MB, more than the memory limit, and "
            f"{kept.parent} has only {free_mb:,.0f} MB free; choose a smaller working size, a "
            f"higher limit or another cache folder."
        )
    beside = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
    beside.mkdir()
    try:
        area = int(sizes.prod(axis=1).sum())
        pixels = np.lib.format.open_memmap(
            beside / "pixels.npy", "w+", np.dtype(dataset.dtype), (area * dataset.channels,)
        )
        labels = np.lib.format.open_memmap(beside / "labels.npy", "w+", np.dtype("u1"), (area,))
        known = _fill(dataset, samples, sizes, pixels, labels, skip)
        pixels.flush()
        labels.flush()
        (beside / "known.json").write_text(json.dumps(known), encoding="utf-8")
        if not kept.exists():  # another process may have been faster
            beside.rename(kept)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _key(dataset: Source, samples: Sequence[Sample], sizes: np.ndarray, skip: bool) -> str:
    """Hash of all that decides what the decoded arrays hold, without reading the files."""
    digest = hashlib.sha256(
        repr((_FORMAT, dataset.channels, dataset.dtype, dataset.encoding, skip)).encode()
    )
    digest.update(sizes.tobytes())
    for sample in samples:
        for path in (sample.image, *sample.masks):
            state = path.stat() if path.exists() else None
            seen = None if state is None else (state.st_size, state.st_mtime_ns)
            digest.update(repr((str(path.resolve()), seen)).encode())
    return digest.hexdigest()[:24]
