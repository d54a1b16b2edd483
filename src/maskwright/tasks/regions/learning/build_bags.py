"""From labeled samples to bags: regions with true, perturbed and predicted masks."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.parallel import in_threads
from maskwright.data.pipeline.arrays import MEMORY_LIMIT_MB
from maskwright.data.pipeline.pixel_range import robust_range, spread_positions
from maskwright.errors import DataError
from maskwright.tasks.regions import CropSpec, extract
from maskwright.tasks.regions.extraction.masks import (
    MIN_IOU,
    RegionPredictorFn,
    region_iou,
    true_regions,
)
from maskwright.tasks.regions.learning.bags import Bag, RegionArrays, Row, row
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
        memory_limit_mb: Crops above this size are held on disk.
    """

    strength: float = 0.0
    variants: int = 0
    predict: RegionPredictorFn | None = None
    seed: int = 0
    memory_limit_mb: float = MEMORY_LIMIT_MB
    skip_unreadable: bool = False


@dataclass
class _SampleRegions:
    """Regions of a sample: name, target, and rows of the true mask, perturbed and predicted ones.

    `predicted` are names and rows of all predicted regions; `reason` is why there is no region.
    """

    regions: list[tuple[str, int, list[list[Row]]]] = field(default_factory=list)
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

    `DataError` if no region is left, a region has no label, or a sample cannot be used.
    """
    options = options or BagOptions()
    read = partial(_read_regions, dataset, labeling, spec, options)
    bags: dict[str, Bag] = {}
    names: list[str] = []
    skipped: list[str] = []
    with RowWriter(options.memory_limit_mb) as writer:
        results = in_threads(read, samples, "Cropping regions")
        for sample, result in zip(samples, results, strict=True):
            skipped += [result.reason] if result.reason else []
            for name, target, groups in result.regions:
                key = {"region": name, "image": sample.id, "case": sample.case}[labeling.unit]
                bag = bags.get(key) or Bag(key, sample.together, target, 0.0, (), ())
                if sample.id not in bag.images:
                    count = len(bag.images)
                    mean = (count * bag.weight + sample.weight) / (count + 1)
                    bag = replace(bag, weight=mean, images=(*bag.images, sample.id))
                indices = (*bag.regions, writer.add(groups))
                bags[key] = replace(bag, label=max(bag.label, target), regions=indices)
                names.append(name)
            for name, predicted in result.predicted:
                bag = bags[sample.id if labeling.unit == "image" else sample.case]
                indices = (*bag.predicted_regions, writer.add([[predicted]]))
                bags[bag.id] = replace(bag, predicted_regions=indices)
                names.append(name)
        if not names:
            reason = skipped[0] if skipped else "there is no sample"
            raise DataError(
                f"{dataset.root} holds no region to decide on; the first reason: {reason}"
            )
        crops, masks = writer.arrays()
    return RegionArrays(
        crops=crops,
        masks=masks,
        vectors=np.stack(writer.vectors),
        rows=tuple(writer.rows),
        names=tuple(names),
        bags=tuple(bags.values()),
        value_range=_value_range(crops, masks),
        skipped=tuple(skipped),
    )


def _read_regions(
    dataset: DataSet, labeling: Labeling, spec: CropSpec, options: BagOptions, sample: Sample
) -> _SampleRegions:
    """Regions of a sample with all their masks."""
    result = _SampleRegions()
    if labeling.skips(sample):
        return result
    try:
        image, regions = true_regions(dataset, sample, spec)
    except DataError as error:
        if not options.skip_unreadable:
            raise
        return _SampleRegions(reason=str(error))
    if not regions:
        reason = f"{sample.image} has no region; nothing in it can be decided."
        return _SampleRegions(reason=reason)
    one_region = labeling.unit == "region"
    targets = labeling.targets_of(sample, regions)
    rng = np.random.default_rng([options.seed, *sample.id.encode()])
    predicted = [] if options.predict is None else options.predict(image, sample.id)
    for region, target in zip(regions, targets, strict=True):
        if target is None:
            continue
        mask = region.full_mask(image.shape[:2])
        perturbed = [
            variant
            for _ in range(options.variants)
            for variant in extract(
                image,
                perturb(mask, options.strength, rng),
                replace(spec, kind="whole"),
                image_id=sample.id,
            )
        ]
        matched = [r for r in predicted if one_region and region_iou(region, r) > MIN_IOU]
        rows = [[row(r) for r in group] for group in ([region], perturbed, matched)]
        result.regions.append((region.name, target, rows))
    if result.regions and not one_region:
        result.predicted = [(f"{r.name} predicted", row(r)) for r in predicted]
    return result


class RowWriter:
    """Collects the rows of regions, crops and masks in memory or, above a limit, in files."""

    def __init__(self, limit_mb: float) -> None:
        folder = Path.home() / ".cache" / "maskwright"
        folder.mkdir(parents=True, exist_ok=True)
        self.vectors: list[np.ndarray] = []
        self.rows: list[tuple[int, ...]] = []
        self._files = [
            tempfile.SpooledTemporaryFile(int(share * limit_mb * 1e6), dir=str(folder))  # noqa: SIM115
            for share in (0.8, 0.2)
        ]
        self._layouts: list[tuple[np.dtype, tuple[int, ...]]] = []

    def add(self, groups: Sequence[Sequence[Row]]) -> int:
        """Index of a region whose rows are added, each group repeated to equal counts."""
        indices: list[int] = []
        largest = max(map(len, groups))
        for group in groups:
            for crop, mask, vector in group:
                self._write(crop, mask)
                indices += [len(self.vectors)] * (largest // len(group))
                self.vectors.append(vector)
        self.rows.append(tuple(indices))
        return len(self.rows) - 1

    def _write(self, *arrays: np.ndarray) -> None:
        layouts = [(array.dtype, array.shape) for array in arrays]
        self._layouts = self._layouts or layouts
        if layouts != self._layouts:
            raise DataError(
                f"Expected images of one type; some have {self._layouts[0][1][-1]} channels of "
                f"{self._layouts[0][0]}, others {layouts[0][1][-1]} of {layouts[0][0]}."
            )
        for file, array in zip(self._files, arrays, strict=True):
            file.write(np.ascontiguousarray(array).data)

    def arrays(self) -> list[np.ndarray]:
        """Crops and masks, each as one array."""
        arrays: list[np.ndarray] = []
        for file, (dtype, shape) in zip(self._files, self._layouts, strict=True):
            whole = (len(self.vectors), *shape)
            file.seek(0)
            if getattr(file, "_rolled", False):
                arrays.append(np.memmap(file, dtype, "r", shape=whole))
            else:
                arrays.append(np.frombuffer(file.read(), dtype).reshape(whole))
        return arrays

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files:  # what `arrays` maps stays readable
            file.close()


def _value_range(crops: np.ndarray, masks: np.ndarray) -> tuple[float, float]:
    """Pixel values of black and white of crops `(n, h, w, c)`; see `robust_range`."""
    places = spread_positions(masks.size)
    pixels = crops.reshape(-1, crops.shape[-1])[places]
    return robust_range(pixels, masks.reshape(-1)[places] > 0)
