"""Measure a data set: headers of its training images, and the pixels of a random subset."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.data.audit.checks import class_counts
from maskwright.data.cases.duplicates import near_duplicates
from maskwright.data.cases.grouping import groups
from maskwright.data.parallel import in_threads
from maskwright.errors import DataError
from maskwright.imageio import Header
from maskwright.labels import IGNORE_LABEL
from maskwright.planning.stats.dataset_stats import ClassStats, DatasetStats, Summary
from maskwright.planning.stats.object_stats import measure_objects
from maskwright.planning.stats.sample_stats import SampleStats, sample_stats, spacing_mm
from maskwright.planning.stats.symmetry import (
    GRID,
    NO_ASYMMETRY,
    Asymmetry,
    brightness_asymmetry,
    class_asymmetry,
)

_MAX_HEADERS = 2000
_SPECK_PX = 10  # smaller regions are annotation errors
_MIN_IMAGES_FOR_EXPONENT = 10
_MIN_SIZE_SPREAD = 0.3  # standard deviation of the logarithm of areas: sides about 15% apart


def measure_dataset(
    dataset: DataSet,
    *,
    max_images: int = 300,
    max_pixels: int = 200_000_000,
    source: str | None = None,
) -> DatasetStats:
    """Measure a data set: headers of up to 2,000 training images, and the pixels of some.

    Only training images with masks are read: a plan must not depend on images that its result is
    scored on. At least two are decoded, whatever `max_pixels`.
    """
    samples = [s for s in dataset.samples if s.split in ("train", None) and s.masks]
    if not samples:
        raise DataError(f"{dataset.root} has no training image with a mask; expected at least one.")
    order = np.random.default_rng([0, 3]).permutation(len(samples))
    shuffled = [samples[place] for place in order[:_MAX_HEADERS]]
    headers = list(in_threads(partial(_header, dataset), shuffled, "Reading sizes"))
    readable = [(s, h) for s, h in zip(shuffled, headers, strict=True) if h is not None]
    pixels = np.cumsum([header.height * header.width for _, header in readable])
    count = min(max(int((pixels <= max_pixels).sum()), 2), max_images)
    selected = [sample for sample, _ in readable[:count]]
    background = dataset.labels.background
    if background is None and dataset.labels.num_classes == 2:
        background = 0
    results = in_threads(
        lambda sample: sample_stats(dataset, sample, background), selected, "Measuring images"
    )
    stats = [result for result in results if result is not None]
    if not stats:
        raise DataError(f"No training image in {dataset.root} can be read; run `maskwright check`.")
    sizes = [(h.height, h.width) for _, h in readable]
    modal_size, modal_count = Counter(sizes).most_common(1)[0]
    maps = np.zeros((len(stats), dataset.labels.num_classes, GRID, GRID), np.float32)
    for place, each in enumerate(stats):
        for label, grid in each.grids.items():
            maps[place, label] = grid
    foreground = [label for label in range(dataset.labels.num_classes) if label != background]
    *left_right, _ = class_asymmetry(maps[:, foreground], axis=1)
    thumbnails = np.stack([each.thumbnail for each in stats])
    duplicates = groups(
        near_duplicates(thumbnails, lambda place: dataset.read_image(stats[place].sample))
    )
    holes = np.concatenate([each.holes_px for each in stats])
    spacings = {_spacing(sample) for sample in selected[:8]}
    return DatasetStats(
        source=source or str(dataset.root),
        images=dataset.splits,
        cases={
            split: len({s.case for s in dataset.samples if (s.split or "train") == split})
            for split in dataset.splits
        },
        images_read=len(stats),
        skipped=len(selected) - len(stats) + len(shuffled) - len(readable),
        height=Summary.of([height for height, _ in sizes]),
        width=Summary.of([width for _, width in sizes]),
        modal_size=modal_size,
        modal_share=modal_count / len(sizes),
        channels=dataset.channels,
        dtype=dataset.dtype,
        color_share=float(np.mean([each.color for each in stats])),
        spacing_mm=spacings.pop() if len(spacings) == 1 else None,
        classes=_class_stats(dataset, stats, dict(zip(foreground, left_right, strict=True))),
        background=background,
        **_pixel_shares(np.stack([each.counts for each in stats]), background),
        holes=len(holes),
        smallest_hole_px=int(holes.min()) if len(holes) else 0,
        area_exponent=_area_exponent(stats),
        instances=dataset.instances,
        objects=measure_objects(dataset) if dataset.instances else None,
        up_down=class_asymmetry(maps[:, foreground], axis=0)[-1],
        brightness_up_down=brightness_asymmetry(thumbnails, 0),
        detail_up_down=brightness_asymmetry(np.stack([each.detail for each in stats]), 0),
        anisotropy=float(np.median([each.anisotropy for each in stats])),
        split_duplicates=sum(
            len({stats[place].sample.case for place in group}) > 1 for group in duplicates
        ),
    )


def _spacing(sample: Sample) -> float | None:
    """Side of a square pixel in mm, as the data set or the image states it."""
    if sample.spacing_mm is None:
        return spacing_mm(sample.image)
    rows, columns = sample.spacing_mm
    return rows if rows == columns else None


def _header(dataset: DataSet, sample: Sample) -> Header | None:
    try:
        return dataset.header(sample.image)
    except DataError:
        return None


def _pixel_shares(counts: np.ndarray, background: int | None) -> dict[str, float]:
    """Fractions of pixels and of masks, from pixel counts by label `(n, 256)`."""
    valid = counts[:, :IGNORE_LABEL]
    ignored = float(counts[:, IGNORE_LABEL].sum() / max(counts.sum(), 1))
    if background is None:
        return {"ignored_share": ignored, "empty_share": 0.0, "foreground_share": 1.0}
    foreground = valid.sum(axis=1) - valid[:, background]
    occupied = foreground > 0
    return {
        "ignored_share": ignored,
        "empty_share": float((~occupied).mean()),
        "foreground_share": float(foreground[occupied].sum() / max(valid[occupied].sum(), 1)),
    }


def _area_exponent(stats: Sequence[SampleStats]) -> float | None:
    """Slope of log median region area over log image area, by least squares."""
    image_areas, region_areas = [], []
    for sample in stats:
        areas = [r.area_px[r.area_px >= _SPECK_PX] for r in sample.regions.values()]
        if sum(map(len, areas)):
            image_areas.append(np.log(np.prod(sample.size)))
            region_areas.append(np.log(np.median(np.concatenate(areas))))
    if len(image_areas) < _MIN_IMAGES_FOR_EXPONENT or np.std(image_areas) < _MIN_SIZE_SPREAD:
        return None
    return float(np.polyfit(image_areas, region_areas, 1)[0])


def _class_stats(
    dataset: DataSet, samples: Sequence[SampleStats], left_right: Mapping[int, Asymmetry]
) -> tuple[ClassStats, ...]:
    """Statistics of each class, by label."""
    counted = [(sample.sample.split, sample.counts) for sample in samples]
    rows = {row.name: row for row in class_counts(dataset, counted) if row.split == "train"}
    return tuple(
        ClassStats(
            name,
            share=rows[name].share,
            images=rows[name].images,
            **_region_stats(samples, label),
            left_right=left_right.get(label, NO_ASYMMETRY),
        )
        for label, name in enumerate(dataset.labels.names)
    )


def _region_stats(samples: Sequence[SampleStats], label: int) -> dict[str, Any]:
    measured = [(s.regions[label], s.size) for s in samples if label in s.regions]
    if not measured:
        return {}
    areas = np.concatenate([regions.area_px for regions, _ in measured])
    widths = np.concatenate([regions.width_px for regions, _ in measured])
    shares = np.concatenate([regions.area_px / np.prod(size) for regions, size in measured])
    width_shares = np.concatenate([regions.width_px / max(size) for regions, size in measured])
    return {
        "regions": len(areas),
        "max_regions": max(len(regions.area_px) for regions, _ in measured),
        "min_area_px": int(areas.min()),
        "median_area_px": float(np.median(areas)),
        "small_area_share": _weighted_quantile(shares, areas, 0.1),
        "width_share": _weighted_quantile(width_shares, areas),
        "slenderness": _weighted_quantile(areas / widths**2, areas),
    }


def _weighted_quantile(values: np.ndarray, areas: np.ndarray, quantile: float = 0.5) -> float:
    """Quantile of values of regions, each weighted by its area."""
    order = np.argsort(values)
    cumulative = np.cumsum(areas[order])
    return float(values[order][np.searchsorted(cumulative, cumulative[-1] * quantile)])
