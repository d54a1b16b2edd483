"""A data set: samples, what their masks mean, and how to read them."""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.description import (
    FILE_NAMES,
    Description,
    ignored_values,
    read_description,
    stated_encoding,
    stated_legend,
    stated_values,
    write_description,
)
from maskwright.data.encodings import Content, Encoding
from maskwright.data.layouts import HOW_TO_STATE, Layout, LeftOut, recognise_folder
from maskwright.data.lists import divide
from maskwright.data.manifest import read_groups, read_manifest
from maskwright.data.recognition import recognise
from maskwright.data.samples import Sample, carve
from maskwright.data.survey import held_classes, kind_differs, sizes_differ, survey
from maskwright.data.tfds import PREFIX, materialise
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import read_header, read_image, read_mask
from maskwright.labels import IGNORE_LABEL, Labels

VAL_SHARE = 0.1
TEST_SHARE = 0.15
SEED = 0

_MANIFEST = "manifest.csv"


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
        stated: Keys of data.yaml on where files are and how they are divided.
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
        grey: np.ndarray = image @ np.array([0.299, 0.587, 0.114])
        if image.dtype.kind == "u":
            grey = grey.round()
        return grey.astype(image.dtype)[..., None]

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
    val_share: float | None = None,
    test_share: float | None = None,
    seed: int | None = None,
) -> DataSet:
    """Open images with masks, whatever their layout.

    A data.yaml in the folder wins over what would be inferred, and arguments over both. Pairs
    that cannot be used are left out and listed.

    Args:
        source: Folder, CSV manifest, data.yaml, or `tfds:NAME`.
        group_by: Column of the manifest or of groups.csv that holds the case of a sample, or a
            pattern whose first group, searched in the id of a sample, is its case.
        val_share: Share of samples for validation where no such split is given, 0 for none;
            `None` for what data.yaml says, else 0.1.
        test_share: The same for testing; 0.15.
        seed: Decides which samples these are; 0. Not the seed of a training run: a model must
            be scored on the division that it was trained on.

    Raises:
        DataError: If nothing is recognised, or no sample can be used.
        ConfigError: If data.yaml or an argument is wrong.
    """
    root, said = _locate(source)
    layout = _layout(root, said)
    group_by = group_by if group_by is not None else said.group_by
    seed = _first(seed, said.seed, SEED)
    shares = {
        "val": _first(val_share, said.val_share, VAL_SHARE),
        "test": _first(test_share, said.test_share, TEST_SHARE),
    }
    given = {sample.split or "train" for sample in layout.samples}
    made = [split for split, share in shares.items() if share and split not in given]
    made = made if "train" in given else []
    seen = survey(layout.samples, seed, divide=bool(made))
    encoding, labels = _meaning(list(seen.contents.values()), layout, said)
    samples = _grouped(root, seen.samples, layout, group_by)
    held = held_classes(samples, seen.contents, encoding)
    samples = carve(samples, held, shares["val"], shares["test"], seed)
    notes = [encoding.explanation, *layout.notes]
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
    keys = said.model_dump(exclude_defaults=True, include=_PLACES)
    keys |= {"val_share": shares["val"], "test_share": shares["test"], "seed": seed}
    return DataSet(
        root=root,
        layout=layout.name,
        samples=tuple(samples),
        labels=labels,
        encoding=encoding,
        channels=seen.channels,
        dtype=seen.dtype,
        notes=tuple(notes),
        instances=encoding.kind == "objects" and said.objects != "united",
        left_out=left_out,
        stated=keys if group_by is None else {**keys, "group_by": group_by},
    )


_PLACES = {"images", "masks", "manifest", "splits"}


def write_yaml(dataset: DataSet, path: str | Path) -> None:
    """Write the data.yaml from which `open_dataset` gives the same data set, for people to edit."""
    path = Path(path)
    content: dict[str, Any] = {}
    root = Path(os.path.relpath(dataset.root.resolve(), path.parent.resolve())).as_posix()
    if root != ".":
        content["root"] = root
    content |= {key: dataset.stated[key] for key in _PLACES if key in dataset.stated}
    described = dataset.labels.to_dict()
    content |= {"classes": described["names"], "colours": described["colours"]}
    content["encoding"] = dataset.encoding.kind
    content["values"] = stated_values(dataset.encoding, dataset.labels)
    if dataset.encoding.threshold is not None:
        content["threshold"] = dataset.encoding.threshold
    if dataset.encoding.kind == "objects":
        content["objects"] = "instances" if dataset.instances else "united"
    content |= {key: dataset.stated[key] for key in dataset.stated if key not in _PLACES}
    write_description(path, content, dataset.notes)


