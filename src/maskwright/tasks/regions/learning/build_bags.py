"""From labeled samples to bags: regions with true, perturbed and predicted masks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.parallel import in_threads
from maskwright.data.pipeline.arrays import MEMORY_LIMIT_MB
from maskwright.errors import DataError
from maskwright.tasks.regions import CropSpec, Region, extract
from maskwright.tasks.regions.extraction.ground_truth import true_regions
from maskwright.tasks.regions.extraction.predicted_regions import (
    MIN_IOU,
    RegionPredictorFn,
    region_iou,
)
from maskwright.tasks.regions.learning.bags import ArrayWriter, Bag, RegionArrays, Row, row
from maskwright.tasks.regions.learning.labeling import Labeling
from maskwright.tasks.regions.learning.mask_perturbation import perturb


@dataclass(frozen=True)
class BagOptions:
    """How regions become rows of bags.

    Args:
        strength: Strength of mask perturbation, as in `perturb`.
        variants: Perturbed masks of each region, besides the true one.
        predict: Segmenter. Where each region is decided on, predicted regions that match a true one
            are further masks of it; else all of an image are `Bag.predicted_regions`.
        seed: Seed of the perturbation.
        memory_limit_mb: Crops above this size are held on disk.
        skip_unreadable: Skip samples that cannot be read, instead of raising.
    """

    strength: float = 0.0
    variants: int = 0
    predict: RegionPredictorFn | None = None
    seed: int = 0
    memory_limit_mb: float = MEMORY_LIMIT_MB
    skip_unreadable: bool = False


_LabeledRegion = tuple[str, int, list[list[Row]]]
"""Name and target of a region, and its rows: of the true mask, perturbed and predicted ones."""


@dataclass
class _SampleRegions:
    """Regions of one sample with a target; name and row of predicted ones; why there are none."""

    regions: list[_LabeledRegion] = field(default_factory=list)
    predicted: list[tuple[str, Row]] = field(default_factory=list)
    reason: str | None = None


def build_bags(
    dataset: DataSet,
    samples: Sequence[Sample],
    labeling: Labeling,
    spec: CropSpec,
    options: BagOptions | None = None,
) -> RegionArrays:
    """Extract the regions of samples with masks and collect them into bags.

    Raises:
        DataError: If no region is left, a region has no label, or a sample cannot be used.
    """
    options = options or BagOptions()

    def read(sample: Sample) -> _SampleRegions:
        if labeling.skips(sample):
            return _SampleRegions()
        try:
            image, regions = true_regions(dataset, sample, spec)
        except DataError as error:
            if not options.skip_unreadable:
                raise
            return _SampleRegions(reason=str(error))
        if not regions:
            reason = f"{sample.image} has no region; nothing in it can be decided."
            return _SampleRegions(reason=reason)
        return _sample_regions(sample, image, regions, labeling, spec, options)

    with ArrayWriter(options.memory_limit_mb) as crops:
        builder = _BagBuilder(labeling.unit, crops)
        results = in_threads(read, samples, "Cropping regions")
        for sample, result in zip(samples, results, strict=True):
            builder.add(sample, result)
        if not builder.names:
            reason = builder.skipped[0] if builder.skipped else "there is no sample"
            raise DataError(
                f"{dataset.root} holds no region to decide on; the first reason: {reason}"
            )
        return builder.arrays()


def _sample_regions(
    sample: Sample,
    image: np.ndarray,
    regions: Sequence[Region],
    labeling: Labeling,
    spec: CropSpec,
    options: BagOptions,
) -> _SampleRegions:
    """Regions of a sample with all their masks."""
    one_region = labeling.unit == "region"
    targets = labeling.targets_of(sample, regions)
    rng = np.random.default_rng([options.seed, *sample.id.encode()])
    predicted = [] if options.predict is None else options.predict(image, sample.id)
    result = _SampleRegions()
    for region, target in zip(regions, targets, strict=True):
        if target is None:
            continue
        perturbed: list[Region] = []
        if options.variants:
            mask = region.full_mask(image.shape[:2])
            for _ in range(options.variants):
                variant = perturb(mask, options.strength, rng)
                perturbed += extract(
                    image, variant, replace(spec, kind="whole"), image_id=sample.id
                )
        matched = [r for r in predicted if one_region and region_iou(region, r) > MIN_IOU]
        rows = [[row(r) for r in group] for group in ([region], perturbed, matched)]
        result.regions.append((region.name, target, rows))
    if result.regions and not one_region:
        result.predicted = [(f"{r.name} predicted", row(r)) for r in predicted]
    return result


class _BagBuilder:
    """Collects the regions of one sample after another into bags."""

    def __init__(self, unit: str, crops: ArrayWriter) -> None:
        self.unit = unit
        self.crops = crops
        self.vectors: list[np.ndarray] = []
        self.rows: list[tuple[int, ...]] = []
        self.names: list[str] = []
        self.bags: dict[str, Bag] = {}
        self.skipped: list[str] = []

    def add(self, sample: Sample, result: _SampleRegions) -> None:
        """Add the regions of a sample to its bags."""
        if result.reason:
            self.skipped.append(result.reason)
        for name, target, rows in result.regions:
            key = {"region": name, "image": sample.id, "case": sample.case}[self.unit]
            bag = self.bags.get(key) or Bag(key, sample.together, target, 0.0, (), ())
            if sample.id not in bag.images:
                count = len(bag.images)
                mean = (count * bag.weight + sample.weight) / (count + 1)
                bag = replace(bag, weight=mean, images=(*bag.images, sample.id))
            self.bags[key] = replace(
                bag,
                label=max(bag.label, target),
                regions=(*bag.regions, self._add_region(name, rows)),
            )
        for name, predicted in result.predicted:
            bag = self.bags[sample.id if self.unit == "image" else sample.case]
            index = self._add_region(name, [[predicted]])
            self.bags[bag.id] = replace(bag, predicted_regions=(*bag.predicted_regions, index))

    def _add_region(self, name: str, groups: Sequence[Sequence[Row]]) -> int:
        """Index of a region whose rows are added, each group repeated to equal counts."""
        indices: list[int] = []
        largest = max(len(group) for group in groups)
        for group in groups:
            for crop, mask, features in group:
                self.crops.add(crop, mask)
                indices += [len(self.vectors)] * (largest // len(group))
                self.vectors.append(features)
        self.rows.append(tuple(indices))
        self.names.append(name)
        return len(self.names) - 1

    def arrays(self) -> RegionArrays:
        """All bags."""
        crops, masks = self.crops.arrays()
        return RegionArrays(
            crops=crops,
            masks=masks,
            vectors=np.stack(self.vectors),
            rows=tuple(self.rows),
            names=tuple(self.names),
            bags=tuple(self.bags.values()),
            value_range=_value_range(crops),
            skipped=tuple(self.skipped),
        )


def _value_range(crops: np.ndarray) -> tuple[float, float]:
    if crops.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(crops.min()), float(crops.max())
    return low, high if high > low else low + 1.0
