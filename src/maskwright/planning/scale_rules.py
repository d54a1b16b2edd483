"""What the model is shown: the scale of the images, crops of them, and how many at a time."""

import math
from dataclasses import dataclass

from maskwright.planning.dataset_stats import ClassStats, Summary
from maskwright.planning.plan_builder import PlanBuilder, by, is_long, is_thin, measured, percent

SIDES = {-4: 96, -3: 128, -2: 192, -1: 256, 0: 256, 1: 384, 2: 512}
"""By size level: longer side of images where no class needs more, and side of crops, px."""

_BATCHES = {-4: 4, -3: 8, -2: 8, -1: 8}  # else 16
_MORE = 1.5  # times that side, images are still shown whole
_LEAST_PX = 6  # across a small region: three cells of features at stride 2
_LEAST_WIDTH_PX = 2  # of a class of lines
_LEAST_LINE_PX = 3  # where lines are all there is
_DETAIL = 3  # times what the finest class needs, in crops
_OFTEN = 0.1  # of the images: a class in fewer has no say in the scale
_OWN_SCALE = 0.5  # growth below which regions do not grow with their images
_MULTIPLE = 32  # the coarsest stride
_ALIKE = 1.25  # largest by smallest image: those that one size does not distort
_LARGE = 1024  # longer side up to which what is cropped in training is predicted in one piece
# `light`: measured on MobileNetV2 at batches of 8 and 16, above what TensorFlow takes for itself,
# with room to spare. The others are estimates on the safe side.
_BYTES_A_PIXEL = {"light": 2500, "unet": 6000}
_MORE_BYTES = 9000
_MEMORY_SHARE = 0.6


@dataclass(frozen=True)
class FinestClass:
    """The class that is lost first when images shrink.

    Args:
        one: The class; `None` where nothing is measured.
        px: Across its small regions, or its lines, at the median size of the images.
        least: Pixels that it should keep.
    """

    one: ClassStats | None
    px: float
    least: float

    @property
    def factor(self) -> float:
        """By which images may shrink."""
        return min(self.least / self.px, 1.0) if self.one else 0.0

    def at(self, factor: float) -> str:
        """What is left of it when images shrink by a factor."""
        if self.one is None:
            return "nothing is known of the regions"
        left = measured(self.px * factor)
        if is_long(self.one):
            return f"what is finest, {self.one.name}, is {left} px wide"
        return f"what is finest, small regions of {self.one.name}, is {left} px across"


def plan_scale(draft: PlanBuilder) -> None:
    """Choose `size`, `crop`, `favor_rare` and `batch_size`."""
    height, width = draft.data.height.median, draft.data.width.median
    longest, side = max(height, width), SIDES[draft.size_level]
    need = finest(draft)
    wanted = max(side, need.factor * longest)
    # Large images of small things: shrunk to one view they would show only just what they must.
    coarse = longest > 3 * side and 2 * need.factor * longest > wanted
    fits = longest <= _MORE * side or (wanted <= _MORE * side and not coarse)
    if fits and not _has_own_scale(draft):
        _whole(draft, min(wanted / longest, 1.0), need)
    else:
        _parts(draft, side, need)
    crop = draft["crop"]
    if crop and draft.data.objects:
        rare = min(draft.data.objects, key=lambda one: one.share)
        if rare.share < 0.2:
            said = f"{rare.name} has {percent(rare.share)} of the pixels: crops drawn anywhere "
            draft.choose("favor_rare", True, f"{said}would seldom show it.")
    _batch(draft)


def finest(draft: PlanBuilder) -> FinestClass:
    """Of the classes that a tenth of the images hold, the one that asks for the largest images."""
    height, width = draft.data.height.median, draft.data.width.median
    known = [one for one in draft.data.objects if one.regions]
    often = [one for one in known if one.images >= max(2, _OFTEN * draft.data.looked_at)]
    found = []
    for one in often or sorted(known, key=lambda one: -one.images)[:1]:
        if is_long(one):
            only = is_thin(one) and draft.mostly_thin
            px, least = one.width_share * max(height, width), _LEAST_WIDTH_PX
            found.append(FinestClass(one, px, _LEAST_LINE_PX if only else least))
        else:
            found.append(FinestClass(one, math.sqrt(one.small_share * height * width), _LEAST_PX))
    return max(found, key=lambda need: need.least / need.px, default=FinestClass(None, 1.0, 0.0))


def _has_own_scale(draft: PlanBuilder) -> bool:
    """Whether regions are as large in small images as in large ones, as under one microscope."""
    growth = draft.data.growth
    return growth is not None and growth < _OWN_SCALE


