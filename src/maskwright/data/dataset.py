"""A data set: samples, what their masks mean, and how to read them."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data import object_files
from maskwright.data.cases.fingerprints import ImageHashes
from maskwright.data.cases.known import KnownImages
from maskwright.data.encodings.encoding import Encoding
from maskwright.data.readers.mask_fit import (
    AS_STORED,
    MaskFit,
    check_georeference,
    inside_view,
    sizes_differ,
)
from maskwright.data.readers.probe import Headers, kind_differs
from maskwright.data.samples import USUAL_SPLITS, Doubt, Note, Sample, SkippedFile
from maskwright.data.to_rgb import to_gray
from maskwright.display.notebook import View
from maskwright.errors import DataError
from maskwright.imageio import Header, RawMask, read_mask, read_with_gaps
from maskwright.instances import Instances
from maskwright.labels import IGNORE_LABEL, Labels


@dataclass(frozen=True)
class DataSet:
    """Images with masks below a folder, ready to be read.

    Args:
        layout: How the files are laid out, for people.
        samples: All samples with a mask, each with a split.
        dtype: Of the images, `"uint8"`, `"uint16"` or `"float32"`.
        instances: Whether objects are numbered, by the masks or by files beside them.
        components: Whether the connected components of each class are its objects.
        multilabel: Whether a pixel may belong to several classes; see `data.layers`.
        stated: Keys of data.yaml on where files are and how they are divided.
        case_from: Where the cases come from: name of a column, pattern, or `"folder"`; `""` where
            each sample is a case of its own.
        headers: Of image files, as far as they have been read.
        hashes: Of images, as far as they have been read; see `content_hash`.
        origin: What `open_dataset` was given; its samples may lie elsewhere, if it was converted.
        doubts: What data.yaml must settle before the data set is used.
        fit: What is done to masks so that they lie on their images.
        known: What is recorded of images, such as those that a model has seen.
        ignored_as: Label of what masks ignore; not of pixels for which an image has no data.
        view: How a notebook shows it and its samples.
    """

    root: Path
    layout: str
    samples: tuple[Sample, ...]
    labels: Labels
    encoding: Encoding
    channels: int
    dtype: str
    notes: tuple[Note, ...] = field(default=(), compare=False)
    instances: bool = False
    components: bool = False
    multilabel: bool = False
    skipped: tuple[SkippedFile, ...] = field(default=(), compare=False)
    stated: Mapping[str, Any] = field(default_factory=dict, compare=False)
    case_from: str = ""
    headers: Headers = field(default_factory=Headers, compare=False, repr=False)
    hashes: ImageHashes = field(default_factory=ImageHashes, compare=False, repr=False)
    doubts: tuple[Doubt, ...] = ()
    origin: str = field(default="", compare=False)
    fit: MaskFit = AS_STORED
    known: KnownImages = field(default=KnownImages(), compare=False, repr=False)
    ignored_as: int = IGNORE_LABEL
    view: View | None = field(default=None, compare=False, repr=False)

    def _repr_html_(self) -> str | None:
        return None if self.view is None else self.view.html(self)

    @property
    def splits(self) -> dict[str, int]:
        """Number of samples in each split; `USUAL_SPLITS` first."""
        counts = Counter(sample.split or "train" for sample in self.samples)
        usual = [split for split in USUAL_SPLITS if split in counts]
        return {split: counts[split] for split in [*usual, *sorted(set(counts) - set(usual))]}

    def of(self, split: str) -> list[Sample]:
        """Samples of a split; `DataError` naming the splits there are if it has none."""
        samples = [sample for sample in self.samples if sample.split == split]
        if not samples:
            existing = ", ".join(f"{name} ({count})" for name, count in self.splits.items())
            raise DataError(f"{self.root} has no split {split!r}; it has {existing}.")
        return samples

    def header(self, path: Path) -> Header:
        """Size and kind of an image, read once; `DataError` where it cannot be read."""
        return self.headers.of(path)

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Image `(h, w, channels)` in the file's range, and labels `(h, w)` int32.

        Gray becomes RGB and RGB gray where the data set has the other; pixels without data are
        ignored. `DataError` if a file cannot be read, sizes differ, values are unknown, or the
        image is of another kind than most.
        """
        image, labels, _ = self.read_with_gaps(sample)
        return image, labels

    def read_with_gaps(self, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """As `read`, and where the image has no data, bool `(h, w)`; `None` where it has all."""
        image, gap = self._read_pixels(sample)
        size = image.shape[:2]
        stored = sample.masks or sample.field_of_view
        labels = self.read_mask(sample) if stored else np.zeros(size, np.int32)
        if labels.shape != size:
            raise DataError(sizes_differ(sample.image, size, sample.masks[0], labels.shape))
        check_georeference(sample, self.header)
        if gap is not None:
            labels[gap] = IGNORE_LABEL
        return image, labels, gap

    def read_image(self, sample: Sample) -> np.ndarray:
        """Image `(h, w, channels)` in the file's range."""
        return self._read_pixels(sample)[0]

    def _read_pixels(self, sample: Sample) -> tuple[np.ndarray, np.ndarray | None]:
        """Image, and where it has no data."""
        image, gap = read_with_gaps(sample.image)
        self.hashes.add(sample.image, image, sample.id)
        problem = kind_differs(image.shape[2], str(image.dtype), self.channels, self.dtype)
        if problem:
            raise DataError(f"{sample.image} {problem}.")
        if image.shape[2] == self.channels:
            return image, gap
        return (np.repeat(image, 3, axis=2) if self.channels == 3 else to_gray(image)), gap

    def content_hash(self, sample: Sample) -> str | None:
        """Hash of the pixels in the file of an image; `None` where it cannot be read."""
        if sample.image not in self.hashes:
            with suppress(DataError):
                self.read_image(sample)
        return self.hashes.get(sample.image)

    def is_learned(self, sample: Sample) -> bool:
        """Whether a model has seen an image, whatever its name; read already, it is not decoded."""
        return bool(self.known.learned) and self.content_hash(sample) in self.known.learned

    def read_mask(self, sample: Sample) -> np.ndarray:
        """Labels `(h, w)` int32: mask files united, later ones on top; ignored outside the view."""
        labels = self._read_classes(sample)
        if sample.field_of_view is not None:
            path = sample.field_of_view
            seen = inside_view(self._read_raw(sample, path).values)
            if seen.shape != labels.shape:
                raise DataError(sizes_differ(sample.image, labels.shape, path, seen.shape))
            labels[~seen] = IGNORE_LABEL
        if self.ignored_as != IGNORE_LABEL:
            labels[labels == IGNORE_LABEL] = self.ignored_as
        return labels

    def _decode(self, sample: Sample, place: int) -> tuple[RawMask, np.ndarray]:
        """One mask file of a sample as it is, and its labels `(h, w)` int32."""
        raw = self._read_raw(sample, sample.masks[place])
        labels = self.encoding.decode(raw, sample.masks[place])
        if sample.classes:  # of one class, what is in it
            labels[labels == 1] = self.labels.names.index(sample.classes[place])
        return raw, labels

    def _read_classes(self, sample: Sample) -> np.ndarray:
        """Labels of all mask files of a sample, wherever the view ends."""
        if not sample.masks:  # no object in the image, so that no mask states the size
            header = self.header(sample.image)
            return np.zeros((header.height, header.width), np.int32)
        decoded = [(self._decode(sample, n)[1], path) for n, path in enumerate(sample.masks)]
        if self.multilabel:  # no class is hidden by a larger one
            decoded.sort(key=lambda item: -np.count_nonzero(item[0]))
        united = decoded[0][0]
        for labels, path in decoded[1:]:
            if labels.shape != united.shape:
                raise DataError(sizes_differ(sample.masks[0], united.shape, path, labels.shape))
            united = np.where(labels > 0, labels, united)
        return united

    def _read_raw(self, sample: Sample, path: Path) -> RawMask:
        """Values of a mask file, as they lie on the image."""
        raw = read_mask(path)
        if self.fit == AS_STORED:
            return raw
        header, orientation = self.header(sample.image), self.header(path).orientation
        return replace(raw, values=self.fit.lay(raw.values, header, orientation))

    def read_objects(self, sample: Sample) -> Instances:
        """Objects of a sample with their classes, whole where they overlap, crowds of COCO last.

        Raises as `read_instances`, and `DataError` of objects without a class.
        """
        if sample.instances is not None and sample.instances.suffix == ".json":
            return object_files.read_listed(sample.instances, self.fit, self.header(sample.image))
        if len(sample.masks) < 2 or sample.instances is not None or self.components:
            numbers, classes = self.read_instances(sample), self.read_mask(sample)
            return object_files.with_classes(numbers, classes, self.labels.background, sample)
        masks, labels = [], []
        for place in range(len(sample.masks)):
            raw, classes = self._decode(sample, place)
            for inside in self.encoding.objects(raw):
                masks.append(inside)
                labels.append(int(np.bincount(classes[inside]).argmax()))
        return Instances.from_masks(masks, classes.shape, labels)

    def require_instances(self) -> None:
        """Raise `DataError` if the masks of the data set store classes."""
        if not self.instances:
            raise DataError(object_files.no_objects(self.root, self.samples))

    def read_instances(self, sample: Sample) -> np.ndarray:
        """Objects `(h, w)` int32, numbered from 1 in the order of files or values; 0 where none is.

        Later files lie on top. `DataError` if the masks of the data set store classes.
        """
        self.require_instances()
        if sample.instances is not None and sample.instances.suffix == ".json":
            objects = object_files.read_listed(
                sample.instances, self.fit, self.header(sample.image)
            )
            return objects.take(~objects.crowd).ids()
        if sample.instances is not None:
            raw, header = self._read_raw(sample, sample.instances), self.header(sample.image)
            size = (header.height, header.width)
            return object_files.read_numbered(raw, sample.instances, sample.image, size)
        if self.components:
            return object_files.number_components(self.read_mask(sample))
        numbers = np.zeros_like(self.read_mask(sample))
        for file, path in enumerate(sample.masks, start=1):
            raw = self._read_raw(sample, path)
            for value, inside in enumerate(self.encoding.objects(raw), start=1):
                numbers[inside] = file if len(sample.masks) > 1 else value
        return numbers
