"""What is decided on regions: the two answers, what each decision is made on, whose label counts.

Labels are of images (folders named by class, the column `label` of a manifest), of regions (several
labels in that column, one for each mask; or a table with a row for each region), or of the classes
in a label mask.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.readers.tables import read_region_labels
from maskwright.data.samples import SEPARATOR, Sample
from maskwright.errors import ConfigError, DataError
from maskwright.labels import IGNORE_LABEL
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.types import Unit

Source = Literal["image", "region", "class"]

OTHER = "other"
"""Name of the negative answer where it stands for several labels."""

_SHOWN = 20  # labels that a message names
_TABLES = ("regions.csv", "cells.csv")
_CASES = frozenset({"case", "patient", "subject"})
_POSITIVE = frozenset(
    {"malignant", "positive", "pos", "yes", "true", "1", "present", "damaged", "damage", "abnormal"}
    | {"disease", "diseased", "pathological", "ill", "sick", "lesion", "tumour", "tumor", "cancer"}
    | {"cancerous", "carcinoma", "melanoma", "infected", "defect", "defective", "broken"}
)
_NOT = frozenset({"no", "non", "not", "without", "un"})


@dataclass(frozen=True)
class Labeling:
    """Two answers, and what tells them of a region.

    Args:
        names: Of the negative answer and the positive one.
        unit: What one decision is made on: a region, or all of an image, or all of a case.
        source: Whether labels are of images, of regions by their number, or of the classes in a
            label mask.
        notes: Sentences on what was found out, and why.
        answers: 0 or 1 for each label that counts; `None` for one that is left out.
        classes: Names of the labels in a mask.
        table: Labels of regions by the id of the sample and the value of the region; empty where
            a manifest holds them.
        table_path: Where they were read.
    """

    names: tuple[str, str]
    unit: Unit
    source: Source
    notes: tuple[str, ...] = field(default=(), compare=False)
    answers: Mapping[str, int | None] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    table: Mapping[str, Mapping[int, str]] = field(default_factory=dict, repr=False)
    table_path: Path | None = None

    @property
    def regions(self) -> Literal["components", "instances"] | None:
        """How regions must be told apart for labels to find them; `None` where it is the same."""
        return {"image": None, "region": "instances", "class": "components"}[self.source]

    def of(self, sample: Sample, regions: Sequence[Region]) -> list[int | None]:
        """Answer of each region of a sample, 0 or 1; `None` where it is left out.

        Raises:
            DataError: If a region has no label, or one that is not known.
        """
        return [self._answer(sample, region) for region in regions]

    def _answer(self, sample: Sample, region: Region) -> int | None:
        label = self._label(sample, region)
        if label not in self.answers:
            raise DataError(
                f"{sample.image} has the label {label!r}; expected one of "
                f"{', '.join(sorted(self.answers))}."
            )
        return self.answers[label]

    def _label(self, sample: Sample, region: Region) -> str:
        if self.source == "class":
            return self.classes[region.label]
        if self.source == "image" or (self.table_path is None and len(sample.labels) == 1):
            label = sample.label or ""
            missing = f"{sample.image} has no label"
        elif self.table_path is None:
            labels = sample.labels
            label = labels[region.value - 1] if region.value <= len(labels) else ""
            missing = f"Mask {region.value} of {sample.image} has no label among {sample.label!r}"
        else:
            label = self.table.get(sample.id, {}).get(region.value, "")
            missing = f"Region {region.value} of {sample.image} has no label in {self.table_path}"
        if not label:
            raise DataError(f"{missing}; expected one for every region.")
        return label


def find_labeling(
    dataset: DataSet,
    *,
    positive: str | None = None,
    classes: Sequence[str] | None = None,
    unit: Unit | None = None,
    by: Source | None = None,
    table: str | Path | None = None,
) -> Labeling:
    """Find out what is to be decided in a data set; the notes of the answer say why.

    Labels of images that hold no region (all masks empty, or none) do not count; only masks of
    labels that might be such are read. Of two labels, the positive one is that which sounds so
    (malignant, damaged, yes, …), else the last by name.

    Args:
        dataset: With masks.
        positive: Label to look for; all others are negative.
        classes: Labels that count, where there are more than two; regions of others are left out.
        unit: What one decision is made on; `None` takes regions where they have labels, cases
            where a column case, patient or subject tells them and each has one answer, else images.
        by: What has the labels: images, regions, or classes of a label mask; `None` takes labels of
            single masks in a manifest before a table of regions, before labels of images, before
            classes of the masks.
        table: CSV file of labels as `read_region_labels` takes it; `None` looks for regions.csv
            and cells.csv beside the data.

    Raises:
        ConfigError: If there are more than two labels and nothing says which matter, or an
            argument names what there is not.
        DataError: If a label is missing, all labels are the same, or a case has both answers.
    """
    source, table_path, why = _source(dataset, by, table)
    rows: Mapping[str, Mapping[int, str]] = {}
    if table_path is not None:
        rows = read_region_labels(table_path, dataset.samples)
    labels, empty = _labels(dataset, source, table_path, rows)
    notes = [why]
    if empty:
        notes.append(
            f"No region has the label{'' if len(empty) == 1 else 's'} {', '.join(empty)}: the "
            f"masks of its images are empty, so that there is nothing to decide on."
        )
    names, answers, said = _two(dataset, labels, positive, classes)
    answers |= dict.fromkeys(empty)
    unit, why = _unit(dataset, source, unit, answers)
    told = tuple(note for note in (*notes, *said, why) if note)
    names_of_classes = dataset.labels.names if source == "class" else ()
    return Labeling(names, unit, source, told, answers, names_of_classes, rows, table_path)


def _source(
    dataset: DataSet, by: Source | None, table: str | Path | None
) -> tuple[Source, Path | None, str]:
    """What has the labels, the table that holds them, and a sentence on it."""
    if table is not None and by not in {None, "region"}:
        raise ConfigError(f"A table labels regions, but labels by {by} are asked for; leave one.")
    several = any(len(sample.labels) > 1 for sample in dataset.samples)
    path = Path(table) if table is not None else None
    if path is not None and not path.is_file():
        raise ConfigError(f"The table of regions {path} does not exist.")
    if path is None and by in {None, "region"} and not several:
        path = _table_beside(dataset)
    if path is not None:
        if not dataset.instances:
            raise DataError(
                f"{path} labels regions by number, but the masks in {dataset.root} number none; "
                f"expected one mask file for each, or files of numbers in a folder instances."
            )
        return "region", path, f"Labels of regions are those in {path.name}."
    if by in {None, "region"} and several:
        return "region", None, "The manifest labels each mask of an image."
    if by == "region":
        raise DataError(
            f"No labels of regions are found for {dataset.root}; expected a table "
            f"{' or '.join(_TABLES)} of image, region and label, or a label for each mask in the "
            f"manifest, separated by {SEPARATOR!r}."
        )
    if by == "image" and several:
        raise ConfigError("The manifest labels each mask of an image; labels are by region.")
    if by == "image" or (by is None and any(sample.label for sample in dataset.samples)):
        return "image", None, "Every region has the label of its image."
    if by == "class" or len(_foreground(dataset)) > 1:
        return "class", None, "The label of a region is its class in the mask."
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


def _labels(
    dataset: DataSet,
    source: Source,
    table_path: Path | None,
    rows: Mapping[str, Mapping[int, str]],
) -> tuple[list[str], list[str]]:
    """Labels that regions have, in order, and those of images that hold none."""
    if source == "class":
        return _foreground(dataset), []
    if table_path is not None:
        found = {label for mine in rows.values() for label in mine.values() if label}
        if not found:
            raise DataError(f"{table_path} labels no region of an image in {dataset.root}.")
        return sorted(found), []
    masked = [sample for sample in dataset.samples if sample.masks]
    bare = [sample for sample in masked if not sample.label]
    if bare:
        raise DataError(
            f"{len(bare)} of {len(masked)} images with a mask have no label, the first "
            f"{bare[0].image}; expected one for each: a folder named by class, or the column label "
            f"of a manifest."
        )
    of_label: dict[str, list[Sample]] = {}
    for sample in dataset.samples:
        for label in sample.labels:
            of_label.setdefault(label, []).append(sample)
    of_label.pop("", None)  # told when the region is met
    empty = [label for label in sorted(of_label) if not _holds_regions(dataset, of_label[label])]
    return [label for label in sorted(of_label) if label not in empty], empty


def _holds_regions(dataset: DataSet, samples: Sequence[Sample]) -> bool:
    """Whether any mask holds something; reads masks until one does."""
    background = dataset.labels.background or 0

    def filled(sample: Sample) -> bool:
        try:
            mask = dataset.read_mask(sample)
        except DataError:
            return True  # the fault is told where regions are cut out
        return bool(((mask != background) & (mask != IGNORE_LABEL)).any())

    masked = [sample for sample in samples if sample.masks]
    return any(in_threads(filled, masked, "Looking for regions", ahead=1))


def _two(
    dataset: DataSet,
    labels: Sequence[str],
    positive: str | None,
    classes: Sequence[str] | None,
) -> tuple[tuple[str, str], dict[str, int | None], list[str]]:
    """Names of both answers, the answer of each label, and sentences on them."""
    if len(labels) < 2:
        raise DataError(
            f"All regions in {dataset.root} have the label {_listed(labels)}; expected two labels "
            f"to tell apart."
        )
    unknown = [name for name in classes or () if name not in labels]
    if unknown or (classes is not None and len(set(classes)) < 2):
        raise ConfigError(
            f"Expected at least two labels to tell apart, of {_listed(labels)}; received "
            f"{_listed(classes or ())}."
        )
    kept = [label for label in labels if classes is None or label in classes]
    if positive is not None and positive not in kept:
        raise ConfigError(
            f"Expected the label to look for to be one of {_listed(kept)}; received {positive}."
        )
    if positive is None and len(kept) > 2:
        raise ConfigError(
            f"Regions have {len(kept)} labels, {_listed(kept)}; expected two: say which to look "
            f"for (positive={kept[-1]}, others are negative), or which two to tell apart "
            f"(classes={kept[0]},{kept[-1]}, others are left out)."
        )
    notes = []
    if positive is None:
        positive, why = _positive(kept)
        notes.append(f"{positive!r} is the positive answer, {why}.")
    others = [label for label in kept if label != positive]
    if len(others) > 1:
        notes.append(f"The labels {_listed(others)} are the negative answer.")
    left_out = [label for label in labels if label not in kept]
    if left_out:
        notes.append(f"Regions with the labels {_listed(left_out)} are left out.")
    answers: dict[str, int | None] = {label: int(label == positive) for label in kept}
    answers |= dict.fromkeys(left_out)
    negative = others[0] if len(others) == 1 else OTHER
    return (negative, positive), answers, notes


def _positive(labels: Sequence[str]) -> tuple[str, str]:
    """The positive one of two labels, and why."""

    def sounds(label: str) -> bool:
        words = set(re.split(r"[\W_]+", label.casefold()))
        return bool(words & _POSITIVE) and not words & _NOT

    sounding = [label for label in labels if sounds(label)]
    if len(sounding) == 1:
        return sounding[0], "as its name says"
    return max(labels), "as the last by name; say `positive` for the other"


def _unit(
    dataset: DataSet, source: Source, unit: Unit | None, answers: Mapping[str, int | None]
) -> tuple[Unit, str]:
    """What a decision is made on, and a sentence on it where nobody asked for it."""
    if source != "image":
        if unit in {None, "region"}:
            return "region", "" if unit else "Each region is decided on, as it has its own label."
        raise ConfigError(
            f"Labels are of regions, so each {unit} may have several; expected the unit region, or "
            f"a label for each {unit}."
        )
    if unit in {"region", "image"}:
        return unit, ""
    if unit == "case":
        if not dataset.case_from:
            raise ConfigError(
                f"Nothing tells which images of {dataset.root} are one case; expected a column "
                f"case in a manifest, or `group_by`."
            )
        _one_answer(dataset, answers)
        return "case", ""
    if dataset.case_from not in _CASES:
        return "image", "All regions of an image are decided on together."
    try:
        _one_answer(dataset, answers)
    except DataError as error:
        return "image", f"All regions of an image are decided on together. {error}"
    return "case", "All regions of a case are decided on together."


def _one_answer(dataset: DataSet, answers: Mapping[str, int | None]) -> None:
    """Raise `DataError` for a case whose images have both answers."""
    labels: dict[str, Counter[str]] = {}
    for sample in dataset.samples:
        if sample.label and answers.get(sample.label) is not None:
            labels.setdefault(sample.case, Counter())[sample.label] += 1
    for case, found in labels.items():
        if len({answers[label] for label in found}) > 1:
            counted = " and ".join(f"{label} ({found[label]} images)" for label in sorted(found))
            raise DataError(
                f"The case {case!r} has images of the labels {counted}; expected one for a case "
                f"that is decided on as a whole."
            )


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(labels[:_SHOWN]) + more or "none"
