"""What is decided on regions, and the class of each: from the labels of a data set and settings.

Labels are of images (folders named by class, the column `label` of a manifest), of regions (several
labels in that column, one for each mask; or a table with a row for each region), or of the classes
in a label mask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data import DataSet, Sample
from maskwright.data.parallel import in_threads
from maskwright.data.readers.tables import read_region_labels
from maskwright.data.samples import SEPARATOR
from maskwright.errors import ConfigError, DataError
from maskwright.labels import IGNORE_LABEL
from maskwright.tasks.regions import Region
from maskwright.tasks.regions.learning.targets import LabelSource, binary_targets, decision_unit
from maskwright.types import RegionKind, Unit

_TABLES = ("regions.csv", "cells.csv")


@dataclass(frozen=True)
class Labeling:
    """The two classes of a decision, its unit, and the class of each region.

    Args:
        names: Names of the negative and of the positive class.
        source: Whether labels are given by image, by region number, or by class in a label mask.
        notes: Sentences on what was inferred, and why.
        targets: 0 or 1 for each label; `None` for a label that is skipped.
        classes: Class names of a label mask, where labels are classes.
        table: Labels of regions by sample id and value, in the file `table_path`, if there is one.
    """

    names: tuple[str, str]
    unit: Unit
    source: LabelSource
    notes: tuple[str, ...] = field(default=(), compare=False)
    targets: Mapping[str, int | None] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    table: Mapping[str, Mapping[int, str]] = field(default_factory=dict, repr=False)
    table_path: Path | None = None

    @property
    def required_kind(self) -> RegionKind | None:
        """Kind of regions that labels refer to; `None` for any kind."""
        return {"image": None, "region": "instances", "class": "components"}[self.source]

    def skips(self, sample: Sample) -> bool:
        """Whether the label of an image is one that is skipped."""
        return self.source == "image" and self.targets.get(sample.label or "", 0) is None

    def targets_of(self, sample: Sample, regions: Sequence[Region]) -> list[int | None]:
        """Target of each region, 0, 1 or `None` if skipped; `DataError` without a known label."""
        targets = []
        for region in regions:
            label = self._label(sample, region)
            if label not in self.targets:
                raise DataError(
                    f"{sample.image} has the label {label!r}; expected one of "
                    f"{', '.join(sorted(self.targets))}."
                )
            targets.append(self.targets[label])
        return targets

    def _label(self, sample: Sample, region: Region) -> str:
        labels, number = sample.labels, region.value
        if self.source == "class":
            return self.classes[region.label]
        if self.source == "image" or (self.table_path is None and len(labels) == 1):
            label, missing = sample.label or "", f"{sample.image} has no label"
        elif self.table_path is None:
            label = labels[number - 1] if number <= len(labels) else ""
            missing = f"Mask {number} of {sample.image} has no label among {sample.label!r}"
        else:
            label = self.table.get(sample.id, {}).get(number, "")
            missing = f"Region {number} of {sample.image} has no label in {self.table_path}"
        if not label:
            raise DataError(f"{missing}; expected one for each region.")
        return label


def find_labeling(
    dataset: DataSet,
    *,
    positive: str | None = None,
    classes: Sequence[str] | None = None,
    unit: Unit | None = None,
    by: LabelSource | None = None,
    table: str | Path | None = None,
) -> Labeling:
    """Infer what is decided in a data set; `Labeling.notes` explain it.

    Labels of images without any region (all masks empty, or none) do not count; only the masks of
    such images are read. Of two labels, the positive one is that with a positive name (malignant,
    damaged, yes, …) beside its opposite.

    Args:
        positive: Positive label; all others are negative.
        classes: Labels to use, where there are more than two; regions of others are skipped.
        unit: What one decision is made on; `None` infers it, see `decision_unit`.
        by: What labels are given for: images, regions, or classes of a label mask; `None` takes
            labels of single masks in a manifest before a table of regions, before labels of images,
            before classes of the masks.
        table: CSV file of labels as `read_region_labels` takes it; `None` looks for regions.csv
            and cells.csv beside the data.

    Raises:
        ConfigError: If an argument does not fit the data, or nothing says which labels are used.
        DataError: If a label is missing, all labels are the same, or a case has both classes.
    """
    source, note, path = _source(dataset, by, table)
    rows = {} if path is None else read_region_labels(path, dataset.samples)
    labels, empty = _region_labels(dataset, source, path, rows)
    notes = [note]
    if empty:
        notes.append(
            f"No region has the label{'' if len(empty) == 1 else 's'} {', '.join(empty)}: the "
            f"masks of its images are empty, so that there is nothing to decide on."
        )
    names, targets, reasons = binary_targets(dataset.root, labels, positive, classes)
    targets |= dict.fromkeys(empty)
    unit, reason = decision_unit(dataset, source, unit, targets)
    return Labeling(
        names=names,
        unit=unit,
        source=source,
        notes=tuple(note for note in (*notes, *reasons, reason) if note),
        targets=targets,
        classes=dataset.labels.names if source == "class" else (),
        table=rows,
        table_path=path,
    )


def _source(
    dataset: DataSet, by: LabelSource | None, table: str | Path | None
) -> tuple[LabelSource, str, Path | None]:
    """Where labels are given, a sentence on it, and the table that holds them, if one does."""
    if table is not None and by not in {None, "region"}:
        raise ConfigError(
            f"A table labels regions, but labels by {by} are asked for; remove one of the settings."
        )
    several = any(len(sample.labels) > 1 for sample in dataset.samples)
    path = Path(table) if table is not None else None
    if path is not None and not path.is_file():
        raise ConfigError(f"The table of regions {path} does not exist.")
    if path is None and by in {None, "region"} and not several:
        path = _table_beside(dataset)
    if path is not None:
        if not dataset.instances:
            raise DataError(
                f"{path} labels regions by number, but the masks in {dataset.root} have no "
                f"numbers; expected one mask file for each region, or instance masks in a folder "
                f"instances."
            )
        return "region", f"Labels of regions are those in {path.name}.", path
    if by in {None, "region"} and several:
        return "region", "The manifest labels each mask of an image.", None
    if by == "region":
        raise DataError(
            f"{dataset.root} has no labels of regions; expected a table {' or '.join(_TABLES)} of "
            f"image, region and label, or a label for each mask in the manifest, separated by "
            f"{SEPARATOR!r}."
        )
    if by == "image" and several:
        raise ConfigError("The manifest labels each mask of an image; labels are by region.")
    if by == "image" or (by is None and any(sample.label for sample in dataset.samples)):
        return "image", "Every region has the label of its image.", None
    if by == "class" or len(_foreground(dataset)) > 1:
        return "class", "The label of a region is its class in the mask.", None
    raise DataError(
        f"{dataset.root} has no labels to learn from; expected folders named by class, a column "
        f"label in a manifest, a table {' or '.join(_TABLES)} of image, region and label, or masks "
        f"of several classes."
    )


def _table_beside(dataset: DataSet) -> Path | None:
    """Table of labels in the folder of the data, if one fits."""
    for name in _TABLES:
        path = dataset.root / name
        if path.is_file() and dataset.instances:
            try:
                read_region_labels(path, ())
            except DataError:
                continue  # a table of something else
            return path
    return None


def _foreground(dataset: DataSet) -> list[str]:
    names = dataset.labels.names
    return [name for label, name in enumerate(names) if label != dataset.labels.background]


def _region_labels(
    dataset: DataSet,
    source: LabelSource,
    path: Path | None,
    table: Mapping[str, Mapping[int, str]],
) -> tuple[list[str], list[str]]:
    """Labels that regions have, sorted, and those of images without any region."""
    if source == "class":
        return _foreground(dataset), []
    if path is not None:
        labels = {label for rows in table.values() for label in rows.values() if label}
        if not labels:
            raise DataError(f"{path} labels no region of an image in {dataset.root}.")
        return sorted(labels), []
    masked = [sample for sample in dataset.samples if sample.masks]
    unlabeled = [sample for sample in masked if not sample.label]
    if unlabeled:
        raise DataError(
            f"{len(unlabeled)} of {len(masked)} images with a mask have no label, the first "
            f"{unlabeled[0].image}; expected one for each: a folder named by class, or the column "
            f"label of a manifest."
        )
    # An empty label is reported by `Labeling`, with its region.
    names = sorted({label for sample in dataset.samples for label in sample.labels if label})
    empty = [label for label in names if not _has_region(dataset, label)]
    return [label for label in names if label not in empty], empty


def _has_region(dataset: DataSet, label: str) -> bool:
    """Whether any mask of the images with a label has foreground; reads masks until one does."""
    background = dataset.labels.background or 0

    def has_foreground(sample: Sample) -> bool:
        try:
            mask = dataset.read_mask(sample)
        except DataError:
            return True  # reported where regions are extracted
        return bool(((mask != background) & (mask != IGNORE_LABEL)).any())

    masked = [s for s in dataset.samples if label in s.labels and s.masks]
    return any(in_threads(has_foreground, masked, "Looking for regions", ahead=1))
