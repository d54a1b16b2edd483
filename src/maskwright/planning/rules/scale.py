"""Rules for the input: image size and crops."""

import math
from dataclasses import dataclass
from typing import Any

from maskwright.planning.plan_builder import SIDES, PlanBuilder, by, number, percent
from maskwright.planning.stats.dataset_stats import ClassStats

_WHOLE_FACTOR = 1.5  # images of up to this times the side of the size level are used whole
_MIN_PX = 6  # across a small region: three cells of features at stride 2
_MIN_WIDTH_PX = 2  # of a class of lines
_MIN_LINE_PX = 3  # if lines are the majority of the classes
_CROP_DETAIL = 3  # resolution of crops relative to the minimum of the finest class
_FREQUENT = 0.1  # fraction of the images; rarer classes do not determine the scale
_FIXED_SCALE = 0.5  # area exponent below which region size does not depend on image size
_MULTIPLE = 32  # coarsest stride
_SIMILAR = 1.25  # ratio of the largest to the smallest image that one size does not distort
_MAX_WHOLE = 1024  # longer side up to which images that are trained on crops are predicted whole
_RARE = 0.2


@dataclass(frozen=True)
class FinestClass:
    """The class that is lost first when images are downscaled.

    Args:
        px: Diameter of its small regions, or width of its lines, at the median image size.
    """

    stats: ClassStats | None
    px: float
    min_px: float

    @property
    def factor(self) -> float:
        """Smallest acceptable scale factor, at most 1."""
        return min(self.min_px / self.px, 1.0) if self.stats else 0.0

    def at(self, factor: float) -> str:
        """Clause on its size after scaling by a factor."""
        if self.stats is None:
            return "no region was measured"
        size = number(self.px * factor)
        if self.stats.is_long:
            return f"{self.stats.name}, the finest class, is {size} px wide"
        return f"small regions of {self.stats.name}, the finest class, are {size} px across"


def plan_scale(draft: PlanBuilder) -> None:
    """Choose `size` and `crop`."""
    longest, side = max(draft.data.median_size), draft.size_level.side
    finest = finest_class(draft)
    target = max(side, finest.factor * longest)
    # Large images with small regions: at the size of one view, they keep the bare minimum.
    coarse = longest > 3 * side and 2 * finest.factor * longest > target
    limit = _WHOLE_FACTOR * side
    fits = longest <= limit or (target <= limit and not coarse)
    if fits and not _has_fixed_scale(draft):
        _plan_whole_images(draft, min(target / longest, 1.0), finest)
    else:
        _plan_crops(draft, finest)


def finest_class(draft: PlanBuilder) -> FinestClass:
    """The class that needs the largest images, among those in at least a tenth of the images."""
    height, width = draft.data.median_size
    known = [each for each in draft.data.foreground if each.regions]
    min_images = max(2, _FREQUENT * draft.data.images_read)
    frequent = [each for each in known if each.images >= min_images]
    candidates = []
    for stats in frequent or sorted(known, key=lambda each: -each.images)[:1]:
        px, min_px = math.sqrt(stats.small_area_share * height * width), _MIN_PX
        if stats.is_long:
            px = stats.width_share * max(height, width)
            min_px = _MIN_LINE_PX if stats.is_thin and draft.thin else _MIN_WIDTH_PX
        candidates.append(FinestClass(stats, px, min_px))
    return max(candidates, key=lambda c: c.min_px / c.px, default=FinestClass(None, 1.0, 0.0))


def _has_fixed_scale(draft: PlanBuilder) -> bool:
    """Whether region size does not depend on image size, as at a fixed magnification."""
    exponent = draft.data.area_exponent
    return exponent is not None and exponent < _FIXED_SCALE


