"""A data set: samples, what their masks mean, and how to read them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from maskwright.data.encodings import Content, Encoding, content_of
from maskwright.data.layouts import Layout, LeftOut, recognise_folder
from maskwright.data.parallel import in_threads
from maskwright.data.recognition import recognise
from maskwright.data.samples import Sample, carve
from maskwright.errors import DataError
from maskwright.imageio import Header, read_header, read_image, read_mask
from maskwright.labels import Labels

_MASKS_LOOKED_AT = 200
_MASKS_STRATIFIED = 2000
_HEADERS_READ = 4000


@dataclass(frozen=True)
class DataSet:
    """Images with masks, ready to be read.

    Args:
        root: Folder that holds them.
        layout: How the files are laid out, for people.
        samples: All samples with a mask, each with a split.
        labels: Names and colours of the classes.
        encoding: What the values in the masks mean.
        channels: Channels of an image.
        dtype: `"uint8"`, `"uint16"` or `"float32"`.
        notes: Sentences on what was inferred and why.
        instances: Whether the masks tell objects apart.
        left_out: Files that are in no sample, and why.
    """

    root: Path
    layout: str
    samples: tuple[Sample, ...]
    labels: Labels
    encoding: Encoding
    channels: int
    dtype: str
    notes: tuple[str, ...] = field(default=(), compare=False)
    instances: bool = False
    left_out: tuple[LeftOut, ...] = field(default=(), compare=False)

    @property
    def splits(self) -> dict[str, int]:
        """Number of samples in each split; train, val and test first."""
        counts = Counter(sample.split or "train" for sample in self.samples)
        usual = [split for split in ("train", "val", "test") if split in counts]
        return {split: counts[split] for split in [*usual, *sorted(set(counts) - set(usual))]}

    def of(self, split: str) -> list[Sample]:
        """Samples of a split; `DataError` naming the splits there are if it has none."""
        found = [sample for sample in self.samples if sample.split == split]
        if not found:
            there = ", ".join(f"{name} ({count})" for name, count in self.splits.items())
            raise DataError(f"{self.root} has no split {split!r}; it has {there}.")
        return found

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image `(h, w, channels)` in the file's range, and labels `(h, w)` int32.

        Grey becomes RGB and RGB grey where the data set has the other.

        Raises:
            DataError: If a file cannot be read, sizes differ, values are unknown, or the image is
                of another kind than the data set.
        """
        image = self.read_image(sample)
        labels = self.read_mask(sample) if sample.masks else np.zeros(image.shape[:2], np.int32)
        if labels.shape != image.shape[:2]:
            raise DataError(_sizes_differ(sample, image.shape[:2], labels.shape))
        return image, labels

    def read_image(self, sample: Sample) -> np.ndarray:
        """Image `(h, w, channels)` in the file's range."""
        image = read_image(sample.image)
        problem = _kind_differs(image.shape[2], str(image.dtype), self.channels, self.dtype)
        if problem:
            raise DataError(f"{sample.image} {problem}.")
        if image.shape[2] == self.channels:
            return image
        if self.channels == 3:
            return np.repeat(image, 3, axis=2)
        # Luminance of ITU-R BT.601, as Pillow and OpenCV compute it.
        grey: np.ndarray = image @ np.array([0.299, 0.587, 0.114])
        if image.dtype.kind == "u":
            grey = grey.round()
        return grey.astype(image.dtype)[..., None]

    def read_mask(self, sample: Sample) -> np.ndarray:
        """Labels `(h, w)` int32; several mask files are united."""
        united: np.ndarray | None = None
        for path in sample.masks:
            labels = self.encoding.decode(read_mask(path), path)
            if united is None:
                united = labels
            elif labels.shape != united.shape:
                raise DataError(_sizes_differ(sample, united.shape, labels.shape, path))
            else:
                united = np.where(labels > 0, labels, united)
        if united is None:  # no object in the image: there is no file to tell its size
            header = read_header(sample.image)
            united = np.zeros((header.height, header.width), np.int32)
        return united

    def read_instances(self, sample: Sample) -> np.ndarray:
        """Objects `(h, w)` int32, numbered from 1; 0 where there is none. Later files lie on top.

        Raises:
            DataError: If the masks of the data set do not tell objects apart.
        """
        if not self.instances:
            raise DataError(
                f"The masks in {self.root} tell classes, not objects; expected one mask file for "
                f"each object, or a number for each."
            )
        numbers = np.zeros_like(self.read_mask(sample))
        number = 0
        for path in sample.masks:
            for inside in self.encoding.objects(read_mask(path)):
                number += 1
                numbers[inside] = number
        return numbers


def open_dataset(
    source: str | Path,
    *,
    group_by: str | None = None,
    val_share: float = 0.1,
    test_share: float = 0.15,
    seed: int = 0,
) -> DataSet:
    """Open a folder of images and masks, whatever its layout.

    Args:
        source: Folder.
        group_by: Pattern whose first group, found in the id of a sample, is its case.
        val_share: Share of samples for validation where no such split is given; 0 for none.
        test_share: Share of samples for testing where no such split is given; 0 for none.
        seed: Decides which samples these are. Not the seed of a training run: a model must not
            be scored on another division than it was trained on.

    Raises:
        DataError: If nothing is recognised, or no sample can be used.
    """
    root = Path(source)
    if not root.is_dir():
        raise DataError(f"{root} does not exist; expected a folder of images and masks.")
    layout = recognise_folder(root)
    channels, dtype = _look_at_headers(layout, seed)
    contents = _look_at_masks(layout, seed, val_share > 0 or test_share > 0)
    encoding, labels = recognise(list(contents.values()), layout.legend, layout.objects)
    held = {sample.id: _held(sample, contents, encoding) for sample in layout.samples}
    samples = carve(layout.samples, held, val_share, test_share, seed)
    return DataSet(
        root,
        layout.name,
        tuple(samples),
        labels,
        encoding,
        channels,
        dtype,
        (encoding.explanation, *layout.notes),
        encoding.kind == "objects",
        tuple(layout.left_out),
    )


