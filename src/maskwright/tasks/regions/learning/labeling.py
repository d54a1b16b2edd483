"""`Labeling`: the two classes of a decision, its unit, and the class of each region."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.tasks.regions.extraction.extract import Region
from maskwright.types import Unit

LabelSource = Literal["image", "region", "class"]


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
        table: Labels of regions by sample id and value of the region; empty where a manifest holds
            them.
        table_path: File of the table.
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
        """Target of each region of a sample, 0 or 1; `None` where its label is skipped.

        Raises:
            DataError: If a region has no label, or an unknown one.
        """
        return [self._target(sample, region) for region in regions]

    def _target(self, sample: Sample, region: Region) -> int | None:
        label = self._label(sample, region)
        if label not in self.targets:
            raise DataError(
                f"{sample.image} has the label {label!r}; expected one of "
                f"{', '.join(sorted(self.targets))}."
            )
        return self.targets[label]

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