def _plan_whole_images(draft: PlanBuilder, factor: float, finest: FinestClass) -> None:
    """Resize all images to one size."""
    data = draft.data
    height, width = data.median_size
    longest = max(height, width)
    if finest.factor < 1 and factor * longest > draft.size_level.side:
        factor = -(-factor * longest // _MULTIPLE) * _MULTIPLE / longest
    size = (_rounded(height * factor), _rounded(width * factor))
    factor = max(size) / longest
    if size == (height, width):
        reason = f"{_sizes(draft)} and keep this size: {finest.at(1)}."
    else:
        reason = f"{_sizes(draft)}; at {by(size)}, {finest.at(factor)}."
    if data.area_exponent is not None:
        reason += f" {_widths(draft)}, and region area grows with image area (to the power "
        reason += f"{data.area_exponent:.1f}): all images are resized to one size."
    size = _choose_size(draft, size, reason)
    if size is None:  # set by the user: images keep their size, and training needs crops
        _choose_crop(draft, (height, width))
    else:
        draft.choose("crop", None, "Images of this size are used whole.")


def _plan_crops(draft: PlanBuilder, finest: FinestClass) -> None:
    """Train on crops, at a scale with three times the minimum resolution of the finest class."""
    data, side = draft.data, draft.size_level.side
    height, width = data.median_size
    longest = max(height, width)
    factor = max(_CROP_DETAIL * finest.factor, _WHOLE_FACTOR * side / longest)
    if 2 * finest.factor * longest <= _MAX_WHOLE:
        factor = min(factor, _MAX_WHOLE / longest)
    ratio = max(sides.maximum / sides.minimum for sides in (data.height, data.width))
    if ratio <= _SIMILAR and factor <= 0.75 and factor * longest <= _MAX_WHOLE:
        size = (_rounded(height * factor), _rounded(width * factor))
        reason = f"{_sizes(draft)}; at {by(size)}, {finest.at(factor)}. Training uses crops."
    elif _has_fixed_scale(draft):
        size = None
        reason = f"{_widths(draft)}, but region area does not grow with image area (to the power "
        reason += f"{data.area_exponent:.1f}): images keep their size, and training uses crops."
    else:
        size = None
        reason = f"{_sizes(draft)}; at {side} px, {finest.at(side / longest)}: images keep their "
        reason += "size, and training uses crops."
    size = _choose_size(draft, size, reason)
    if "size" in draft.given and size is not None and max(size) <= _WHOLE_FACTOR * side:
        draft.choose("crop", None, "Images of this size are used whole.")
    else:
        _choose_crop(draft, size or (height, width))


def _choose_size(draft: PlanBuilder, size: tuple[int, int] | None, reason: str) -> Any:
    if draft.size_level.side != SIDES[0]:
        reason += f" {draft.size_level.reason}"
    return draft.choose("size", size, reason)


def _choose_crop(draft: PlanBuilder, image: tuple[float, float]) -> None:
    side = min(draft.size_level.side, int(min(image)))
    crop = max(side // _MULTIPLE * _MULTIPLE, _MULTIPLE)
    share = min(crop**2 / (image[0] * image[1]), 1.0)
    image_size = by((round(image[0]), round(image[1])))
    reason = f"A crop of {crop} px is {percent(share)} of an image of {image_size}"
    reason += "; predictions are merged from tiles." if draft["size"] is None else "."
    draft.choose("crop", (crop, crop), reason)


def plan_crop_position(draft: PlanBuilder) -> None:
    """Choose `favor_rare`."""
    if not draft["crop"] or not draft.data.foreground:
        return
    rare = min(draft.data.foreground, key=lambda each: each.share)
    if rare.share < _RARE:
        reason = f"{rare.name} covers {percent(rare.share)} of the pixels: crops at random "
        draft.choose("favor_rare", True, f"{reason}positions would rarely contain it.")


def _sizes(draft: PlanBuilder) -> str:
    """Clause on the image sizes, which starts a sentence."""
    data = draft.data
    if data.modal_share == 1:
        return f"All images are {by(data.modal_size)}"
    if data.modal_share >= 0.3 and max(data.modal_size) * 1.2 > max(data.median_size):
        return f"{percent(data.modal_share)} of the images are {by(data.modal_size)}"
    height, width = data.median_size
    return f"The median image size is {by((round(height), round(width)))}"


def _widths(draft: PlanBuilder) -> str:
    width = draft.data.width
    return f"Image widths range from {width.minimum:.0f} to {width.maximum:.0f} px"


def _rounded(length: float) -> int:
    return max(round(length / _MULTIPLE), 1) * _MULTIPLE
