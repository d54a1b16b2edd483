"""A data set: samples, what their masks mean, and how to read them."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.encodings.encoding import Encoding
from maskwright.data.readers.data_yaml import stated_values, write_description
from maskwright.data.readers.layouts import LeftOut
from maskwright.data.readers.probe import held_classes, kind_differs, probe, sizes_differ
from maskwright.data.readers.resolve import PLACES, find, grouped, meaning, with_instances
from maskwright.data.samples import Sample
from maskwright.data.splits.assignment import assign_splits, make_fold
from maskwright.data.splits.assignment import unite_duplicates as united_cases
from maskwright.errors import DataError
from maskwright.imageio import read_header, read_image, read_mask
from maskwright.instances import Instances
from maskwright.labels import Labels

VAL_SHARE = 0.1
TEST_SHARE = 0.15
SEED = 0

_SHOWN = 3  # groups of copies that a note names


@dataclass(frozen=True)
class DataSet:
    """Images with masks, ready to be read.

    Args:
        root: Folder that holds them.
        layout: How the files are laid out, for people.
        samples: All samples with a mask, each with a split.
        labels: Names and colors of the classes.
        encoding: What the values in the masks mean.
        channels: Channels of an image.
        dtype: `"uint8"`, `"uint16"` or `"float32"`.
        notes: Sentences on what was inferred and why.
        instances: Whether objects are told apart, by the masks or by files beside them.
        left_out: Files that are in no sample, and why.
        stated: Keys of data.yaml on where files are and how they are divided.
        case_from: Where the cases come from: name of a column, pattern, or `"folder"`; `""` where
            each sample is a case of its own.
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
    stated: Mapping[str, Any] = field(default_factory=dict, compare=False)
    case_from: str = ""

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

        Gray becomes RGB and RGB gray where the data set has the other.

        Raises:
            DataError: If a file cannot be read, sizes differ, values are unknown, or the image is
                of another kind than the data set.
        """
        image = self.read_image(sample)
        size = image.shape[:2]
        labels = self.read_mask(sample) if sample.masks else np.zeros(size, np.int32)
        if labels.shape != size:
            raise DataError(sizes_differ(sample.image, size, sample.masks[0], labels.shape))
        return image, labels

    def read_image(self, sample: Sample) -> np.ndarray:
        """Image `(h, w, channels)` in the file's range."""
        image = read_image(sample.image)
        problem = kind_differs(image.shape[2], str(image.dtype), self.channels, self.dtype)
        if problem:
            raise DataError(f"{sample.image} {problem}.")
        if image.shape[2] == self.channels:
            return image
        if self.channels == 3:
            return np.repeat(image, 3, axis=2)
        # Luminance of ITU-R BT.601, as Pillow and OpenCV compute it.
        gray: np.ndarray = image @ np.array([0.299, 0.587, 0.114])
        if image.dtype.kind == "u":
            gray = gray.round()
        return gray.astype(image.dtype)[..., None]

    def read_mask(self, sample: Sample) -> np.ndarray:
        """Labels `(h, w)` int32; several mask files are united, later ones on top."""
        if not sample.masks:  # no object in the image: there is no file to tell the size
            header = read_header(sample.image)
            return np.zeros((header.height, header.width), np.int32)
        united = self.encoding.decode(read_mask(sample.masks[0]), sample.masks[0])
        for path in sample.masks[1:]:
            labels = self.encoding.decode(read_mask(path), path)
            if labels.shape != united.shape:
                raise DataError(sizes_differ(sample.masks[0], united.shape, path, labels.shape))
            united = np.where(labels > 0, labels, united)
        return united

    def read_objects(self, sample: Sample) -> Instances:
        """Objects of a sample, each with its class, nothing hidden where they overlap.

        Crowds of COCO come last.

        Raises:
            DataError: If the masks of the data set do not tell objects apart.
        """
        if sample.instances is not None and sample.instances.suffix == ".json":
            return _listed(sample.instances)
        if len(sample.masks) < 2 or sample.instances is not None:
            return Instances.from_ids(self.read_instances(sample), self.read_mask(sample))
        masks, labels = [], []
        for path in sample.masks:
            raw = read_mask(path)
            classes = self.encoding.decode(raw, path)
            for inside in self.encoding.objects(raw):
                masks.append(inside)
                labels.append(int(np.bincount(classes[inside]).argmax()))
        return Instances.from_masks(masks, classes.shape, labels)

    def read_instances(self, sample: Sample) -> np.ndarray:
        """Objects `(h, w)` int32, numbered from 1; 0 where there is none.

        Where an image has several mask files, each is one object, numbered in their order (the
        empty ones too), and later ones lie on top. Other files keep or get numbers in the order of
        their values.

        Raises:
            DataError: If the masks of the data set do not tell objects apart.
        """
        if not self.instances:
            raise DataError(
                f"The masks in {self.root} tell classes, not objects; expected one mask file for "
                f"each object, a number for each, or files of such numbers in a folder instances."
            )
        if sample.instances is not None and sample.instances.suffix == ".json":
            objects = _listed(sample.instances)
            return objects.take(~objects.crowd).ids()
        if sample.instances is not None:
            values = read_mask(sample.instances).values
            if values.ndim != 2:
                raise DataError(
                    f"{sample.instances} holds colors; expected the number of an object in every "
                    f"pixel, 0 where there is none."
                )
            return values.astype(np.int32)
        numbers = np.zeros_like(self.read_mask(sample))
        for file, path in enumerate(sample.masks, start=1):
            for value, inside in enumerate(self.encoding.objects(read_mask(path)), start=1):
                numbers[inside] = file if len(sample.masks) > 1 else value
        return numbers


