"""What may be cleaned out of predicted masks, as far as the true ones say."""

from maskwright.planning.plan_builder import PlanBuilder

_LEAST_IMAGES = 20
_LEAST_REGIONS = 50


def plan_postprocessing(draft: PlanBuilder) -> None:
    """Choose `min_area_px`, `fill_holes_px` and `keep_largest` where true masks support them."""
    data = draft.data
    objects = [one for one in data.objects if one.regions]
    regions = sum(one.regions for one in objects)
    if not objects or data.background is None:
        return
    smallest = min(objects, key=lambda one: one.smallest_px)
    if regions >= _LEAST_REGIONS and smallest.smallest_px >= 4:
        said = f"The smallest of {regions:,} true regions, of {smallest.name}, has "
        said += f"{smallest.smallest_px:,} px; half of that."
        draft.choose("min_area_px", smallest.smallest_px // 2, said)
    if not data.holes and regions >= _LEAST_REGIONS:
        median = int(min(one.area_px for one in objects))
        said = f"None of {regions:,} true regions has a hole; up to the area of a usual one."
        draft.choose("fill_holes_px", median, said)
    elif data.smallest_hole_px >= 4:
        said = f"The smallest of {data.holes:,} true holes has {data.smallest_hole_px:,} px; half."
        draft.choose("fill_holes_px", data.smallest_hole_px // 2, said)
    fewest = min(one.images for one in objects)
    if all(one.most_regions == 1 for one in objects) and fewest >= _LEAST_IMAGES:
        what = objects[0].name if len(objects) == 1 else "each class"
        said = f"In all {data.looked_at:,} true masks {what} is one region, where it is there."
        draft.choose("keep_largest", True, said)
