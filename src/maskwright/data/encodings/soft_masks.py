"""Masks whose edges were smoothed by resizing: few values form areas, others lie in between."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from maskwright.data.encodings.encoding import Value, format_value
from maskwright.data.encodings.evidence import MaskEvidence
from maskwright.data.samples import Doubt, counted, first_few
from maskwright.errors import DataError

_MANY_MIXED = 8  # values in between, from which they are no classes of thin lines
_MANY_BETWEEN = 20  # values at edges between label indices, from which these were interpolated
_MIN_RANGE = 64  # highest value of masks whose classes are spread over the grays
_GAP = 8  # between values of classes, at least; nearer rare ones belong to the stronger
_MAX_SOLID = 64
_MAX_MOVED = 0.5  # share of pixels
_TAIL = 0.05  # of the pixels of a value, at most, for a near value that belongs to it


@dataclass(frozen=True)
class SnappedMasks:
    """Evidence without values in between, with a sentence on them, and doubts about it."""

    masks: MaskEvidence
    text: str
    doubts: tuple[Doubt, ...] = ()


def without_edges(masks: MaskEvidence) -> SnappedMasks | None:
    """Masks by the values that form areas, if there are others at edges; `None` if there are none.

    `DataError` of label indices that were interpolated, which cannot be told from classes.
    """
    if masks.snap is False or masks.deep or masks.file_per_object or masks.kind == "objects":
        return None
    if masks.kind not in ("indices", "palette", "binary"):
        masks = replace(masks, contents=[content.looked_up() for content in masks.contents])
    totals = masks.totals
    mixed, thin = (
        sum((Counter(c) for c in parts), Counter[Value]())
        for parts in ([c.mixed for c in masks.contents], [c.thin for c in masks.contents])
    )
    stated = _stated(masks)
    between = {v for v, n in totals.items() if 2 * mixed[v] >= n} - stated
    solid = [v for v, n in totals.items() if v in stated or 5 * thin[v] < 4 * n]
    solid = [value for value in solid if value not in between]
    top = max((v for v in totals if isinstance(v, int)), default=0)
    colored = any(isinstance(value, tuple) for value in totals)
    if not between or (top < _MIN_RANGE and not colored):
        return None
    if top >= 248 and not colored and top not in solid:
        solid.append(top)  # of lines so thin that they form no areas
    solid = _without_tails(solid, totals, {v for v in solid if 3 * thin[v] >= totals[v]})
    rest = [value for value in totals if value not in solid]
    moved = sum(totals[value] for value in rest) / sum(totals.values())
    if not 2 <= len(solid) <= _MAX_SOLID or moved > _MAX_MOVED:
        return None
    if _nearest_gap(solid) < _GAP:
        if len(between) >= _MANY_BETWEEN and len(between) > 2 * len(solid):
            raise DataError(
                f"The masks hold label indices and {len(between)} values in between at edges: they "
                f"were resized with interpolation, which gives labels that were not there. Resize "
                f"them again with nearest neighbor, from the original."
            )
        return None
    doubts: tuple[Doubt, ...] = ()
    if masks.snap is None and len(between) < _MANY_MIXED and not _is_regular(between, solid):
        doubts = (_doubt(between, colored),)
    pixels = sum(totals[value] for value in rest)
    text = (
        f"{counted(len(rest), 'color' if colored else 'value')} in between, at smoothed edges, "
        f"become the nearest one of a class: {pixels:,} px, {moved:.2%} of all."
    )
    kept = [content.only(set(solid)) for content in masks.contents]
    kept = [content for content in kept if content.values]
    return SnappedMasks(replace(masks, contents=kept), text, doubts)


def _stated(masks: MaskEvidence) -> set[Value]:
    """Values and colors of a class map beside the data, or in data.yaml."""
    if masks.class_map is None or masks.class_map.min_values:
        return set()
    values: set[Value] = {e.value for e in masks.class_map.entries if e.value is not None}
    return values | masks.class_map.colors.keys()


def _doubt(between: set[Value], colored: bool) -> Doubt:
    shown = first_few([format_value(value) for value in sorted(between, key=str)], 4)
    what = "color" if colored else "value"
    plural = f"{what}s {shown} occur" if len(between) > 1 else f"{what} {shown} occurs"
    return Doubt(
        "edges_or_classes",
        f"The {plural} only between areas of lower and higher ones: smoothed edges, or classes of "
        f"thin lines.",
        "Write `snap: true` into data.yaml for edges, which get the class beside them, or "
        "`snap: false` for classes.",
    )


def _channels(values: Sequence[Value]) -> np.ndarray:
    """Values as colors, float `(n, 3)`."""
    return np.array([v if isinstance(v, tuple) else (v, v, v) for v in values], float)


def _without_tails(
    solid: Sequence[Value], totals: Counter[Value], narrow: Collection[Value]
) -> list[Value]:
    """Values without those that are narrow, rare and near a frequent one, as blurring gives."""
    kept: list[Value] = []
    for value in sorted(solid, key=lambda v: -totals[v]):
        near = [
            other
            for other in kept
            if np.abs(_channels([value]) - _channels([other])).max() < _GAP
            and totals[value] <= _TAIL * totals[other]
        ]
        if not near or value not in narrow:
            kept.append(value)
    return kept


def _nearest_gap(solid: Sequence[Value]) -> float:
    """Least distance between two values, in the channel where they differ most."""
    colors = _channels(solid)
    gaps = np.abs(colors[:, None] - colors[None]).max(axis=2)
    np.fill_diagonal(gaps, np.inf)
    return float(gaps.min())


def _is_regular(between: set[Value], solid: Sequence[Value]) -> bool:
    """Whether three values or more lie at quarters between others, as resizing by 2 makes them."""
    colors = _channels(solid)
    first, second = np.triu_indices(len(colors), 1)
    start, way = colors[first], colors[second] - colors[first]
    quarters = np.concatenate([start + way * share / 4 for share in (1, 2, 3)])
    off = np.abs(_channels(list(between))[:, None] - quarters[None]).max(axis=2).min(axis=1)
    return len(between) > 2 and bool((off <= 2).all())
