"""Rules that follow from the ground truth masks: loss, class weights, postprocessing."""

from maskwright.planning.plan_builder import PlanBuilder, percent, plural
from maskwright.planning.stats.dataset_stats import ClassStats

_EMPTY_SHARE = 0.1  # of the masks
_RARE_FOREGROUND = 0.01  # of the pixels
_RARE_CLASS = 0.01
_MIN_IMAGES = 20
_MIN_REGIONS = 50
_MIN_AREA_PX = 4


def plan_loss(draft: PlanBuilder) -> None:
    """Choose `loss`."""
    data = draft.data
    empty = data.empty_share > _EMPTY_SHARE
    rare = data.background is not None and data.foreground_share < _RARE_FOREGROUND
    foreground = percent(data.foreground_share)
    overlap = "tversky" if rare else "dice"
    tversky = "Tversky penalizes false negatives more than false positives."
    if thin := draft.thin:
        weight = "0.3" if empty else "0.5"
        loss = f"ce+{weight}*{overlap}+{weight}*cldice"
        reason = f"{thin[0].name} is {thin[0].slenderness:.0f} times as long as wide; clDice "
        reason += "penalizes interrupted lines."
    elif empty:
        loss = f"ce+0.3*{overlap}"
        reason = (
            f"{percent(data.empty_share)} of the masks are empty, where overlap is undefined: the "
            f"overlap loss has weight 0.3 and is computed over the whole batch."
        )
        if rare:
            reason += f" Foreground covers {foreground} of the other masks; {tversky}"
    elif rare:
        loss, reason = "ce+tversky", f"Foreground covers {foreground} of the pixels; {tversky}"
    else:
        loss = "ce+dice"
        reason = "Cross-entropy fits class frequencies, Dice weights all classes equally; "
        if data.background is None:
            reason += f"the {_rarest(draft)}."
        else:
            reason += f"foreground covers {foreground} of the pixels, and "
            reason += f"{percent(data.empty_share)} of the masks are empty."
    draft.choose("loss", loss, reason)


def plan_class_weights(draft: PlanBuilder) -> None:
    """Choose `class_weights`."""
    reason = f"The {_rarest(draft)}"
    rare = draft.rarest.share < _RARE_CLASS
    if rare and len(draft.data.foreground) >= 3:
        reason += "; weights differ by a factor of at most 25."
        draft.choose("class_weights", "balanced", reason)
    else:
        reason += "; the loss accounts for that." if rare else "."
        draft.choose("class_weights", None, reason)


def _rarest(draft: PlanBuilder) -> str:
    rarest = draft.rarest
    return f"rarest class, {rarest.name}, covers {percent(rarest.share)} of the pixels"


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
