"""Measure a data set: headers of its training images, and the pixels of some of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.audit.audit_scan import AuditedSample
from maskwright.data.audit.balance import class_counts
from maskwright.data.parallel import in_threads
from maskwright.data.splits.duplicates import groups, near_duplicates
from maskwright.errors import DataError
from maskwright.imageio import Header
from maskwright.labels import IGNORE_LABEL
from maskwright.planning.dataset_stats import ClassStats, DatasetStats, Summary
from maskwright.planning.sample_stats import SampleStats, sample_stats, spacing_mm
from maskwright.planning.symmetry import GRID, Asymmetry, class_asymmetry, light_asymmetry

MOST_IMAGES = 300
"""Images that are read; others are known by their headers alone."""

MOST_PIXELS = 200_000_000
"""Pixels that are read, unless two images have more."""

_MOST_HEADERS = 2000
_SPECK_PX = 10  # regions below it are slips of the pen
_FEWEST_TO_GROW = 10
_LEAST_SPREAD = 0.3  # standard deviation of the logarithm of areas: sides about 15% apart
_NOTHING = Asymmetry(0.0, 1.0)


@dataclass
class _Regions:
    """Regions of one class, of all images."""

    areas: list[np.ndarray] = field(default_factory=list)
    widths: list[np.ndarray] = field(default_factory=list)
    area_shares: list[np.ndarray] = field(default_factory=list)
    width_shares: list[np.ndarray] = field(default_factory=list)


def fingerprint(
    dataset: DataSet,
    *,
    most_images: int = MOST_IMAGES,
    most_pixels: int = MOST_PIXELS,
    seed: int = 0,
    source: str | None = None,
) -> DatasetStats:
    """Measure a data set: headers of up to 2,000 training images, and as many pixels as stated.

    Only training images with masks are read: what is planned must not depend on those that the
    result is scored on.

    Args:
        dataset: With splits.
        most_images: That are read.
        most_pixels: Likewise; two images are read whatever their size.
        seed: Decides which.
        source: What to call the data set; `None` for its folder.

    Raises:
        DataError: If there is no training image with a mask, or none can be read.
    """
    samples = [s for s in dataset.samples if s.split in ("train", None) and s.masks]
    if not samples:
        raise DataError(f"{dataset.root} has no training image with a mask to plan for.")
    order = np.random.default_rng([seed, 3]).permutation(len(samples))
    shuffled = [samples[place] for place in order[:_MOST_HEADERS]]
    headers = list(in_threads(partial(_header, dataset), shuffled, "Reading sizes"))
    known = [(s, h) for s, h in zip(shuffled, headers, strict=True) if h is not None]
    chosen = _within(known, most_images, most_pixels)
    background = dataset.labels.background
    if background is None and dataset.labels.num_classes == 2:
        background = 0
    looks = in_threads(
        lambda sample: sample_stats(dataset, sample, background), chosen, "Measuring images"
    )
    seen = [found for found in looks if found is not None]
    if not seen:
        raise DataError(f"No training image in {dataset.root} can be read; run `maskwright check`.")
    sizes = [(h.height, h.width) for _, h in known]
    usual, often = Counter(sizes).most_common(1)[0]
    values = np.concatenate([each.values for each in seen]).astype(np.float64)
    maps = np.zeros((len(seen), dataset.labels.num_classes, GRID, GRID), np.float32)
    for place, each in enumerate(seen):
        for label, grid in each.grids.items():
            maps[place, label] = grid
    up_down, left_right = (_asymmetry(maps, axis, background) for axis in (0, 1))
    thumbs = np.stack([each.thumb for each in seen])
    alike = groups(near_duplicates(thumbs))
    low, high = np.percentile(values, (0.5, 99.5), axis=0)
    counts = np.stack([each.counts for each in seen])
    holes = np.concatenate([each.holes_px for each in seen])
    spacings = {spacing_mm(sample.image) for sample in chosen[:8]}
    return DatasetStats(
        source=source or str(dataset.root),
        images=dataset.splits,
        cases={
            split: len({s.case for s in dataset.samples if (s.split or "train") == split})
            for split in dataset.splits
        },
        looked_at=len(seen),
        skipped=len(chosen) - len(seen) + len(shuffled) - len(known),
        height=Summary.of([height for height, _ in sizes]),
        width=Summary.of([width for _, width in sizes]),
        usual_size=usual,
        usual_share=often / len(sizes),
        channels=dataset.channels,
        dtype=dataset.dtype,
        color_share=float(np.mean([each.color for each in seen])),
        mean=_rounded(values.mean(axis=0)),
        std=_rounded(values.std(axis=0)),
        low=_rounded(low),
        high=_rounded(high),
        largest=float(max(each.largest for each in seen)),
        spacing_mm=spacings.pop() if len(spacings) == 1 else None,
        classes=_classes(dataset, seen, background, up_down, left_right),
        background=background,
        **_shares(counts, background),
        holes=len(holes),
        smallest_hole_px=int(holes.min()) if len(holes) else 0,
        growth=_growth(seen),
        instances=dataset.instances,
        up_down=up_down[-1],
        left_right=left_right[-1],
        light_up_down=light_asymmetry(thumbs, 0),
        detail_up_down=light_asymmetry(np.stack([each.detail for each in seen]), 0),
        grain=float(np.median([each.grain for each in seen])),
        duplicates=len(alike),
        split_duplicates=sum(len({seen[i].sample.case for i in group}) > 1 for group in alike),
    )


def _header(dataset: DataSet, sample: Sample) -> Header | None:
    try:
        return dataset.header(sample.image)
    except DataError:
        return None


def _within(
    known: Sequence[tuple[Sample, Header]], most_images: int, most_pixels: int
) -> list[Sample]:
    """The first samples that together keep both limits, at least two."""
    chosen: list[Sample] = []
    pixels = 0
    for sample, header in known:
        pixels += header.height * header.width
        if len(chosen) >= most_images or (pixels > most_pixels and len(chosen) >= 2):
            break
        chosen.append(sample)
    return chosen


def _asymmetry(maps: np.ndarray, axis: int, background: int | None) -> list[Asymmetry]:
    """Of each class, and of all but the background together."""
    objects = [label for label in range(maps.shape[1]) if label != background]
    *each, together = class_asymmetry(maps[:, objects], axis)
    found = [_NOTHING] * maps.shape[1]
    for label, one in zip(objects, each, strict=True):
        found[label] = one
    return [*found, together]


def _classes(
    dataset: DataSet,
    seen: Sequence[SampleStats],
    background: int | None,
    up_down: Sequence[Asymmetry],
    left_right: Sequence[Asymmetry],
) -> tuple[ClassStats, ...]:
    looked = [AuditedSample(each.sample, counts=each.counts) for each in seen]
    rows = {row.name: row for row in class_counts(dataset, looked) if row.split == "train"}
    regions = [_Regions() for _ in dataset.labels.names]
    for each in seen:
        for label, found in each.regions.items():
            regions[label].areas.append(found.area_px)
            regions[label].widths.append(found.width_px)
            regions[label].area_shares.append(found.area_px / np.prod(each.size))
            regions[label].width_shares.append(found.width_px / max(each.size))
    prints = []
    for label, name in enumerate(dataset.labels.names):
        row = rows[name]
        prints.append(
            ClassStats(
                name,
                share=row.share,
                images=row.images,
                image_share=row.images / len(seen),
                **_region_numbers(regions[label]),
                up_down=up_down[label],
                left_right=left_right[label],
            )
        )
    return tuple(prints)


def _region_numbers(regions: _Regions) -> dict[str, Any]:
    if not regions.areas:
        return {}
    areas, widths = np.concatenate(regions.areas), np.concatenate(regions.widths)
    shares = np.concatenate(regions.area_shares)
    return {
        "regions": len(areas),
        "most_regions": max(map(len, regions.areas)),
        "smallest_px": int(areas.min()),
        "area_px": float(np.median(areas)),
        "small_share": _by_pixels(shares, areas, 0.1),
        "width_px": _by_pixels(widths, areas),
        "width_share": _by_pixels(np.concatenate(regions.width_shares), areas),
        "slenderness": _by_pixels(areas / widths**2, areas),
    }


def _by_pixels(values: np.ndarray, areas: np.ndarray, share: float = 0.5) -> float:
    """Value that regions with a share of the pixels do not exceed."""
    order = np.argsort(values)
    reached = np.cumsum(areas[order])
    return float(values[order][np.searchsorted(reached, reached[-1] * share)])


def _shares(counts: np.ndarray, background: int | None) -> dict[str, float]:
    """Of pixels `(n, 256)` by label, and of masks."""
    counted = counts[:, :IGNORE_LABEL]
    void = float(counts[:, IGNORE_LABEL].sum() / max(counts.sum(), 1))
    if background is None:
        return {"void_share": void, "empty_share": 0.0, "object_share": 1.0}
    objects = counted.sum(axis=1) - counted[:, background]
    held = objects > 0
    return {
        "void_share": void,
        "empty_share": float((~held).mean()),
        "object_share": float(objects[held].sum() / max(counted[held].sum(), 1)),
    }


def _growth(seen: Sequence[SampleStats]) -> float | None:
    """Slope of the logarithm of the median area of an image's regions, by least squares."""
    areas, regions = [], []
    for each in seen:
        found = [f.area_px[f.area_px >= _SPECK_PX] for f in each.regions.values()]
        if sum(map(len, found)):
            areas.append(np.log(np.prod(each.size)))
            regions.append(np.log(np.median(np.concatenate(found))))
    if len(areas) < _FEWEST_TO_GROW or np.std(areas) < _LEAST_SPREAD:
        return None
    return float(np.polyfit(areas, regions, 1)[0])


def _rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(f"{value:.5g}") for value in values)
