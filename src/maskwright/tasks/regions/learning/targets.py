"""What is decided on regions: inferred from the labels of a data set, or as the settings say.

Labels are of images (folders named by class, the column `label` of a manifest), of regions (several
labels in that column, one for each mask; or a table with a row for each region), or of the classes
in a label mask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.readers.tables import read_region_labels
from maskwright.data.samples import SEPARATOR, Sample
from maskwright.errors import ConfigError, DataError
from maskwright.labels import IGNORE_LABEL
from maskwright.tasks.regions.learning.binary_targets import binary_targets
from maskwright.tasks.regions.learning.labeling import Labeling, LabelSource, decision_unit
from maskwright.types import Unit

_TABLES = ("regions.csv", "cells.csv")


@dataclass(frozen=True)
class _Labels:
    """Where labels are given, a sentence on it, and the table that holds them, if one does."""

    source: LabelSource
    note: str
    table_path: Path | None = None
    table: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


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
    damaged, yes, …), else the last in alphabetical order.

    Args:
        dataset: Data set with masks.
        positive: Positive label; all others are negative.
        classes: Labels to use, where there are more than two; regions of others are skipped.
        unit: What one decision is made on; `None` infers it, see `decision_unit`.
        by: What labels are given for: images, regions, or classes of a label mask; `None` takes
            labels of single masks in a manifest before a table of regions, before labels of images,
            before classes of the masks.
        table: CSV file of labels as `read_region_labels` takes it; `None` looks for regions.csv
            and cells.csv beside the data.

    Raises:
        ConfigError: If there are more than two labels and nothing says which are used, or an
            argument does not fit the data.
        DataError: If a label is missing, all labels are the same, or a case has both classes.
    """
    given = _source(dataset, by, table)
    labels, empty = _region_labels(dataset, given)
    notes = [given.note]
    if empty:
        notes.append(
            f"No region has the label{'' if len(empty) == 1 else 's'} {', '.join(empty)}: the "
            f"masks of its images are empty, so that there is nothing to decide on."
        )
    names, targets, reasons = binary_targets(dataset.root, labels, positive, classes)
    targets |= dict.fromkeys(empty)
    unit, reason = decision_unit(dataset, given.source, unit, targets)
    return Labeling(
        names=names,
        unit=unit,
        source=given.source,
        notes=tuple(note for note in (*notes, *reasons, reason) if note),
        targets=targets,
        classes=dataset.labels.names if given.source == "class" else (),
        table=given.table,
        table_path=given.table_path,
    )


def _source(dataset: DataSet, by: LabelSource | None, table: str | Path | None) -> _Labels:
    """Where labels are given, with the table that holds them."""
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
        rows = read_region_labels(path, dataset.samples)
        return _Labels("region", f"Labels of regions are those in {path.name}.", path, rows)
    if by in {None, "region"} and several:
        return _Labels("region", "The manifest labels each mask of an image.")
    if by == "region":
        raise DataError(
            f"{dataset.root} has no labels of regions; expected a table {' or '.join(_TABLES)} of "
            f"image, region and label, or a label for each mask in the manifest, separated by "
            f"{SEPARATOR!r}."
        )
    if by == "image" and several:
        raise ConfigError("The manifest labels each mask of an image; labels are by region.")
    if by == "image" or (by is None and any(sample.label for sample in dataset.samples)):
        return _Labels("image", "Every region has the label of its image.")
    if by == "class" or len(_foreground(dataset)) > 1:
        return _Labels("class", "The label of a region is its class in the mask.")
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


def _region_labels(dataset: DataSet, given: _Labels) -> tuple[list[str], list[str]]:
    """Labels that regions have, sorted, and those of images without any region."""
    if given.source == "class":
        return _foreground(dataset), []
    if given.table_path is not None:
        labels = {label for rows in given.table.values() for label in rows.values() if label}
        if not labels:
            raise DataError(f"{given.table_path} labels no region of an image in {dataset.root}.")
        return sorted(labels), []
    masked = [sample for sample in dataset.samples if sample.masks]
    unlabeled = [sample for sample in masked if not sample.label]
    if unlabeled:
        raise DataError(
            f"{len(unlabeled)} of {len(masked)} images with a mask have no label, the first "
            f"{unlabeled[0].image}; expected one for each: a folder named by class, or the column "
            f"label of a manifest."
        )
    by_label: dict[str, list[Sample]] = {}
    for sample in dataset.samples:
        for label in sample.labels:
            by_label.setdefault(label, []).append(sample)
    by_label.pop("", None)  # `Labeling` reports it with the region
    empty = [label for label in sorted(by_label) if not _has_region(dataset, by_label[label])]
    return [label for label in sorted(by_label) if label not in empty], empty


def _has_region(dataset: DataSet, samples: Sequence[Sample]) -> bool:
    """Whether any mask has foreground; reads masks until one does."""
    background = dataset.labels.background or 0

    def has_foreground(sample: Sample) -> bool:
        try:
            mask = dataset.read_mask(sample)
        except DataError:
            return True  # reported where regions are extracted
        return bool(((mask != background) & (mask != IGNORE_LABEL)).any())

    masked = [sample for sample in samples if sample.masks]
    return any(in_threads(has_foreground, masked, "Looking for regions", ahead=1))
