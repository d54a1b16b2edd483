"""Rules for postprocessing, derived from the regions of the ground truth."""

from maskwright.planning.plan_builder import PlanBuilder, plural
from maskwright.planning.stats.dataset_stats import ClassStats

_MIN_IMAGES = 20
_MIN_REGIONS = 50
_MIN_AREA_PX = 4


def plan_min_area(draft: PlanBuilder) -> None:
    """Choose `min_area_px`."""
    classes, regions = _measured(draft)
    if regions < _MIN_REGIONS:
        return
    smallest = min(classes, key=lambda each: each.min_area_px)
    if smallest.min_area_px >= _MIN_AREA_PX:
        reason = f"Half the area of the smallest of {regions:,} ground truth components "
        reason += f"({smallest.name}, {smallest.min_area_px:,} px)."
        draft.choose("min_area_px", smallest.min_area_px // 2, reason)


def plan_fill_holes(draft: PlanBuilder) -> None:
    """Choose `fill_holes_px`."""
    data = draft.data
    classes, regions = _measured(draft)
    if not classes:
        return
    if not data.holes and regions >= _MIN_REGIONS:
        median = int(min(each.median_area_px for each in classes))
        reason = f"None of {regions:,} ground truth components has a hole; holes up to the median "
        draft.choose("fill_holes_px", median, f"{reason}component area are filled.")
    elif data.smallest_hole_px >= _MIN_AREA_PX:
        reason = f"Half the area of the smallest of {plural(data.holes, 'ground truth hole')} "
        reason += f"({data.smallest_hole_px:,} px)."
        draft.choose("fill_holes_px", data.smallest_hole_px // 2, reason)


def plan_keep_largest(draft: PlanBuilder) -> None:
    """Choose `keep_largest`."""
    classes, _ = _measured(draft)
    if not classes or any(each.max_regions > 1 for each in classes):
        return
    if min(each.images for each in classes) >= _MIN_IMAGES:
        name = classes[0].name if len(classes) == 1 else "each class"
        reason = f"In all {draft.data.images_read:,} ground truth masks, {name} is at most one "
        draft.choose("keep_largest", True, f"{reason}component.")


def _measured(draft: PlanBuilder) -> tuple[list[ClassStats], int]:
    """Classes with measured regions, and their number of regions; none without a background."""
    if draft.data.background is None:
        return [], 0
    classes = [each for each in draft.data.foreground if each.regions]
    return classes, sum(each.regions for each in classes)


RULES = (plan_min_area, plan_fill_holes, plan_keep_largest)
"""Rules of this module, in order."""
