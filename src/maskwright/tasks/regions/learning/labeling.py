"""`Labeling`: the two classes of a decision, its unit, and the class of each region."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from maskwright.data import DataSet, Sample
from maskwright.errors import ConfigError, DataError
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.types import Unit

LabelSource = Literal["image", "region", "class"]

_CASES = frozenset({"case", "patient", "subject"})


@dataclass(frozen=True)
class Labeling:
    """The two classes of a decision, its unit, and the class of each region.

    Args:
        names: Names of the negative and of the positive class.
        unit: What one decision is made on: a region, all regions of an image, or those of a case.
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
    def required_kind(self) -> Literal["components", "instances"] | None:
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
            raise DataError(f"{missing}; expected one for each region.")
        return label


def decision_unit(
    dataset: DataSet, source: LabelSource, unit: Unit | None, targets: Mapping[str, int | None]
) -> tuple[Unit, str]:
    """Unit of a decision, and a sentence on it where it was inferred, without a `unit` that is set.

    Regions where they have labels, cases where a column of the data names them and each has one
    class, else images.

    Raises:
        ConfigError: If labels or cases do not allow the unit.
        DataError: If a case has images of both classes.
    """
    if source != "image":
        if unit in {None, "region"}:
            return (
                "region",
                "" if unit else "Each region is decided on, as it has a label.",
            )
        raise ConfigError(
            f"Labels are of regions, so each {unit} may have several; expected the unit region, or "
            f"a label for each {unit}."
        )
    if unit in {"region", "image"}:
        return unit, ""
    if unit == "case":
        if not dataset.case_from:
            raise ConfigError(
                f"No column or pattern groups the images of {dataset.root} into cases; expected a "
                f"column case in a manifest, or `group_by`."
            )
        _require_one_target(dataset, targets)
        return "case", ""
    if dataset.case_from not in _CASES:
        return "image", "All regions of an image are decided on together."
    try:
        _require_one_target(dataset, targets)
    except DataError as error:
        return "image", f"All regions of an image are decided on together. {error}"
    return "case", "All regions of a case are decided on together."


def _require_one_target(dataset: DataSet, targets: Mapping[str, int | None]) -> None:
    """Raise `DataError` for a case whose images have both targets."""
    labels: dict[str, Counter[str]] = {}
    for sample in dataset.samples:
        if sample.label and targets.get(sample.label) is not None:
            labels.setdefault(sample.case, Counter())[sample.label] += 1
    for case, counts in labels.items():
        if len({targets[label] for label in counts}) > 1:
            counted = " and ".join(f"{label} ({counts[label]} images)" for label in sorted(counts))
            raise DataError(
                f"The case {case!r} has images of the labels {counted}; expected one for a case "
                f"that is decided on as a whole."
            )
