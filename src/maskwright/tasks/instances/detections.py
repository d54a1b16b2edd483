"""Detections of a Mask R-CNN as objects of the whole image, and their order."""

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np

from maskwright.instances import Instances, mask_overlaps

_SAME = 0.5  # share of the smaller of two objects in the other, from which they are one
_MOST_OBJECTS = 65535
_MASK = 0.5  # probability from which a pixel belongs to the mask of a detection


def scores_of(objects: Instances) -> np.ndarray:
    """Scores of objects; 1 for true ones."""
    return np.ones(len(objects)) if objects.scores is None else objects.scores


def by_score(objects: Instances) -> Instances:
    """Objects by falling score, as many as 16 bits tell apart."""
    return objects.take(np.argsort(-scores_of(objects), kind="stable")[:_MOST_OBJECTS])


def paste_detections(
    outputs: Mapping[str, np.ndarray], size: tuple[int, int], working: tuple[int, int]
) -> Instances:
    """Objects of one image of `size` from the outputs of a Mask R-CNN for it in size `working`.

    Masks `(1, n, s, s)` are stretched to their boxes `(1, n, 4)` bilinearly, and cut at a
    probability of 0.5.
    """
    scale = np.array([size[0] / working[0], size[1] / working[1]] * 2)
    some = outputs["scores"][0] > 0
    boxes = outputs["boxes"][0][some] * scale
    corners, masks, indices = [], [], []
    for index, (box, small) in enumerate(zip(boxes, outputs["masks"][0][some], strict=True)):
        top, left = np.floor(box[:2]).astype(int).clip(0)
        bottom, right = np.minimum(np.ceil(box[2:]).astype(int), size)
        if bottom <= top or right <= left:
            continue
        # Middles of pixels in cells of the small mask, whose own middles lie at halves.
        rows, columns = (
            (np.arange(first, last) + 0.5 - low) / max(high - low, 1e-6) * side - 0.5
            for first, last, low, high, side in (
                (top, bottom, box[0], box[2], small.shape[0]),
                (left, right, box[1], box[3], small.shape[1]),
            )
        )
        x, y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        large = cv2.remap(small, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        inside = large >= _MASK
        tall, wide = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if not tall.size:
            continue
        masks.append(inside[tall[0] : tall[-1] + 1, wide[0] : wide[-1] + 1])
        corners.append((top + tall[0], left + wide[0], top + tall[-1] + 1, left + wide[-1] + 1))
        indices.append(index)
    return Instances(
        size,
        outputs["labels"][0][some][indices].astype(np.int32),
        np.array(corners, np.int32).reshape(-1, 4),
        tuple(masks),
        np.zeros(len(indices), bool),
        outputs["scores"][0][some][indices].astype(np.float32),
    )


def to_image(objects: Instances, top: int, left: int, size: tuple[int, int]) -> Instances:
    """Objects of a window as objects of the whole image; what lies beyond it is cut off."""
    shift = np.array([top, left, top, left])
    whole = replace(objects, size=size, boxes=objects.boxes + shift)
    limits = np.array([*size, *size])
    if (whole.boxes <= limits).all():
        return replace(whole, boxes=whole.boxes.astype(np.int32))
    boxes = np.minimum(whole.boxes, limits).astype(np.int32)
    sizes = (boxes[:, 2:] - boxes[:, :2]).tolist()
    masks = [mask[:tall, :wide] for mask, (tall, wide) in zip(whole.masks, sizes, strict=True)]
    return replace(whole, boxes=boxes, masks=tuple(masks)).at_least()


def join_tiles(parts: list[Instances], size: tuple[int, int]) -> Instances:
    """Objects of overlapping tiles as those of one image, each once.

    Of two of a class, from different tiles, of which the smaller lies in the other by half, the
    larger stays: the smaller is what a tile has cut off, or the same again.
    """
    everything = Instances(
        size,
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.boxes for part in parts]),
        tuple(mask for part in parts for mask in part.masks),
        np.concatenate([part.crowd for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
    tile = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    areas = everything.areas
    shared = mask_overlaps(everything, everything)
    smaller = np.minimum(areas[:, None], areas[None])
    same = (shared > _SAME * smaller) & (tile[:, None] != tile[None])
    same &= everything.labels[:, None] == everything.labels[None]
    remaining = np.ones(len(everything), bool)
    for index in np.argsort(-areas, kind="stable"):
        if remaining[index]:
            remaining[same[index] & (areas <= areas[index])] = False
            remaining[index] = True
    return everything.take(remaining)