def _listed(path: Path) -> Instances:
    """Objects that a file lists with their run lengths."""
    try:
        return Instances.from_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, DataError) as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def open_dataset(
    source: str | Path,
    *,
    group_by: str | None = None,
    val_share: float | None = None,
    test_share: float | None = None,
    seed: int | None = None,
    fold: tuple[int, int] | None = None,
    unite_duplicates: bool = False,
    scaled_masks: bool = False,
) -> DataSet:
    """Open images with masks, whatever their layout.

    A data.yaml in the folder wins over what would be inferred, and arguments over both. Pairs
    that cannot be used are left out and listed.

    Args:
        source: Folder, CSV manifest, data.yaml, JSON file of COCO, or `tfds:NAME`.
        group_by: Column of the manifest or of groups.csv that holds the case of a sample, or a
            pattern whose first group, searched in the id of a sample, is its case.
        val_share: Share of samples for validation where no such split is given, 0 for none;
            `None` for what data.yaml says, else 0.1.
        test_share: The same for testing; 0.15.
        seed: Decides which samples these are; 0. Not the seed of a training run: a model must
            be scored on the division that it was trained on.
        fold: `(2, 5)` divides training and validation samples into five folds, by case and
            stratified, holds the second out as the split `"held_out"` and trains on the others;
            `None` leaves both splits as they are.
        unite_duplicates: Whether cases with images that show the same, or nearly, become one
            group, which no split that is made parts; stated splits stay. Reads every image.
        scaled_masks: Whether samples are kept whose mask is larger or smaller than the image with
            its aspect, for those who bring it to the size of the image.

    Raises:
        DataError: If nothing is recognized, or no sample can be used.
        ConfigError: If data.yaml or an argument is wrong.
    """
    found = find(source)
    root, said, layout = found.root, found.said, found.layout
    group_by = group_by if group_by is not None else said.group_by
    seed = _first(seed, said.seed, SEED)
    shares = {
        "val": _first(val_share, said.val_share, VAL_SHARE),
        "test": _first(test_share, said.test_share, TEST_SHARE),
    }
    given = {sample.split or "train" for sample in layout.samples}
    made = [split for split, share in shares.items() if share and split not in given]
    made = made if "train" in given else []
    seen = probe(layout.samples, seed, bool(made) or fold is not None, scaled_masks)
    encoding, labels = meaning(list(seen.contents.values()), layout, said)
    samples, case_from = grouped(root, seen.samples, layout, group_by)
    objects = encoding.kind == "objects"
    samples = samples if objects else with_instances(root, samples)
    notes = [encoding.explanation, *layout.notes]
    unite_duplicates = unite_duplicates or said.unite_duplicates
    if unite_duplicates:
        samples, united = united_cases(samples)
        notes += _told(united)
    held = held_classes(samples, seen.contents, encoding)
    samples = assign_splits(samples, held, shares["val"], shares["test"], seed)
    if fold is not None:
        samples = make_fold(samples, held, *fold, seed)
    if made:
        notes.append(
            f"No {' and no '.join(made)} split is given: drawn from the training samples in whole "
            f"cases, with every class in its share, by the seed {seed}."
        )
    left_out = (*layout.left_out, *seen.left_out)
    if left_out:
        path, reason = left_out[0]
        about = reason if str(path) in reason else f"{path.name}, {reason}."
        notes.append(f"{len(left_out)} left out; the first: {about}")
    keys = said.model_dump(exclude_defaults=True, include=PLACES)
    keys |= {"val_share": shares["val"], "test_share": shares["test"], "seed": seed}
    if group_by is not None:
        keys["group_by"] = group_by
    if unite_duplicates:
        keys["unite_duplicates"] = True
    return DataSet(
        root=root,
        layout=layout.name,
        samples=tuple(samples),
        labels=labels,
        encoding=encoding,
        channels=seen.channels,
        dtype=seen.dtype,
        notes=tuple(notes),
        instances=said.objects != "united"
        if objects
        else all(sample.instances is not None for sample in samples),
        left_out=left_out,
        stated=keys,
        case_from=case_from,
    )


def write_yaml(dataset: DataSet, path: str | Path) -> None:
    """Write the data.yaml from which `open_dataset` gives the same data set, for people to edit."""
    path = Path(path)
    content: dict[str, Any] = {}
    root = Path(os.path.relpath(dataset.root.resolve(), path.parent.resolve())).as_posix()
    if root != ".":
        content["root"] = root
    content |= {key: dataset.stated[key] for key in PLACES if key in dataset.stated}
    described = dataset.labels.to_dict()
    content |= {"classes": described["names"], "colors": described["colors"]}
    content["encoding"] = dataset.encoding.kind
    content["values"] = stated_values(dataset.encoding, dataset.labels)
    if dataset.encoding.threshold is not None:
        content["threshold"] = dataset.encoding.threshold
    if dataset.encoding.kind == "objects":
        content["objects"] = "instances" if dataset.instances else "united"
    content |= {key: dataset.stated[key] for key in dataset.stated if key not in PLACES}
    write_description(path, content, dataset.notes)


def _told(united: Sequence[Sequence[str]]) -> list[str]:
    """Note on groups of copies whose cases were united."""
    if not united:
        return []
    shown = "; ".join(" = ".join(group[:4]) for group in united[:_SHOWN])
    more = f" and {len(united) - _SHOWN} more" if len(united) > _SHOWN else ""
    return [
        f"{len(united)} {'group' if len(united) == 1 else 'groups'} of images show nearly the same "
        f"({shown}{more}); each is one case, together with the cases of its images."
    ]


def _first(*values: Any) -> Any:
    """First value that is stated."""
    return next(value for value in values if value is not None)
