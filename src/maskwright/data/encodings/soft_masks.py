"""Masks whose edges were smoothed by resizing: few values form areas, others lie in between."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from maskwright.data.encodings.contents import MaskContents
from maskwright.data.encodings.encoding import Value, format_value
from maskwright.data.encodings.evidence import MaskEvidence
from maskwright.data.samples import Doubt, counted, first_few
from maskwright.errors import DataError

_MANY_MIXED = 8  # values in between, from which they are no classes of thin lines
_MANY_BETWEEN = 20  # values at edges between label indices, from which these were interpolated
_MIN_RANGE = 64  # highest value of masks whose classes are spread over the grays
_GAP = 8  # between values of classes, at least; nearer rare ones belong to the stronger
_FAR = 24  # from values of classes, where only edges lie, but for overshoot of a filter
_BEYOND = 40  # the range of values of classes, in a channel, where nothing is an edge
_MAX_SOLID = 64
_MAX_MOVED = 0.5  # share of pixels
_MAX_ODD = 0.05  # share of pixels with values in between that are not as at edges
_TAIL = 0.05  # of the pixels of a value, at most, for a near value that belongs to it
_MIN_RIMS_PX, _MAX_RIMS = 100, 0.06  # of the neighbors that differ
_MIN_OF_AREAS = 0.1  # of these pixels, as those of a line form no areas
_STRAY = 0.01  # the same of values that form no areas, where there are no others in between


@dataclass(frozen=True)
class SnappedMasks:
    """Evidence without values in between, with a sentence on them, and doubts about it."""

    masks: MaskEvidence
    text: str
    doubts: tuple[Doubt, ...] = ()


def without_edges(masks: MaskEvidence) -> SnappedMasks | None:
    """Masks by the values that form areas, if there are others at edges; `None` if there are none.

    `DataError` of label indices that were interpolated, and of what JPEG leaves of masks, where
    classes cannot be told from edges.
    """
    if masks.snap is False or masks.deep or masks.file_per_object or masks.kind == "objects":
        return None
    if masks.kind not in ("indices", "palette", "binary"):
        masks = replace(masks, contents=[content.looked_up() for content in masks.contents])
    values = _Values.of(masks)
    solid, totals = values.solid, values.totals
    rest = [value for value in totals if value not in solid]
    moved = sum(totals[value] for value in rest) / sum(totals.values())
    edges = values.between | values.strays(solid)
    if not edges or not 2 <= len(solid) <= _MAX_SOLID or moved > _MAX_MOVED:
        return None
    if values.top < _MIN_RANGE and not values.colored:
        return None
    many = len(edges) >= max(_MANY_MIXED, 2 * len(solid))
    if _nearest_gap(solid) < _GAP:
        if many and len(edges) >= _MANY_BETWEEN:
            raise DataError(
                f"The masks hold label indices and {len(edges)} values in between at edges: they "
                f"were resized with interpolation, which gives labels that were not there. Resize "
                f"them again with nearest neighbor, from the original."
            )
        return None
    what = counted(len(rest), "color" if values.colored else "value")
    if values.odd_share(rest, solid) > _MAX_ODD:
        if many:
            raise DataError(
                f"The masks hold {what} besides those that form areas, and not only at edges: they "
                f"were blurred by resizing or JPEG. Export them again without smoothing, or list "
                f"the classes under `values` in data.yaml, with `snap: true`."
            )
        return None
    doubts: tuple[Doubt, ...] = ()
    if masks.snap is None and not many and not _is_regular(edges, solid):
        doubts = (_doubt(edges, values.colored),)
    pixels = sum(totals[value] for value in rest)
    text = (
        f"{what} in between, at smoothed edges, become the nearest one of a class: {pixels:,} px, "
        f"{moved:.2%} of all."
    )
    kept = [content.only(set(solid)) for content in masks.contents]
    kept = [content for content in kept if content.values]
    return SnappedMasks(replace(masks, contents=kept), text, doubts)


def doubt_interpolated(contents: Sequence[MaskContents]) -> list[Doubt]:
    """Doubt where label indices lie between others along many edges, as interpolation puts them.

    Where each of two neighbors is an area of its own, a resized edge from 0 to 3 shows 1 and 2.
    """
    rims, of_areas, edges = np.sum([content.rims for content in contents], axis=0)
    if rims < max(_MIN_RIMS_PX, _MAX_RIMS * edges) or of_areas < _MIN_OF_AREAS * rims:
        return []
    return [
        Doubt(
            "interpolated_labels",
            f"At edges between areas, {rims:,} px hold labels between theirs: the masks were "
            f"resized with interpolation, which gives wrong classes there, or these are lines.",
            "Resize the masks again with nearest neighbor, from the original; or write `snap: "
            "false` into data.yaml for lines.",
        )
    ]


@dataclass(frozen=True)
class _Values:
    """Pixels of all values or colors: all, those between others, those in no area.

    Those that are stated as classes are no edges.
    """

    totals: Counter[Value]
    mixed: Counter[Value]
    thin: Counter[Value]
    stated: set[Value]

    @classmethod
    def of(cls, masks: MaskEvidence) -> "_Values":
        mixed: Counter[Value] = Counter()
        thin: Counter[Value] = Counter()
        for content in masks.contents:
            mixed.update(content.mixed)
            thin.update(content.thin)
        return cls(masks.totals, mixed, thin, _stated(masks))

    @cached_property
    def colored(self) -> bool:
        """Whether some are colors."""
        return any(isinstance(value, tuple) for value in self.totals)

    @cached_property
    def top(self) -> int:
        """Highest gray value."""
        return max((v for v in self.totals if isinstance(v, int)), default=0)

    @cached_property
    def between(self) -> set[Value]:
        """Those that lie between lower and higher neighbors in most of their pixels."""
        return {v for v, n in self.totals.items() if 2 * self.mixed[v] >= n} - self.stated

    @cached_property
    def lines(self) -> set[Value]:
        """Those that hardly form areas."""
        return {v for v, n in self.totals.items() if 5 * self.thin[v] >= 4 * n} - self.stated

    @cached_property
    def solid(self) -> list[Value]:
        """Those of classes: they form areas, but for white of thin lines."""
        solid = [v for v in self.totals if v not in self.between and v not in self.lines]
        if self.top >= 248 and not self.colored and self.top not in solid:
            solid.append(self.top)
        narrow = {v for v in solid if 3 * self.thin[v] >= self.totals[v]}
        return [v for v in solid if v not in narrow or not self._near(v, solid, _TAIL)]

    def strays(self, solid: Sequence[Value]) -> set[Value]:
        """Rare values near one of a class that form no areas."""
        return {v for v in self.lines if v not in solid and self._near(v, solid, _STRAY)}

    def _near(self, value: Value, others: Sequence[Value], share: float) -> bool:
        """Whether a value is near one of which it has such a share of the pixels at most."""
        strong = [v for v in others if self.totals[value] <= share * self.totals[v]]
        return bool(strong) and float(_distances([value], strong).min()) < _GAP

    def odd_share(self, rest: Sequence[Value], solid: Sequence[Value]) -> float:
        """Share of the pixels of values in between that do not lie as edges do."""
        pixels, colors = np.array([self.totals[v] for v in rest]), _channels(rest)
        far = _distances(rest, solid).min(axis=1) >= _FAR
        alone = np.array([self.totals[v] - self.mixed[v] for v in rest])
        lowest, highest = _channels(solid).min(axis=0) - _BEYOND, _channels(solid).max(axis=0)
        beyond = ((colors < lowest) | (colors > highest + _BEYOND)).any(axis=1)
        return float(max(alone[far].sum(), pixels[beyond].sum()) / pixels.sum())


def _stated(masks: MaskEvidence) -> set[Value]:
    """Values and colors of a class map beside the data, or in data.yaml."""
    if masks.class_map is None or masks.class_map.min_values:
        return set()
    values: set[Value] = {e.value for e in masks.class_map.entries if e.value is not None}
    return values | masks.class_map.colors.keys()


def _doubt(edges: set[Value], colored: bool) -> Doubt:
    shown = first_few(
        [
            format_value(value)
            for value in sorted(edges, key=lambda v: v if isinstance(v, tuple) else (v,))
        ],
        4,
    )
    what = "color" if colored else "value"
    plural = f"{what}s {shown} form" if len(edges) > 1 else f"{what} {shown} forms"
    return Doubt(
        "edges_or_classes",
        f"The {plural} no areas, and lie between others or near one that does: edges that were "
        f"smoothed and traces of compression, or classes of thin lines.",
        "Write `snap: true` into data.yaml for edges, which get the class beside them, or "
        "`snap: false` for classes.",
    )


def _channels(values: Sequence[Value]) -> np.ndarray:
    """Values as colors, float `(n, 3)`."""
    return np.array([v if isinstance(v, tuple) else (v, v, v) for v in values], float)


def _distances(values: Sequence[Value], others: Sequence[Value]) -> np.ndarray:
    """Distances `(n, m)` in the channel where two values differ most."""
    differences: np.ndarray = _channels(values)[:, None] - _channels(others)[None]
    return np.abs(differences).max(axis=2)


def _nearest_gap(solid: Sequence[Value]) -> float:
    """Least distance between two values."""
    gaps = _distances(solid, solid)
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
