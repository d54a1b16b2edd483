"""Regions of training images measured, and the settings that suit them."""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from maskwright.config import RegionConfig
from maskwright.data import DataSet, Sample
from maskwright.data.parallel import in_threads
from maskwright.errors import ConfigError, DataError
from maskwright.planning.rules.regions import region_settings
from maskwright.planning.stats.region_stats import RegionStats, side_quantiles
from maskwright.tasks.regions import CropSpec, extract
from maskwright.tasks.regions.extraction.masks import read_region_mask
from maskwright.tasks.regions.learning.labeling import Labeling
from maskwright.types import OnMessage, RegionKind

_EPOCHS_AS_MINUTES = 5.0  # a run measured in epochs has crops as one of so many minutes
_MOST_IMAGES = 1000  # of which masks are read


@dataclass
class _ImageRegions:
    """Regions of one image: targets, and longer sides of their boxes, px."""

    sample: Sample
    targets: list[int]
    sides: list[int]
    image_side: int


def region_kind(dataset: DataSet, labeling: Labeling, kind: RegionKind | None) -> RegionKind:
    """What a region is: as set, as labels refer to it, or objects where masks tell them apart.

    `ConfigError` for a kind that labels do not fit.
    """
    required = labeling.required_kind
    kind = kind or required
    if required is not None and kind != required:
        raise ConfigError(
            f"Labels refer to {required}; expected regions={required}, received {kind}."
        )
    return kind or ("instances" if dataset.instances else "components")


def measure_regions(
    dataset: DataSet, labeling: Labeling, kind: RegionKind, min_area_px: int = 1
) -> RegionStats | None:
    """Numbers and sizes of the regions in up to 1000 training images; `None` where there are none.

    Images that cannot be used are left out: what is wrong with them is told where they are cut.
    """
    spec = CropSpec(kind, min_area_px=min_area_px)

    def read(sample: Sample) -> _ImageRegions | None:
        if labeling.skips(sample):
            return None
        try:
            mask, background = read_region_mask(dataset, sample, kind)
            nothing = np.zeros((*mask.shape, 1), np.uint8)  # only the mask is looked at
            regions = extract(nothing, mask, spec, background=background, measure=False)
            targets = labeling.targets_of(sample, regions)
        except DataError:
            return None
        decided = [(t, r) for t, r in zip(targets, regions, strict=True) if t is not None]
        boxes = [region.box for _, region in decided]
        sides = [max(bottom - top, right - left) for top, left, bottom, right in boxes]
        return _ImageRegions(sample, [t for t, _ in decided], sides, max(mask.shape))

    samples = [s for s in dataset.samples if s.split == "train" and s.masks][:_MOST_IMAGES]
    measured = [
        each
        for each in in_threads(read, samples, "Measuring regions")
        if each is not None and each.targets
    ]
    if not measured:
        return None
    units: defaultdict[str, list[int]] = defaultdict(list)
    for image in measured:
        for number, target in enumerate(image.targets):
            sample = image.sample
            unit_ids = {"image": sample.id, "case": sample.case, "region": f"{sample.id}#{number}"}
            units[unit_ids[labeling.unit]].append(target)
    by_target = Counter(max(targets) for targets in units.values())
    sides = [side for image in measured for side in image.sides]
    shares = [side / image.image_side for image in measured for side in image.sides]
    return RegionStats(
        unit=labeling.unit,
        kind=kind,
        names=labeling.names,
        units=(by_target[0], by_target[1]),
        cases=len({image.sample.together for image in measured}),
        images=len(measured),
        regions=len(sides),
        most_per_unit=int(np.quantile([len(targets) for targets in units.values()], 0.95)),
        sides=side_quantiles(sides),
        image_share=float(np.median(shares)),
        reasons=labeling.notes,
    )


def suited(
    config: RegionConfig, dataset: DataSet, labeling: Labeling, on_message: OnMessage
) -> RegionConfig:
    """Settings that suit the sizes and numbers of regions, beside those that are set; reports them.

    See `planning.rules.regions`. A plan of this data has them all.
    """
    kind = region_kind(dataset, labeling, config.regions)
    stats = measure_regions(dataset, labeling, kind, config.min_area_px)
    if stats is None or config.preset is not None:
        return config
    minutes = config.minutes or _EPOCHS_AS_MINUTES
    given = {name: getattr(config, name) for name in config.model_fields_set}
    choices = region_settings(stats, minutes, given, config.pretrained)
    defaults = {choice.key: getattr(config, choice.key) for choice in choices}
    changed = [choice for choice in choices if choice.value != defaults[choice.key]]
    for choice in changed:
        value = "none" if choice.value is None else choice.value
        on_message(f"{choice.key}={str(value).lower()}: {choice.reason}")
    return config.model_copy(update={choice.key: choice.value for choice in changed})