def _look_at_headers(layout: Layout, seed: int) -> tuple[int, str]:
    """Channels and dtype of most images; samples that cannot be read so are left out."""
    samples = layout.samples
    if len(samples) > _HEADERS_READ:
        rng = np.random.default_rng([seed, 1])
        chosen = rng.choice(len(samples), _HEADERS_READ, replace=False)
        samples = [samples[int(index)] for index in sorted(chosen)]
    headers: dict[str, tuple[Header, Header | None]] = {}
    bad: dict[str, LeftOut] = {}
    for sample, outcome in zip(
        samples, in_threads(_headers, samples, "Looking at the files"), strict=True
    ):
        if isinstance(outcome, str):
            bad[sample.id] = (sample.image, outcome)
        else:
            headers[sample.id] = outcome
    if not headers:
        raise DataError(f"No sample can be read; the first: {next(iter(bad.values()))[1]}")
    kinds = Counter((image.channels, image.dtype) for image, _ in headers.values())
    (channels, dtype), _ = kinds.most_common(1)[0]
    for sample in samples:
        if sample.id not in headers:
            continue
        image, mask = headers[sample.id]
        problem = _kind_differs(image.channels, image.dtype, channels, dtype)
        size = (image.height, image.width)
        if problem:
            bad[sample.id] = (sample.image, f"{sample.image} {problem}.")
        elif mask is not None and (mask.height, mask.width) != size:
            said = _sizes_differ(sample, size, (mask.height, mask.width))
            bad[sample.id] = (sample.image, said)
    layout.samples = [sample for sample in layout.samples if sample.id not in bad]
    layout.left_out += bad.values()
    return channels, dtype


def _headers(sample: Sample) -> tuple[Header, Header | None] | str:
    """Headers of the image and its first mask, or the sentence that says what is wrong."""
    try:
        return (
            read_header(sample.image),
            read_header(sample.masks[0]) if sample.masks else None,
        )
    except DataError as error:
        return str(error)


def _look_at_masks(layout: Layout, seed: int, divide: bool) -> dict[Path, Content]:
    """Contents of masks: of all where that helps to divide the samples, of some otherwise."""
    splits = {sample.split for sample in layout.samples} - {None}
    divide &= not {"val", "test"} <= splits
    samples = layout.samples
    paths = [mask for sample in samples for mask in sample.masks]
    few = len(paths) <= _MASKS_STRATIFIED and divide
    if not few and len(paths) > _MASKS_LOOKED_AT:
        rng = np.random.default_rng([seed, 2])
        chosen = rng.choice(len(paths), _MASKS_LOOKED_AT, replace=False)
        paths = [paths[int(index)] for index in sorted(chosen)]
    contents: dict[Path, Content] = {}
    bad: dict[Path, str] = {}
    for path, outcome in zip(
        paths, in_threads(_content, paths, "Looking at the masks"), strict=True
    ):
        if isinstance(outcome, str):
            bad[path] = outcome
        else:
            contents[path] = outcome
    if bad and not contents:
        raise DataError(next(iter(bad.values())))
    for sample in samples:
        broken = [bad[mask] for mask in sample.masks if mask in bad]
        if broken:
            layout.left_out.append((sample.masks[0], broken[0]))
    layout.samples = [s for s in samples if not any(mask in bad for mask in s.masks)]
    return contents


def _content(path: Path) -> Content | str:
    try:
        return content_of(path)
    except DataError as error:
        return str(error)


def _held(sample: Sample, contents: dict[Path, Content], encoding: Encoding) -> set[object]:
    """Classes in the masks of a sample, and its label: what splits are to share evenly."""
    held: set[object] = set() if sample.label is None else {f"label {sample.label}"}
    for mask in sample.masks:
        content = contents.get(mask)
        if content is None:
            continue
        for value in content.values:
            if encoding.threshold is not None:
                top = max(value) if isinstance(value, tuple) else value
                held.add(int(top >= encoding.threshold))
            else:
                held.add(encoding.values.get(value))
    return held - {None}


def _kind_differs(channels: int, dtype: str, expected: int, expected_dtype: str) -> str:
    if channels != expected and {channels, expected} != {1, 3}:
        return f"has {channels} channels where the data set has {expected}"
    if dtype != expected_dtype:
        return f"holds {dtype} pixels where the data set has {expected_dtype}"
    return ""


def _sizes_differ(
    sample: Sample, size: Sequence[int], mask_size: Sequence[int], mask: Path | None = None
) -> str:
    turned = tuple(size) == tuple(mask_size)[::-1]
    hint = (
        " The mask lies on its side: turn it, or remove the image's EXIF orientation."
        if turned
        else ""
    )
    return (
        f"{sample.image} is {size[1]}x{size[0]} pixels but its mask {mask or sample.masks[0]} is "
        f"{mask_size[1]}x{mask_size[0]}; both must have the same size.{hint}"
    )
