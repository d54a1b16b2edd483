"""From labeled samples to bags: every region cut out, with errors drawn into its mask."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from maskwright.data.dataset import DataSet
from maskwright.data.parallel import in_threads
from maskwright.data.pipeline.arrays import MEMORY_LIMIT_MB
from maskwright.data.samples import Sample
from maskwright.errors import DataError
from maskwright.tasks.regions.extraction.crops import align
from maskwright.tasks.regions.extraction.extract import Region, extract
from maskwright.tasks.regions.learning.bags import (
    ArrayWriter,
    Bag,
    CropSpec,
    RegionArrays,
    Row,
    row,
)
from maskwright.tasks.regions.learning.mask_perturbation import jitter
from maskwright.tasks.regions.learning.targets import Labeling
from maskwright.types import RegionKind

MATCHED = 0.3
"""IoU above which a predicted region stands for a true one."""

_FEW = 5
_LOOKED_AT = 200

Predict = Callable[[np.ndarray, str], Sequence[Region]]
"""From an image `(h, w, c)` and its name to the regions that a segmenter finds, with crops."""


@dataclass
class _Cut:
    """What one sample gives.

    Args:
        regions: Name, label, and rows of true, jittered and predicted masks of each region.
        guesses: Name and row of every region that the segmenter finds, where whole bags of them
            are learned from.
        reason: Why there is nothing, or `None`.
    """

    regions: list[tuple[str, int, list[list[Row]]]] = field(default_factory=list)
    guesses: list[tuple[str, Row]] = field(default_factory=list)
    reason: str | None = None


def build_bags(
    dataset: DataSet,
    samples: Sequence[Sample],
    labeling: Labeling,
    view: CropSpec,
    *,
    strength: float = 0.0,
    variants: int = 0,
    predict: Predict | None = None,
    seed: int = 0,
    memory_limit_mb: float = MEMORY_LIMIT_MB,
    skip_unreadable: bool = False,
) -> RegionArrays:
    """Cut the regions of samples out and gather them into bags.

    Args:
        dataset: That the samples are of.
        samples: With masks.
        labeling: What the regions are and what is decided on.
        view: How they are cut out.
        strength: Of `jitter`.
        variants: Jittered masks of every region, besides the true one.
        predict: Finds regions. Where each region is decided on, those that meet true ones become
            further masks of theirs; else all of an image become guesses of its bag.
        seed: Of the jitter.
        memory_limit_mb: Crops above this size lie on disk.
        skip_unreadable: Leave samples out that cannot be read, instead of stopping.

    Raises:
        DataError: If nothing is left, a region has no label, or a sample cannot be used.
    """
    alone = labeling.unit == "region"

    def cut(sample: Sample) -> _Cut:
        left_out = labeling.source == "image" and labeling.answers.get(sample.label or "", 0)
        if left_out is None:
            return _Cut()
        try:
            image, regions = true_regions(dataset, sample, view)
        except DataError as error:
            if not skip_unreadable:
                raise
            return _Cut(reason=str(error))
        if not regions:
            nothing = f"{sample.image} has no region; nothing in it can be decided."
            return _Cut(reason=nothing)
        labels = labeling.of(sample, regions)
        rng = np.random.default_rng([seed, *sample.id.encode()])
        guessed = [] if predict is None else predict(image, sample.id)
        made = _Cut()
        for region, label in zip(regions, labels, strict=True):
            if label is None:
                continue
            kinds = [[region], [], [g for g in guessed if alone and overlap(region, g) > MATCHED]]
            if variants:
                whole = to_full_mask(region, image.shape[:2])
                for _ in range(variants):
                    kinds[1] += view.cut(image, jitter(whole, strength, rng), sample.id, "whole")
            made.regions.append((region.name, label, [[row(one) for one in k] for k in kinds]))
        if made.regions and not alone:
            made.guesses = [(f"{guess.name} predicted", row(guess)) for guess in guessed]
        return made

    with ArrayWriter(memory_limit_mb) as crops:
        gathering = _Gathering(labeling.unit, crops)
        for sample, made in zip(samples, in_threads(cut, samples, "Cutting regions"), strict=True):
            gathering.add(sample, made)
        if not gathering.names:
            reason = gathering.skipped[0] if gathering.skipped else "there is no sample"
            raise DataError(
                f"{dataset.root} holds no region to decide on; the first reason: {reason}"
            )
        return gathering.arrays()


class _Gathering:
    """Regions that come sample by sample, and the bags they make."""

    def __init__(self, unit: str, crops: ArrayWriter) -> None:
        self.unit = unit
        self.crops = crops
        self.vectors: list[np.ndarray] = []
        self.rows: list[tuple[int, ...]] = []
        self.names: list[str] = []
        self.bags: dict[str, Bag] = {}
        self.skipped: list[str] = []

    def add(self, sample: Sample, made: _Cut) -> None:
        """Take in what a sample gave."""
        if made.reason:
            self.skipped.append(made.reason)
        for name, label, kinds in made.regions:
            key = {"region": name, "image": sample.id, "case": sample.case}[self.unit]
            bag = self.bags.get(key) or Bag(key, sample.together, label, 0.0, (), ())
            if sample.id not in bag.images:
                before = len(bag.images)
                mean = (before * bag.weight + sample.weight) / (before + 1)
                bag = replace(bag, weight=mean, images=(*bag.images, sample.id))
            self.bags[key] = replace(
                bag,
                label=max(bag.label, label),
                regions=(*bag.regions, self._region(name, kinds)),
            )
        for name, one in made.guesses:
            bag = self.bags[sample.id if self.unit == "image" else sample.case]
            place = self._region(name, [[one]])
            self.bags[bag.id] = replace(bag, guesses=(*bag.guesses, place))

    def _region(self, name: str, kinds: Sequence[Sequence[Row]]) -> int:
        """Keep the rows of a region; its place."""
        own: list[int] = []
        most = max(len(kind) for kind in kinds)
        for kind in kinds:
            for crop, mask, numbers in kind:
                self.crops.add(crop, mask)
                # True, jittered and predicted masks are drawn alike.
                own += [len(self.vectors)] * (most // len(kind))
                self.vectors.append(numbers)
        self.rows.append(tuple(own))
        self.names.append(name)
        return len(self.names) - 1

    def arrays(self) -> RegionArrays:
        """All of it."""
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


def full_scale(dataset: DataSet) -> float | None:
    """Largest pixel of the training images of a data set of floats, of at most 200 of them.

    Floats have no largest value of their own, and measures of intensity are shares of it.
    `None` for other types, whose largest value serves.
    """
    if dataset.dtype != "float32":
        return None
    samples = [sample for sample in dataset.samples if sample.split == "train"]

    def largest(sample: Sample) -> float:
        try:
            return float(np.nanmax(np.abs(dataset.read_image(sample))))
        except DataError:
            return 0.0

    every = max(1, len(samples) // _LOOKED_AT)
    found = in_threads(largest, samples[::every], "Looking for the brightest pixel")
    return max(found, default=0.0) or None


def speck_px(dataset: DataSet, view: CropSpec) -> int:
    """Area below which a region of a predicted mask is a speck: a quarter of the smallest true one.

    Of at most 200 training images, without the smallest twentieth of their regions.
    """

    def areas(sample: Sample) -> list[int]:
        try:
            mask, background = read_regions(dataset, sample, view.regions)
        except DataError:
            return []
        found = extract(mask, mask, kind=view.regions, background=background, measure=False)
        return [region.area_px for region in found]

    samples = [s for s in dataset.samples if s.split == "train" and s.masks]
    samples = samples[:: max(1, len(samples) // _LOOKED_AT)]
    found = [area for own in in_threads(areas, samples, "Measuring regions") for area in own]
    return max(1, int(np.quantile(found, 0.05)) // 4) if found else 1


def true_regions(
    dataset: DataSet, sample: Sample, view: CropSpec
) -> tuple[np.ndarray, list[Region]]:
    """Image of a sample, and the regions of its mask.

    Raises:
        DataError: If a file cannot be read, or image and mask do not belong together.
    """
    image = dataset.read_image(sample)
    mask, background = read_regions(dataset, sample, view.regions)
    return image, view.cut(image, align(image, mask), sample.id, background=background)


def read_regions(
    dataset: DataSet, sample: Sample, regions: RegionKind
) -> tuple[np.ndarray, int | None]:
    """Mask int32 `(h, w)` in which regions are looked for, and its label that is no region."""
    if regions == "instances":
        return dataset.read_instances(sample), 0
    labels = dataset.labels
    unnamed = labels.background is None and labels.num_classes <= 2
    return dataset.read_mask(sample), 0 if unnamed else labels.background


def to_full_mask(region: Region, size: tuple[int, ...]) -> np.ndarray:
    """Mask of a region in its image, bool of `size`."""
    whole = np.zeros(size, bool)
    top, left, bottom, right = region.box
    whole[top:bottom, left:right] = region.mask
    return whole


def overlap(one: Region, other: Region) -> float:
    """Intersection over union of two regions of an image."""
    top, left = np.maximum(one.box[:2], other.box[:2])
    bottom, right = np.minimum(one.box[2:], other.box[2:])
    if top >= bottom or left >= right:
        return 0.0
    parts = [
        each.mask[
            top - each.box[0] : bottom - each.box[0], left - each.box[1] : right - each.box[1]
        ]
        for each in (one, other)
    ]
    common = int((parts[0] & parts[1]).sum())
    return common / (one.area_px + other.area_px - common)


def segmenter_iou(
    dataset: DataSet, samples: Sequence[Sample], view: CropSpec, predict: Predict
) -> float | None:
    """Mean intersection over union of true regions and those that a segmenter finds for them.

    Regions that it misses, and samples that cannot be read, do not count. `None` where fewer than
    five regions are left.
    """

    def best(sample: Sample) -> list[float]:
        try:
            image, regions = true_regions(dataset, sample, view)
        except DataError:
            return []  # told of where its own regions are cut
        guesses = predict(image, sample.id)
        return [max((overlap(one, guess) for guess in guesses), default=0.0) for one in regions]

    found = [
        value
        for values in in_threads(best, samples, "Looking at the segmenter's errors")
        for value in values
        if value > MATCHED
    ]
    return float(np.mean(found)) if len(found) >= _FEW else None


def _value_range(crops: np.ndarray) -> tuple[float, float]:
    if crops.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(crops.min()), float(crops.max())
    return low, high if high > low else low + 1.0
