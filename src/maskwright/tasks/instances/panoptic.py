"""Single objects and classes of pixels merged: every pixel belongs to one segment."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskwright.errors import ConfigError
from maskwright.inference.predictor import Prediction
from maskwright.instances import Instances
from maskwright.labels import Labels

_STUFF_SHARE = 4096 / (640 * 480)
"""Of an image, that a segment of stuff has at least: Detectron2's pixels, of an image of COCO."""


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


class Merger:
    """Objects of one model and classes of another, merged for any image.

    A class that both models name belongs to the objects; the others of the model of masks, but for
    its background, are stuff, and follow the classes of the objects in number.

    Args:
        things: Classes of the objects, background first.
        draw: Model of masks.
        classes: Its classes.
        background: Its label of the background, if it has one.

    Raises:
        ConfigError: If the model of masks draws nothing but what the objects are.
    """

    def __init__(
        self,
        things: Labels,
        draw: Callable[[np.ndarray], Prediction],
        classes: Labels,
        background: int | None,
    ) -> None:
        self._draw = draw
        self._first = things.num_classes
        new = [
            label
            for label, name in enumerate(classes.names)
            if label != background and name not in things.names
        ]
        if not new:
            raise ConfigError(
                f"Expected a model of masks with classes beside those of the objects, "
                f"{', '.join(things.names[1:])}; it has {', '.join(classes.names)}: give another."
            )
        self.labels = Labels(
            (*things.names, *(classes.names[label] for label in new)),
            (*things.colors, *(classes.colors[label] for label in new)),
        )
        self._table = np.zeros(classes.num_classes, np.int32)
        self._table[new] = np.arange(self._first, self.labels.num_classes)

    def __call__(self, image: np.ndarray, objects: Instances) -> Panoptic:
        """Segments of an image `(h, w, c)` in whose size the objects are."""
        drawn = self._table[self._draw(image).labels]
        stuff = range(self._first, self.labels.num_classes)
        least = round(_STUFF_SHARE * drawn.size)
        # The card of the objects has said which of them are sure enough.
        return merge(objects, drawn, stuff, score=0.0, stuff_area_px=least)

    def categories(self) -> list[dict[str, Any]]:
        """Entries of COCO's panoptic JSON for the classes."""
        return [
            {"id": label, "name": name, "isthing": int(label < self._first)}
            for label, name in enumerate(self.labels.names)
            if label
        ]


def as_colors(ids: np.ndarray) -> np.ndarray:
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
