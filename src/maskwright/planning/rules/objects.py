"""Rules for single objects: method, scale of the images, batches, and the sizes of anchors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from maskwright.planning.plan_builder import (
    PlanBuilder,
    PlannedSetting,
    number,
    percent,
    plural,
)
from maskwright.planning.stats.object_stats import ObjectStats
from maskwright.types import MASK_STRIDE

_SMALL_SHARE = 0.08  # of the longer side of an image: smaller objects are small in it
_SMALL_PX = 48  # side up to which watersheds on centers are at their best
_FEW_OVERLAPS = 0.1
_SEVERAL = 6  # objects of an image, from which they count as many
_MARGIN = 1.25  # of crops, beyond the largest objects
_LONGER_SIDES = ((15, 320), (60, 512), (float("inf"), 800))  # up to so many minutes
_CROPS = (256, 512)
_MULTIPLE = 32
_MIN_OBJECT_PX = 16  # across small objects after resizing: four cells of their masks
_BATCH_SIZE = 8
_BATCH_PIXELS = _BATCH_SIZE * 320 * 320
_RATES = {"centers": 3e-3, "condinst": 2e-3, "mask_rcnn": 1e-3}
_ANCHOR_RATIO_SPREAD = 1.6  # highest by lowest ratio, above which anchors follow the data


def plan_objects(draft: PlanBuilder) -> None:
    """Choose `objects`, `longer_side` or `crop`, `batch_size`, `learning_rate` and `detector`."""
    if draft.data.objects is None:
        draft.choose("batch_size", _BATCH_SIZE, "No object was measured.")
        return
    for choice in object_settings(draft.data.objects, draft.minutes, draft.given):
        draft.choices[choice.key] = choice


def object_settings(
    stats: ObjectStats, minutes: float, given: Mapping[str, Any]
) -> list[PlannedSetting]:
    """Settings of a model of single objects, each with its reason; those in `given` are left out.

    `minutes` is the training time. `objects` is chosen where it is `"auto"`, and anchors that
    follow the data join the other parameters of a `detector` that is given.
    """
    method = given.get("objects") or "auto"
    choices = []
    if method == "auto":
        method, reason = _method(stats)
        choices.append(PlannedSetting("objects", method, reason))
    side = given.get("longer_side") or given.get("crop") or given.get("size")
    if not side or side == "auto":
        scale = _crop(stats) if method == "centers" else _scale(stats, minutes)
        choices.append(scale)
        side = scale.value
    pixels = side**2 if isinstance(side, int) else int(np.prod(side))
    batch = int(2 ** np.floor(np.log2(np.clip(_BATCH_PIXELS / pixels, 2, _BATCH_SIZE))))
    choices.append(PlannedSetting("batch_size", batch, f"Images have up to {pixels:,} pixels."))
    rate = _RATES[method]
    choices.append(PlannedSetting("learning_rate", rate, f"Tuned for {method} with AdamW."))
    settings = {**given, **{choice.key: choice.value for choice in choices}}
    detector = given.get("detector", {})
    if method == "mask_rcnn" and _may_have_anchors(given):
        choices.append(_anchors(stats, _scale_of(stats, settings), detector))
    return [c for c in choices if c.key not in given or c.key in ("objects", "detector")]


def size_warnings(
    stats: ObjectStats, settings: Mapping[str, Any], anchors: Sequence[float] | None = None
) -> list[str]:
    """What is too small for the largest objects: crops, or the anchors of a Mask R-CNN, px; and
    which objects are too small for a detector.

    `settings` are those of `TrainConfig` that are chosen or given, `objects` among them.
    """
    scale, warnings = _scale_of(stats, settings), []
    crop = None if settings.get("longer_side") else settings.get("crop")
    longest, side, small = stats.longest * scale, stats.sides[-1] * scale, stats.sides[0] * scale
    if crop is not None and longest > min(crop):
        warnings.append(
            f"The largest objects are {number(longest)} px long, more than the crops of "
            f"{min(crop)} px, which cut them: set a larger crop, or longer_side in its place."
        )
    if anchors and side > 2 * max(anchors):
        warnings.append(
            f"Large objects are {number(side)} px across, more than twice the largest "
            f"anchor of {max(anchors):g} px: set detector.anchor_sizes."
        )
    if settings.get("objects") != "centers" and small < MASK_STRIDE:
        resized = "" if scale == 1 else " after resizing"
        warnings.append(
            f"Small objects are {number(small)} px across{resized}, too small for "
            f"{settings.get('objects')}, which learns none below {MASK_STRIDE} px: set "
            f"objects=centers, or enlarge the images by longer_side."
        )
    return warnings


def _scale_of(stats: ObjectStats, settings: Mapping[str, Any]) -> float:
    """Factor by which these settings resize images."""
    side = settings.get("longer_side") or settings.get("size")
    if not side or side == "auto":
        return 1.0
    return float(np.max(side)) / stats.image_side


def _may_have_anchors(given: Mapping[str, Any]) -> bool:
    """Whether anchors may follow the data: no other profile, run or parameter states them."""
    detector = given.get("detector", {})
    stated = given.get("weights") or detector.keys() & {"anchor_sizes", "strides"}
    return not stated and detector.get("profile", "small") == "small"


def _method(stats: ObjectStats) -> tuple[str, str]:
    many = stats.median_per_image >= _SEVERAL
    small = stats.median_side <= _SMALL_PX
    apart = stats.overlap_share <= _FEW_OVERLAPS
    sizes = f"a median of {number(stats.median_per_image)} objects an image, {_sizes(stats)}, "
    sizes += f"{percent(stats.overlap_share)} of them overlapping"
    if many and small and apart:
        return "centers", f"Many small objects that hardly overlap: {sizes}."
    return "condinst", f"Whole masks of objects of any size: {sizes}."


def _crop(stats: ObjectStats) -> PlannedSetting:
    """Crops that hold the largest objects, at the scale of the images; no larger than these."""
    crop = _rounded(np.clip(_MARGIN * stats.longest, *_CROPS))
    whole = _multiple_above(stats.largest_image)
    reason = "Images keep their scale, which small objects need; crops "
    if whole <= crop:
        crop = whole
        reason += f"hold whole images, of up to {number(stats.largest_image)} px."
    elif stats.longest <= crop:
        reason += f"hold the largest, {number(stats.longest)} px long."
    else:
        reason += f"cut the largest, {number(stats.longest)} px long: larger ones take too long."
    return PlannedSetting("crop", (crop, crop), reason)


def _scale(stats: ObjectStats, minutes: float) -> PlannedSetting:
    """Crops for small objects in large images where none is large; otherwise whole images, as the
    papers have it.
    """
    limit = next(side for most, side in _LONGER_SIDES if minutes <= most)
    small = stats.median_side / stats.image_side < _SMALL_SHARE and stats.longest <= _CROPS[1]
    factor = min(limit / stats.image_side, 1.0)
    too_small = stats.sides[0] * factor < _MIN_OBJECT_PX
    if small and (too_small or stats.image_side > 2 * limit):
        crop = _crop(stats)
        reason = f"Objects are small in their images, {_sizes(stats)}. {crop.reason}"
        return replace(crop, reason=reason)
    needed = stats.image_side * _MIN_OBJECT_PX / max(stats.sides[0], 1.0)
    side = min(max(limit, _rounded(min(needed, 2 * limit))), _rounded(stats.image_side))
    reason = f"Whole images, so that no object is cut: {_sizes(stats)} in images of "
    reason += (
        f"{number(stats.image_side)} px, {number(stats.median_side * side / stats.image_side)}"
    )
    reason += " px after resizing; "
    reason += f"{minutes:g} minutes allow {limit} px"
    reason += ", but small objects need more." if side > limit else "."
    return PlannedSetting("longer_side", side, reason)


def _anchors(stats: ObjectStats, scale: float, detector: Mapping[str, Any]) -> PlannedSetting:
    """A size of anchors for each stride, from the smallest to the largest objects in images that
    are resized by `scale`, beside the other parameters of the `detector`.
    """
    low = max(stats.sides[0] * scale, 8.0)
    high = max(stats.sides[-1] * scale, 2 * low)
    sizes = np.geomspace(low, high, 4).round().astype(int).tolist()
    first, _, last = stats.ratios
    values: dict[str, Any] = {"profile": "small", "anchor_sizes": sizes}
    reason = f"Anchors of {', '.join(map(str, sizes))} px cover nine of ten objects"
    if last / first > _ANCHOR_RATIO_SPREAD or not 0.7 < stats.ratios[1] < 1.4:
        values["ratios"] = [round(ratio, 2) for ratio in stats.ratios]
        reason += f", and ratios of height by width of {first:.2g} to {last:.2g} as well"
    return PlannedSetting("detector", {**values, **detector}, f"{reason}.")


def _sizes(stats: ObjectStats) -> str:
    low, high = (number(side) for side in (stats.sides[0], stats.sides[-1]))
    return f"nine of ten are {low} to {high} px across" if low != high else f"{low} px across"


def object_facts(stats: ObjectStats) -> str:
    """Sentence on the objects of a data set."""
    return (
        f"{plural(stats.objects, 'object')} in {plural(stats.images, 'image')} measured: "
        f"{_sizes(stats)}, up to {number(stats.longest)} px long, "
        f"{number(stats.median_per_image)} an image, at most {stats.max_per_image:,}; "
        f"{percent(stats.overlap_share)} overlap another."
    )


def _multiple_above(length: float) -> int:
    return int(np.ceil(length / _MULTIPLE)) * _MULTIPLE


def _rounded(length: float) -> int:
    return max(round(float(length) / _MULTIPLE), 1) * _MULTIPLE
