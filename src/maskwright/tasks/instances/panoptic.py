"""Panoptic segmentation: instances and a semantic mask merged into disjoint segments."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.errors import ConfigError
from maskwright.instances import Instances
from maskwright.labels import Labels
from maskwright.tasks.instances.detections import scores_of

_MIN_STUFF_SHARE = 4096 / (640 * 480)
"""Minimum area of stuff as a share of the image: Detectron2's pixels in an image of COCO."""


@dataclass(frozen=True)
class Segment:
    """A segment of an image: one object, or all pixels of a stuff class.

    Args:
        number: Value of its pixels, from 1.
        is_thing: Whether it is an object.
        score: Of an object; `None` for stuff.
    """

    number: int
    label: int
    is_thing: bool
    area_px: int
    score: float | None = None


@dataclass(frozen=True, eq=False)
class Panoptic:
    """Panoptic segmentation of one image; `ids` are segments of pixels, int32 `(h, w)`, or 0."""

    ids: np.ndarray
    segments: tuple[Segment, ...]

    def instances(self) -> Instances:
        """Segments as instances, of which `metrics.instances` computes panoptic quality."""
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
    """Merge instances with a semantic mask.

    Objects are placed by descending score, down to `score`. The pixels of an object that are still
    free become a segment; it is dropped where more than the share `overlap` of it is taken. Pixels
    that remain free go to the stuff classes, a segment of `stuff_area_px` or more for each.

    Source: Kirillov et al., Panoptic feature pyramid networks, 2019, with the defaults of
    Detectron2.
    """
    ids = np.zeros(objects.size, np.int32)
    segments: list[Segment] = []
    scores = scores_of(objects)
    for index in np.argsort(-scores, kind="stable"):
        if scores[index] < score:
            break
        top, left, bottom, right = objects.boxes[index]
        window, mask = ids[top:bottom, left:right], objects.masks[index]
        area = int(mask.sum())
        free = mask & (window == 0)
        visible = int(free.sum())
        if not visible or area - visible > overlap * area:
            continue
        number, label = len(segments) + 1, int(objects.labels[index])
        window[free] = number
        segments.append(Segment(number, label, True, visible, float(scores[index])))
    for label in sorted(stuff):
        free = (classes == label) & (ids == 0)
        area = int(free.sum())
        if area and area >= stuff_area_px:
            ids[free] = len(segments) + 1
            segments.append(Segment(len(segments) + 1, label, False, area))
    return Panoptic(ids, tuple(segments))


class Merger:
    """Merges instances of one model with semantic masks of another.

    The classes of the instances, background first, are things; the other classes of the semantic
    model, except for its background, are stuff, numbered after the things. Raises `ConfigError`
    if there is no stuff.
    """

    def __init__(self, things: Labels, classes: Labels, background: int | None) -> None:
        self._first_stuff = things.num_classes
        known = {*things.names, *([] if background is None else [classes.names[background]])}
        stuff = [label for label, name in enumerate(classes.names) if name not in known]
        if not stuff:
            raise ConfigError(
                f"Expected a semantic model with classes beside those of the objects, "
                f"{', '.join(things.names[1:])}; it has {', '.join(classes.names)}: give another."
            )
        self.labels = Labels(
            (*things.names, *(classes.names[label] for label in stuff)),
            (*things.colors, *(classes.colors[label] for label in stuff)),
        )
        self._table = np.zeros(classes.num_classes, np.int32)
        self._table[stuff] = np.arange(self._first_stuff, self.labels.num_classes)

    def __call__(self, objects: Instances, classes: np.ndarray) -> Panoptic:
        """Segments of an image from its instances and its labels `(h, w)` of the semantic model."""
        stuff = range(self._first_stuff, self.labels.num_classes)
        area = round(_MIN_STUFF_SHARE * classes.size)
        # Objects below the score threshold of their model's card are already removed.
        return merge(objects, self._table[classes], stuff, score=0.0, stuff_area_px=area)

    def categories(self) -> list[dict[str, Any]]:
        """Categories of COCO's panoptic JSON."""
        return [
            {"id": label, "name": name, "isthing": int(label < self._first_stuff)}
            for label, name in enumerate(self.labels.names)
            if label
        ]


def as_colors(ids: np.ndarray) -> np.ndarray:
    """Segment ids `(h, w)` in COCO's panoptic encoding: red + 256 green + 65536 blue, uint8."""
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)


def segments_info(panoptic: Panoptic) -> list[dict[str, Any]]:
    """Segments of an image as COCO's panoptic JSON holds them."""
    return [
        {
            "id": segment.number,
            "category_id": segment.label,
            "area": segment.area_px,
            "iscrowd": 0,
            **({} if segment.score is None else {"score": round(segment.score, 6)}),
        }
        for segment in panoptic.segments
    ]
