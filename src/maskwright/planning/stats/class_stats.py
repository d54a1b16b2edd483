"""Aggregate the statistics of samples by class."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskwright.data import DataSet
from maskwright.data.audit.audit_scan import AuditedSample
from maskwright.data.audit.balance import class_counts
from maskwright.planning.stats.dataset_stats import ClassStats
from maskwright.planning.stats.sample_stats import SampleStats
from maskwright.planning.stats.symmetry import Asymmetry


@dataclass
class _Regions:
    """Regions of one class, one array per image."""

    areas: list[np.ndarray] = field(default_factory=list)
    widths: list[np.ndarray] = field(default_factory=list)
    area_shares: list[np.ndarray] = field(default_factory=list)
    width_shares: list[np.ndarray] = field(default_factory=list)


def class_stats(
    dataset: DataSet,
    samples: Sequence[SampleStats],
    up_down: Sequence[Asymmetry],
    left_right: Sequence[Asymmetry],
) -> tuple[ClassStats, ...]:
    """Statistics of each class, by label."""
    counted = [AuditedSample(sample.sample, counts=sample.counts) for sample in samples]
    rows = {row.name: row for row in class_counts(dataset, counted) if row.split == "train"}
    regions = [_Regions() for _ in dataset.labels.names]
    for sample in samples:
        for label, measures in sample.regions.items():
            regions[label].areas.append(measures.area_px)
            regions[label].widths.append(measures.width_px)
            regions[label].area_shares.append(measures.area_px / np.prod(sample.size))
            regions[label].width_shares.append(measures.width_px / max(sample.size))
    return tuple(
        ClassStats(
            name,
            share=rows[name].share,
            images=rows[name].images,
            image_share=rows[name].images / len(samples),
            **_region_stats(regions[label]),
            up_down=up_down[label],
            left_right=left_right[label],
        )
        for label, name in enumerate(dataset.labels.names)
    )


def _region_stats(regions: _Regions) -> dict[str, Any]:
    if not regions.areas:
        return {}
    areas, widths = np.concatenate(regions.areas), np.concatenate(regions.widths)
    shares = np.concatenate(regions.area_shares)
    return {
        "regions": len(areas),
        "max_regions": max(map(len, regions.areas)),
        "min_area_px": int(areas.min()),
        "median_area_px": float(np.median(areas)),
        "small_area_share": _weighted_quantile(shares, areas, 0.1),
        "width_px": _weighted_quantile(widths, areas),
        "width_share": _weighted_quantile(np.concatenate(regions.width_shares), areas),
        "slenderness": _weighted_quantile(areas / widths**2, areas),
    }


def _weighted_quantile(values: np.ndarray, areas: np.ndarray, quantile: float = 0.5) -> float:
    """Quantile of values of regions, each weighted by its area."""
    order = np.argsort(values)
    cumulative = np.cumsum(areas[order])
    return float(values[order][np.searchsorted(cumulative, cumulative[-1] * quantile)])
