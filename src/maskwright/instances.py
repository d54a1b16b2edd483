"""Objects of one image: class, box, mask and score of each; masks may overlap."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from maskwright.errors import DataError
from maskwright.rle import decode_rle, encode_rle


@dataclass(frozen=True, eq=False)
class Instances:
    """Objects of one image, each with a small mask in its box.

    Args:
        size: Height and width of the image, px.
        labels: Classes, int32 `(n,)`.
        boxes: Smallest boxes around the masks, int32 `(n, 4)`: top, left, bottom, right, in px; the
            last two are the first row and column outside. An empty mask has a box without area.
        masks: Mask of each object within its box, bool `(bottom - top, right - left)`.
        crowd: Whether each is a region of many objects not annotated singly, bool `(n,)`.
        scores: Confidences, float32 `(n,)`; `None` for ground truth.
    """

    size: tuple[int, int]
    labels: np.ndarray
    boxes: np.ndarray
    masks: tuple[np.ndarray, ...]
    crowd: np.ndarray
    scores: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.masks)

    @classmethod
    def from_masks(
        cls,
        masks: Iterable[np.ndarray],
        size: tuple[int, int],
        labels: Sequence[int] | np.ndarray | None = None,
        *,
        crowd: Sequence[bool] | np.ndarray | None = None,
        scores: Sequence[float] | np.ndarray | None = None,
    ) -> "Instances":
        """Objects from a mask of the whole image `(h, w)` for each, not zero inside.

        All are of class 1, and none is a crowd, unless given. `DataError` for a mask of another
        size.
        """
        boxes, crops = [], []
        for mask in masks:
            if mask.shape != size:
                raise DataError(
                    f"Expected the mask of an object to be as large as its image, {size[0]}x"
                    f"{size[1]}; received {'x'.join(map(str, mask.shape))}."
                )
            inside = mask.astype(bool)
            left, top, width, height = cv2.boundingRect(inside.view(np.uint8))
            boxes.append((top, left, top + height, left + width))
            crops.append(inside[top : top + height, left : left + width].copy())
        number = len(crops)
        return cls(
            size,
            np.ones(number, np.int32) if labels is None else np.asarray(labels, np.int32),
            np.array(boxes, np.int32).reshape(-1, 4),
            tuple(crops),
            np.zeros(number, bool) if crowd is None else np.asarray(crowd, bool),
            None if scores is None else np.asarray(scores, np.float32),
        )

    @classmethod
    def from_ids(
        cls,
        ids: np.ndarray,
        classes: np.ndarray | None = None,
        scores: Sequence[float] | np.ndarray | None = None,
    ) -> "Instances":
        """Objects of an image of object ids `(h, w)`, in the order of the ids; background is <= 0.

        An object has the class of most of its pixels in `classes` `(h, w)`, by default 1; `scores`
        are in the order of the ids.
        """
        places = np.flatnonzero(ids > 0)
        values, which = np.unique(ids.ravel()[places], return_inverse=True)
        rows, columns = np.divmod(places, ids.shape[1])
        number = len(values)
        starts, ends = np.full((2, number), ids.size), np.zeros((2, number), int)
        for axis, coordinates in enumerate((rows, columns)):
            np.minimum.at(starts[axis], which, coordinates)
            np.maximum.at(ends[axis], which, coordinates + 1)
        boxes = np.concatenate([starts, ends]).T.astype(np.int32)
        masks = tuple(
            ids[top:bottom, left:right] == value
            for value, (top, left, bottom, right) in zip(values, boxes.tolist(), strict=True)
        )
        labels = np.ones(number, np.int32)
        if classes is not None and number:
            most = int(classes.max()) + 1
            codes = which * most + classes.ravel()[places]
            counts = np.bincount(codes, minlength=number * most).reshape(number, most)
            labels = counts.argmax(axis=1).astype(np.int32)
        confidence = None if scores is None else np.asarray(scores, np.float32)
        return cls(ids.shape[:2], labels, boxes, masks, np.zeros(number, bool), confidence)

    @classmethod
    def from_json(cls, text: str) -> "Instances":
        """Objects from the text of `to_json`; `DataError` for anything else."""
        try:
            values = json.loads(text)
            size = (int(values["size"][0]), int(values["size"][1]))
            objects = values["objects"]
            return cls.from_masks(
                (decode_rle(item["counts"], size) for item in objects),
                size,
                [int(item["label"]) for item in objects],
                crowd=[bool(item.get("crowd", False)) for item in objects],
            )
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as error:
            raise DataError(f"Expected objects as `to_json` writes them: {error!r}.") from None

    def to_json(self) -> str:
        """Size, classes and run lengths of ground truth, as JSON that `from_json` reads back."""
        objects = [
            {
                "label": int(self.labels[place]),
                "counts": encode_rle(mask, tuple(self.boxes[place, :2]), self.size)["counts"],
                **({"crowd": True} if self.crowd[place] else {}),
            }
            for place, mask in enumerate(self.masks)
        ]
        return json.dumps({"size": list(self.size), "objects": objects})

    @property
    def areas(self) -> np.ndarray:
        """Areas, px, int64 `(n,)`."""
        return np.array([np.count_nonzero(mask) for mask in self.masks], np.int64)

    def mask(self, index: int) -> np.ndarray:
        """Mask of an object in the whole image, bool `(h, w)`."""
        top, left, bottom, right = self.boxes[index]
        whole = np.zeros(self.size, bool)
        whole[top:bottom, left:right] = self.masks[index]
        return whole

    def at_least(self, score: float = 0.0, area_px: int = 1) -> "Instances":
        """Objects of at least this score and area; ground truth passes any score."""
        enough = self.areas >= area_px
        if self.scores is not None:
            enough &= self.scores >= score
        return self.take(enough)

    def take(self, indices: Sequence[int] | np.ndarray) -> "Instances":
        """The objects at some indices, or where a bool array `(n,)` is true."""
        places = np.arange(len(self))[np.asarray(indices, None if len(indices) else int)]
        return Instances(
            self.size,
            self.labels[places],
            self.boxes[places],
            tuple(self.masks[place] for place in places),
            self.crowd[places],
            None if self.scores is None else self.scores[places],
        )

    def with_crowds(self, region: np.ndarray, num_classes: int) -> "Instances":
        """Ground truth with a crowd of each class over a region `(h, w)` that is not to count."""
        labels = [*self.labels, *range(num_classes)]
        masks = [*map(self.mask, range(len(self))), *[region] * num_classes]
        crowd = [*self.crowd, *[True] * num_classes]
        return Instances.from_masks(masks, self.size, labels, crowd=crowd)

    def ids(self) -> np.ndarray:
        """Id of the object at each pixel, from 1 in their order, int32 `(h, w)`; 0 is background.

        Where objects overlap, the higher score lies on top; without scores, the later object.
        """
        return self._painted(np.arange(1, len(self) + 1, dtype=np.int32))

    def classes(self) -> np.ndarray:
        """Class of the object at each pixel, int32 `(h, w)`; 0 is background."""
        return self._painted(self.labels)

    def _painted(self, values: np.ndarray) -> np.ndarray:
        canvas = np.zeros(self.size, np.int32)
        order = np.arange(len(self)) if self.scores is None else self.scores.argsort(kind="stable")
        for place in order:
            top, left, bottom, right = self.boxes[place]
            canvas[top:bottom, left:right][self.masks[place]] = values[place]
        return canvas

    def layers(self) -> np.ndarray:
        """Ids of all objects, from 1 in their order, int32 `(h, w, layers)`, nothing hidden.

        Each object lies in the first layer where it overlaps no other.
        """
        layers: list[np.ndarray] = []
        for place, (top, left, bottom, right) in enumerate(self.boxes):
            mask = self.masks[place]
            for layer in layers:
                window = layer[top:bottom, left:right]
                if not window[mask].any():
                    break
            else:
                layer = np.zeros(self.size, np.int32)
                layers.append(layer)
                window = layer[top:bottom, left:right]
            window[mask] = place + 1
        return np.stack(layers, axis=-1) if layers else np.zeros((*self.size, 1), np.int32)


def mask_overlaps(first: Instances, second: Instances) -> np.ndarray:
    """Pixels that each of `first` shares with each of `second`, int64 `(n, m)`."""
    shared = np.zeros((len(first), len(second)), np.int64)
    if not shared.size:
        return shared
    ours, theirs = first.boxes[:, None], second.boxes[None]
    corner = np.maximum(ours[..., :2], theirs[..., :2])
    end = np.minimum(ours[..., 2:], theirs[..., 2:])
    for i, j in np.argwhere((corner < end).all(axis=-1)):
        (top, left), (bottom, right) = corner[i, j], end[i, j]
        crops = [
            objects.masks[place][top - row : bottom - row, left - column : right - column]
            for objects, place in ((first, i), (second, j))
            for row, column in [objects.boxes[place, :2]]
        ]
        shared[i, j] = np.count_nonzero(crops[0] & crops[1])
    return shared