def _whole(draft: PlanBuilder, factor: float, need: FinestClass) -> None:
    """One size for all."""
    data = draft.data
    height, width = data.height.median, data.width.median
    if need.factor < 1 and factor * max(height, width) > SIDES[draft.size_level]:
        factor = -(-factor * max(height, width) // _MULTIPLE) * _MULTIPLE / max(height, width)
    size = (_rounded(height * factor), _rounded(width * factor))
    factor = max(size) / max(height, width)
    if size == (height, width):
        said = f"{_sizes(draft)}, and stay as they are: {need.at(1)}."
    else:
        said = f"{_sizes(draft)}; at {by(size)} {need.at(factor)}."
    if data.growth is not None:
        said += f" {_widths(draft)}, and regions grow with them (as their area to the power "
        said += f"{data.growth:.1f}), so that all are stretched to one size."
    size = draft.choose("size", size, _with_size_level_reason(draft, said))
    if size is None:  # by hand: they keep their scale, and cannot be shown whole
        _cut(draft, (height, width), SIDES[draft.size_level])
    else:
        draft.choose("crop", None, "Images of that size are shown whole.")


def _parts(draft: PlanBuilder, side: int, need: FinestClass) -> None:
    """Crops, at a scale where the finest class has twice the pixels that it needs."""
    data = draft.data
    height, width = data.height.median, data.width.median
    longest = max(height, width)
    factor = max(_DETAIL * need.factor, _MORE * side / longest)
    factor = min(factor, _LARGE / longest) if 2 * need.factor * longest <= _LARGE else factor
    if _mixed(draft) <= _ALIKE and factor <= 0.75 and factor * longest <= _LARGE:
        size = (_rounded(height * factor), _rounded(width * factor))
        said = f"{_sizes(draft)}; at {by(size)} {need.at(factor)}, and crops of it are shown."
    elif _has_own_scale(draft):
        size = None
        said = f"{_widths(draft)}, but regions do not grow with them (as their area to the power "
        said += f"{data.growth:.1f}): images keep their scale, and crops are shown."
    else:
        size = None
        said = f"{_sizes(draft)}; at {side} px {need.at(side / longest)}, so that they keep their "
        said += "scale and crops are shown."
    size = draft.choose("size", size, _with_size_level_reason(draft, said))
    if "size" in draft.given and size is not None and max(size) <= _MORE * side:
        draft.choose("crop", None, "Images of that size are shown whole.")
    else:
        _cut(draft, size or (height, width), side)


def _cut(draft: PlanBuilder, shown: tuple[float, float], side: int) -> None:
    crop = max(min(side, int(min(shown))) // _MULTIPLE * _MULTIPLE, _MULTIPLE)
    part = min(crop**2 / (shown[0] * shown[1]), 1.0)
    of = by((round(shown[0]), round(shown[1])))
    said = f"A crop of {crop} px is {percent(part)} of an image of {of}"
    said += "; predictions are joined from tiles." if draft["size"] is None else "."
    draft.choose("crop", (crop, crop), said)


def _batch(draft: PlanBuilder) -> None:
    """As many images as time, their number and the memory allow."""
    shown = draft["crop"] or draft["size"]
    pixels = shown[0] * shown[1]
    most = _BATCHES.get(draft.size_level, 16)
    if draft.data.training < 16:
        most = min(most, 8)
    bytes_a_pixel = _BYTES_A_PIXEL.get(draft["decoder"], _MORE_BYTES)
    room = _MEMORY_SHARE * draft.machine.memory_mb * 1e6 / bytes_a_pixel
    batch = most
    reason = f"Images of {by(shown)} train well in this number"
    if draft.data.training < 16:
        reason = f"Small, since there are {draft.data.training} training images"
    elif most < 16:
        reason = draft.size_level_reason.removesuffix(".")
    while batch > 2 and batch * pixels > 1.25 * most * SIDES[max(draft.size_level, -1)] ** 2:
        batch //= 2
        reason = f"Small, since each image has {pixels:,} pixels"
    while batch > 1 and batch * pixels > room:
        batch //= 2
        reason = f"Small, to fit into {draft.machine.memory_mb / 1000:.1f} GB of free memory"
    took = ""
    if draft.timing is not None and draft.timing.memory_mb:
        took = f"; measured: {draft.timing.memory_mb / 1000:.1f} GB more at its peak"
    draft.choose("batch_size", batch, f"{reason}{took}.")
    if (decoded := _decoded_mb(draft)) > 0.3 * draft.machine.memory_mb:
        limit = max(int(0.3 * draft.machine.memory_mb), 64)
        said = f"{draft.data.training:,} decoded images take {decoded / 1000:,.1f} GB"
        draft.choose("memory_limit_mb", limit, f"{said}, more than the memory has room for.")


def _decoded_mb(draft: PlanBuilder) -> float:
    """Of the training images, at the size at which they are kept."""
    size = draft["size"] or (draft.data.height.median, draft.data.width.median)
    bytes_each = {"uint8": 1, "uint16": 2}.get(draft.data.dtype, 4) * draft.data.channels + 1
    return float(size[0] * size[1] * bytes_each * draft.data.training / 1e6)


def _sizes(draft: PlanBuilder) -> str:
    """What sizes there are, the start of a sentence."""
    data = draft.data
    height, width = data.usual_size
    if data.usual_share == 1:
        return f"All images are {by(data.usual_size)}"
    if data.usual_share >= 0.3 and max(height, width) * 1.2 > max(
        data.height.median, data.width.median
    ):
        return f"{percent(data.usual_share)} of the images are {by(data.usual_size)}"
    median = by((round(data.height.median), round(data.width.median)))
    return f"Images are {median} in the median"


def _widths(draft: PlanBuilder) -> str:
    width = draft.data.width
    return f"Images are {width.least:.0f} to {width.most:.0f} px wide"


def _with_size_level_reason(draft: PlanBuilder, said: str) -> str:
    return f"{said} {draft.size_level_reason}" if SIDES[draft.size_level] != SIDES[0] else said


def _mixed(draft: PlanBuilder) -> float:
    def ratio(spread: Summary) -> float:
        return spread.most / spread.least

    return max(ratio(draft.data.height), ratio(draft.data.width))


def _rounded(length: float) -> int:
    return max(round(length / _MULTIPLE), 1) * _MULTIPLE
