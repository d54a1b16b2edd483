"""Aggregate the statistics of samples by class."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from maskwright.data import DataSet
from maskwright.data.audit.audit_scan import AuditedSample
from maskwright.data.audit.balance import class_counts
from maskwright.planning.stats.dataset_stats import ClassStats
from maskwright.planning.stats.sample_stats import SampleStats
from maskwright.planning.stats.symmetry import Asymmetry


def class_stats(
    dataset: DataSet,
    samples: Sequence[SampleStats],
    up_down: Sequence[Asymmetry],
    left_right: Sequence[Asymmetry],
) -> tuple[ClassStats, ...]:
    """Statistics of each class, by label."""
    counted = [AuditedSample(sample.sample, counts=sample.counts) for sample in samples]
    rows = {row.name: row for row in class_counts(dataset, counted) if row.split == "train"}
    return tuple(
        ClassStats(
            name,
            share=rows[name].share,
            images=rows[name].images,
            **_region_stats(samples, label),
            up_down=up_down[label],
            left_right=left_right[label],
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
