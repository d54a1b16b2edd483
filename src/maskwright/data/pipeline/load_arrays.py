"""Decode samples once and keep them at working size, in memory or in one file on disk."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.geometry import resize_image, resize_labels
from maskwright.data.layers import Combinations, read_layers
from maskwright.data.parallel import in_threads
from maskwright.data.pipeline.arrays import MEMORY_LIMIT_MB, Arrays, starts_of
from maskwright.errors import DataError
from maskwright.imageio import atomic_folder

_FORMAT = 1  # of the files on disk; part of their name


@dataclass(frozen=True)
class _Plan:
    """What is decoded: samples at their sizes, `(n, 2)`, height and width."""

    dataset: DataSet
    samples: Sequence[Sample]
    sizes: np.ndarray
    skip_unreadable: bool
    combinations: Combinations | None

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image, and labels or numbers of combinations `(h, w)`."""
        if self.combinations is None:
            return self.dataset.read(sample)
        image, layers = read_layers(self.dataset, sample)
        return image, self.combinations.numbers(layers)

    @property
    def area(self) -> int:
        """Pixels of all images together."""
        return int(self.sizes.prod(axis=1).sum())

    @property
    def megabytes(self) -> float:
        """Memory that images and labels take."""
        itemsize = np.dtype(self.dataset.dtype).itemsize
        return self.area * (self.dataset.channels * itemsize + 1) / 1e6


def load(
    dataset: DataSet,
    samples: Sequence[Sample],
    size: tuple[int, int] | None,
    memory_limit_mb: float = MEMORY_LIMIT_MB,
    cache_dir: Path | None = None,
    skip_unreadable: bool = False,
    combinations: Combinations | None = None,
) -> Arrays:
    """Decode every sample once and keep it at working size; `DataError` where that fails.

    Args:
        size: Height and width that images are stretched to, averaging down or interpolating up;
            masks take nearest labels. `None` keeps the sizes of the files.
        memory_limit_mb: Arrays larger than this go to a folder in `cache_dir`, where a second
            call for unchanged files reads them.
        cache_dir: `None` for `~/.cache/maskwright`. It can be deleted when no training runs.
        skip_unreadable: Skip samples that cannot be read; `Arrays.skipped` says why.
        combinations: Those of classes that overlap, whose numbers are kept in place of labels.
    """
    if not samples:
        raise DataError("There is no sample to load; the split is empty.")
    if size is None:
        sizes = np.array(list(in_threads(partial(_measure, dataset), samples, "Reading sizes")))
    else:
        sizes = np.tile(np.array(size, np.int64), (len(samples), 1))
    plan = _Plan(dataset, samples, sizes, skip_unreadable, combinations)
    if plan.megabytes <= memory_limit_mb:
        pixels = np.empty(plan.area * dataset.channels, dataset.dtype)
        labels = np.empty(plan.area, np.uint8)
        decoded = _fill(plan, pixels, labels)
    else:
        folder = (cache_dir or Path.home() / ".cache" / "maskwright") / f"arrays-{_key(plan)}"
        if not (folder / "known.json").exists():
            _write_arrays(folder, plan)
        decoded = json.loads((folder / "known.json").read_text(encoding="utf-8"))
        pixels = np.load(folder / "pixels.npy", mmap_mode="r")
        labels = np.load(folder / "labels.npy", mmap_mode="r")
    good, skipped = decoded["good"], decoded["skipped"]
    if not good:
        raise DataError(f"None of {len(skipped)} samples can be read; the first: {skipped[0]}")
    return Arrays(
        pixels=pixels,
        labels=labels,
        starts=starts_of(sizes)[good],
        sizes=sizes[good],
        channels=dataset.channels,
        weights=np.array([samples[index].weight for index in good], np.float32),
        ids=tuple(samples[index].id for index in good),
        cases=tuple(samples[index].case for index in good),
        skipped=tuple(skipped),
    )


def _measure(dataset: DataSet, sample: Sample) -> tuple[int, int]:
    """Size of an image in its file; 0 where it cannot be read, which decoding will tell."""
    try:
        header = dataset.header(sample.image)
    except DataError:
        return 0, 0
    return header.height, header.width


def _fill(plan: _Plan, pixels: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Decode all samples into their places; what is known of them afterwards, fit for JSON."""
    decode = partial(_decode, plan, pixels, labels)
    starts = starts_of(plan.sizes).tolist()
    places = list(zip(plan.samples, plan.sizes.tolist(), starts, strict=True))
    results = list(in_threads(decode, places, "Decoding images"))
    return {
        "good": [index for index, reason in enumerate(results) if reason is None],
        "skipped": [reason for reason in results if reason is not None],
    }


def _decode(
    plan: _Plan, pixels: np.ndarray, labels: np.ndarray, place: tuple[Sample, list[int], int]
) -> str | None:
    """Put one sample into its place, or say why it was skipped."""
    sample, (height, width), start = place
    try:
        if height == 0:
            plan.dataset.header(sample.image)
        image, mask = plan.read(sample)
        if image.dtype != pixels.dtype and pixels.dtype != np.float32:
            raise DataError(
                f"{sample.image} holds {image.dtype} where most images hold {pixels.dtype}; "
                f"convert it, or leave it out."
            )
    except DataError as error:
        if not plan.skip_unreadable:
            raise
        return str(error)
    image = resize_image(image, (height, width))
    end, channels = start + height * width, image.shape[2]
    pixels[start * channels : end * channels] = image.ravel()
    labels[start:end] = resize_labels(mask, (height, width)).ravel()
    return None


def _write_arrays(folder: Path, plan: _Plan) -> None:
    """Decode into files of a folder, which is then whole or absent."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    free_mb = shutil.disk_usage(folder.parent).free / 1e6
    if plan.megabytes > free_mb:
        raise DataError(
            f"The decoded images take {plan.megabytes:,.0f} MB, more than the memory limit, and "
            f"{folder.parent} has only {free_mb:,.0f} MB free; choose a smaller working size, a "
            f"higher limit or another cache folder."
        )
    dtype, channels = np.dtype(plan.dataset.dtype), plan.dataset.channels
    create = np.lib.format.open_memmap
    with atomic_folder(folder) as beside:
        pixels = create(beside / "pixels.npy", "w+", dtype, (plan.area * channels,))
        labels = create(beside / "labels.npy", "w+", np.dtype("u1"), (plan.area,))
        decoded = _fill(plan, pixels, labels)
        pixels.flush()
        labels.flush()
        (beside / "known.json").write_text(json.dumps(decoded), encoding="utf-8")


def _key(plan: _Plan) -> str:
    """Hash of all that decides what the decoded arrays hold, without reading the files."""
    dataset = plan.dataset
    settings = (_FORMAT, dataset.channels, dataset.dtype, dataset.encoding, plan.skip_unreadable)
    classes = [sample.classes for sample in plan.samples]
    digest = hashlib.sha256(repr((settings, dataset.fit, dataset.labels.names, classes)).encode())
    if plan.combinations is not None:
        digest.update(plan.combinations.codes.tobytes())
    digest.update(plan.sizes.tobytes())
    for path in (path for sample in plan.samples for path in _files(sample)):
        state = path.stat() if path.exists() else None
        version = None if state is None else (state.st_size, state.st_mtime_ns)
        digest.update(repr((str(path.resolve()), version)).encode())
    return digest.hexdigest()[:24]


def _files(sample: Sample) -> list[Path]:
    """Files that decide the pixels and labels of a sample."""
    views = [] if sample.field_of_view is None else [sample.field_of_view]
    return [sample.image, *sample.masks, *views]