def _locate(source: str | Path) -> tuple[Path, Description]:
    """Folder of a data set, and what is stated on it."""
    if str(source).startswith(PREFIX):
        source = materialise(str(source).removeprefix(PREFIX))
    path = Path(source)
    if path.is_dir():
        for name in FILE_NAMES:
            if (path / name).is_file():
                return _locate(path / name)
        is_listed = (path / _MANIFEST).is_file()
        return path, Description(manifest=_MANIFEST) if is_listed else Description()
    if not path.is_file():
        raise DataError(
            f"{path} does not exist; expected a folder of images and masks, a CSV manifest, a "
            f"data.yaml, or {PREFIX}NAME."
        )
    if path.suffix.lower() == ".csv":
        return path.parent, Description(manifest=path.name)
    if path.suffix.lower() in {".yaml", ".yml"}:
        said = read_description(path)
        root = path.parent / said.root if said.root != "." else path.parent
        if not root.is_dir():
            raise DataError(f"{path} states the root {said.root}, but {root} is no folder.")
        return root, said
    raise DataError(
        f"{path} is no data set; expected a folder, a CSV manifest or a data.yaml. {HOW_TO_STATE}"
    )


def _layout(root: Path, said: Description) -> Layout:
    if said.manifest is not None:
        table = read_manifest(root / said.manifest)
        layout = Layout(f"manifest {said.manifest}", table.samples, table.left_out)
        layout.objects = any(len(sample.masks) > 1 for sample in table.samples)
        layout.columns = table.columns
    else:
        layout = recognise_folder(root, said.images, said.masks)
    if said.splits is not None:
        divided = divide(root, layout.samples, said.splits)
        layout.samples = divided.samples
        layout.left_out += [(s.image, "in no split of data.yaml") for s in divided.unlisted]
    if not layout.samples:
        reason = layout.left_out[0][1] if layout.left_out else "it lists none"
        raise DataError(f"{root} holds no usable sample; the first reason: {reason}.")
    return layout


def _meaning(
    contents: Sequence[Content], layout: Layout, said: Description
) -> tuple[Encoding, Labels]:
    """Encoding and classes: as stated, else as recognised."""
    stated = stated_encoding(said)
    if stated is not None:
        return stated
    ignored = ignored_values(said)
    if ignored:
        contents = [
            replace(c, values={v: n for v, n in c.values.items() if v not in ignored})
            for c in contents
        ]
        contents = [content for content in contents if content.values]
        if not contents:
            raise ConfigError("data.yaml ignores every value that occurs in the masks.")
    objects = layout.objects or said.objects is not None
    encoding, labels = recognise(contents, stated_legend(said) or layout.legend, objects)
    values = {**encoding.values, **dict.fromkeys(ignored, IGNORE_LABEL)}
    return replace(encoding, values=values), labels


def _grouped(
    root: Path, samples: Sequence[Sample], layout: Layout, group_by: str | None
) -> list[Sample]:
    """Give every sample its case."""
    columns = layout.columns
    if not columns:
        column, columns = read_groups(root, samples)
        group_by = group_by or column or None
        if column:
            layout.notes.append(f"Cases are the column {column!r} of the table of groups.")
    if group_by is None:
        return list(samples)
    if group_by in columns:
        table = columns[group_by]
        return [replace(s, case=table.get(s.id) or s.id) for s in samples]
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise ConfigError(f"The pattern {group_by!r} to group by is wrong: {error}.") from None
    if pattern.groups < 1:
        there = f"one of the columns {', '.join(columns)}, or " if columns else ""
        raise ConfigError(
            f"Cannot group by {group_by!r}; expected {there}a pattern with a group in brackets, "
            f"such as '(.+)_[0-9]+', that finds the case in the name of a sample."
        )
    cases = []
    for sample in samples:
        found = pattern.search(sample.id)
        if found is None or not found[1]:
            raise ConfigError(
                f"The pattern {group_by!r} finds no case in the name {sample.id!r}; expected one "
                f"that fits all names."
            )
        cases.append(replace(sample, case=found[1]))
    return cases


def _first(*values: Any) -> Any:
    """First value that is stated."""
    return next(value for value in values if value is not None)
