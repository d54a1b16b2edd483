"""Single objects and classes of pixels merged: every pixel belongs to one segment."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.instances import Instances


@dataclass(frozen=True)
class Segment:
    """A part of an image: one object, or all pixels of a class that has no objects.

    Args:
        number: Value of its pixels, from 1.
        label: Its class.
        is_thing: Whether it is an object.
        area_px: Its pixels.
        score: Of the object; `None` for a class.
    """

    number: int
    label: int
    is_thing: bool
    area_px: int
    score: float | None = None


@dataclass(frozen=True, eq=False)
class Panoptic:
    """Segments of one image.

    Args:
        ids: Number of the segment of each pixel, int32 `(h, w)`; 0 where nothing was sure.
        segments: In the order of their numbers.
    """

    ids: np.ndarray
    segments: tuple[Segment, ...]

    def instances(self) -> Instances:
        """Segments as objects, so that `metrics.instances.tally_objects` gives panoptic quality."""
        objects = Instances.from_ids(self.ids)
        labels = np.array([segment.label for segment in self.segments], np.int32)
        numbers = np.unique(self.ids[self.ids > 0])
        return Instances(
            objects.size, labels[numbers - 1], objects.boxes, objects.masks, objects.crowd
        )


def merge(
    objects: Instances,
    classes: np.ndarray,
    stuff: Collection[int],
    *,
    overlap: float = 0.5,
    score: float = 0.5,
    stuff_area_px: int = 4096,
) -> Panoptic:
    """Merge objects with a mask of classes.

    The surest object comes first. Of each, the pixels that are still free become a segment; it is
    dropped where more than `overlap` of it is taken. What then is free goes to the classes in
    `stuff`, a segment for each, unless it has too few pixels.

    Args:
        objects: With scores; of any classes that are no stuff.
        classes: Labels `(h, w)`.
        stuff: Classes without objects.
        overlap: Share of an object that surer ones may hide.
        score: Least score of an object.
        stuff_area_px: Fewest pixels of a segment of stuff.

    Source: Kirillov et al., Panoptic feature pyramid networks, 2019, with the defaults of
    Detectron2.
    """
    ids = np.zeros(objects.size, np.int32)
    segments: list[Segment] = []
    scores = np.ones(len(objects)) if objects.scores is None else objects.scores
    for place in np.argsort(-scores, kind="stable"):
        if scores[place] < score:
            break
        top, left, bottom, right = objects.boxes[place]
        window, mask = ids[top:bottom, left:right], objects.masks[place]
        area = int(mask.sum())
        free = mask & (window == 0)
        kept = int(free.sum())
        if not kept or area - kept > overlap * area:
            continue
        number, label = len(segments) + 1, int(objects.labels[place])
        window[free] = number
        segments.append(Segment(number, label, True, kept, float(scores[place])))
    for label in sorted(stuff):
        free = (classes == label) & (ids == 0)
        area = int(free.sum())
        if area and area >= stuff_area_px:
            ids[free] = len(segments) + 1
            segments.append(Segment(len(segments) + 1, label, False, area))
    return Panoptic(ids, tuple(segments))


def as_colours(ids: np.ndarray) -> np.ndarray:
    """Numbers `(h, w)` as COCO's panoptic PNGs hold them: red + 256 green + 65536 blue, uint8."""
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)


def to_coco(name: str, image_id: int, found: Panoptic) -> dict[str, Any]:
    """Entry of COCO's panoptic JSON for one image, whose PNG is called `name`."""
    return {
        "image_id": image_id,
        "file_name": name,
        "segments_info": [
            {
                "id": one.number,
                "category_id": one.label,
                "area": one.area_px,
                "iscrowd": 0,
                **({} if one.score is None else {"score": round(one.score, 6)}),
            }
            for one in found.segments
        ],
    }
