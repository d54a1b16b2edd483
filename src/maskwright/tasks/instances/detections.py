"""Outputs of detectors as objects of the whole image, and their suppression by masks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from maskwright.instances import Instances, mask_overlaps
from maskwright.types import MASK_STRIDE

_MOST_OBJECTS = 65535
_SURE = 0.95  # probability from which the outline of a mask is far
_ROUNDING = 1e-6  # of probabilities that count as equal
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
    """Objects of one image of `size` from the outputs of a detector for it in size `working`.

    Masks `(1, n, s, s)` of a Mask R-CNN are stretched to their boxes `(1, n, 4)`; those of a
    CondInst, `(1, n, h, w)`, which has no boxes, cover the working image, in cells of
    `MASK_STRIDE`, and are refined by its `pixels`, see `_refined`. All are interpolated bilinearly.
    """
    scale = np.array([size[0] / working[0], size[1] / working[1]] * 2)
    some = np.flatnonzero(outputs["scores"][0] > 0)
    small = outputs["masks"][0][some]
    if "boxes" in outputs:
        grids = windows = outputs["boxes"][0][some] * scale
    else:
        sides = np.array(small.shape[1:]) * MASK_STRIDE
        grids = np.tile(np.array([0, 0, *sides]) * scale, (len(some), 1))
        windows = np.array([_cells_above(mask, _MASK) for mask in small]).reshape(-1, 4)
        windows = windows * MASK_STRIDE * scale
    if "pixels" in outputs:
        highest = _highest(small, grids, size)
    corners, masks, indices = [], [], []
    for place, (grid, window) in enumerate(zip(grids, windows, strict=True)):
        top, left = np.floor(window[:2]).astype(int).clip(0)
        bottom, right = np.minimum(np.ceil(window[2:]).astype(int), size)
        if bottom <= top or right <= left:
            continue
        inside = _enlarged(small[place], grid, (top, left, bottom, right))
        if "pixels" in outputs:
            label = outputs["labels"][0][some[place]]
            fine = _enlarged(outputs["pixels"][0][..., label - 1], grid, (top, left, bottom, right))
            inside = _refined(inside, fine, highest[top:bottom, left:right])
        else:
            inside = inside >= _MASK
        tall, wide = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if not tall.size:
            continue
        masks.append(inside[tall[0] : tall[-1] + 1, wide[0] : wide[-1] + 1])
        corners.append((top + tall[0], left + wide[0], top + tall[-1] + 1, left + wide[-1] + 1))
        indices.append(some[place])
    return Instances(
        size,
        outputs["labels"][0][indices].astype(np.int32),
        np.array(corners, np.int32).reshape(-1, 4),
        tuple(masks),
        np.zeros(len(indices), bool),
        outputs["scores"][0][indices].astype(np.float32),
    )


def _highest(small: np.ndarray, grids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Highest probability that masks `(n, h, w)`, whose cells cover `grids`, have at each pixel of
    an image of `size`; 0 where none is above `1 - _SURE`, which decides nothing.
    """
    highest = np.zeros(size, np.float32)
    for mask, grid in zip(small, grids, strict=True):
        cell = (grid[2:] - grid[:2]) / mask.shape
        low, high = np.reshape(_cells_above(mask, 1 - _SURE), (2, 2)) * cell
        top, left = np.floor(low).astype(int).clip(0)
        bottom, right = np.minimum(np.ceil(high).astype(int), size)
        if bottom > top and right > left:
            part = highest[top:bottom, left:right]
            np.maximum(part, _enlarged(mask, grid, (top, left, bottom, right)), out=part)
    return highest


def _refined(mask: np.ndarray, pixels: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Pixels of an object, bool, from the coarse probability of its mask, the fine one of its class
    and the highest coarse one of all objects.

    Inside, where the mask is sure, nothing changes. Along its outline the class decides, by the sum
    of both logits, but never for pixels where the mask of another object is more probable.
    """
    sure = mask >= _SURE
    outline = (mask > 1 - _SURE) & (_logit(mask) + _logit(pixels) >= 0)
    return sure | (outline & ((mask >= _MASK) | (mask >= highest - _ROUNDING)))


def _logit(probability: np.ndarray) -> np.ndarray:
    limited = np.clip(probability, 1e-4, 1 - 1e-4)
    result: np.ndarray = np.log(limited / (1 - limited))
    return result


def _cells_above(mask: np.ndarray, probability: float) -> tuple[int, int, int, int]:
    """Cells of a mask from a probability on, and one more to each side: top, left, bottom, right;
    zeros where there are none.
    """
    left, top, width, height = cv2.boundingRect((mask >= probability).astype(np.uint8))
    if not width:
        return 0, 0, 0, 0
    return top - 1, left - 1, top + height + 1, left + width + 1


def _enlarged(
    small: np.ndarray, grid: Sequence[float], window: tuple[int, int, int, int]
) -> np.ndarray:
    """Probabilities at the middles of the pixels of a window, of a mask whose cells cover `grid`;
    both are top, left, bottom, right, px.
    """
    rows, columns = (
        # The middles of cells lie at halves.
        (np.arange(first, last) + 0.5 - low) / max(high - low, 1e-6) * side - 0.5
        for first, last, low, high, side in (
            (window[0], window[2], grid[0], grid[2], small.shape[0]),
            (window[1], window[3], grid[1], grid[3], small.shape[1]),
        )
    )
    x, y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return cv2.remap(small, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def best_candidates(outputs: Mapping[str, np.ndarray], iou: float) -> dict[str, np.ndarray]:
    """Outputs of a CondInst for one image without the candidates that `suppressed` leaves out, at
    the size of its masks.
    """
    masks = outputs["masks"][0]
    flat = (masks >= _MASK).reshape(len(masks), -1).astype(np.float32)
    scores = np.where(flat.any(axis=1), outputs["scores"][0], 0)
    remaining = suppressed(flat @ flat.T, scores, outputs["labels"][0], iou)
    return {
        name: values if name == "pixels" else values[:, remaining]
        for name, values in outputs.items()
    }


def suppress_objects(objects: Instances, iou: float) -> Instances:
    """Objects without those that `suppressed` leaves out, by their masks."""
    shared = mask_overlaps(objects, objects)
    return objects.take(suppressed(shared, scores_of(objects), objects.labels, iou))


def suppressed(
    shared: np.ndarray, scores: np.ndarray, labels: np.ndarray, iou: float
) -> np.ndarray:
    """Non-maximum suppression of masks by class: indices of the objects that remain, in order.

    From the highest score down, an object suppresses all others of its class whose masks overlap
    its own by more than `iou`. Masks, unlike boxes, tell apart people who stand close together.

    Args:
        shared: Pixels that each object shares with each, `(n, n)`; its diagonal is the areas.
        scores: `(n,)`; objects with a score of 0 are left out.
    """
    areas = np.diagonal(shared)
    union = areas[:, None] + areas[None] - shared
    same = (shared > iou * union) & (labels[:, None] == labels[None])
    remaining = scores > 0
    for index in np.argsort(-scores, kind="stable"):
        if remaining[index]:
            remaining &= ~same[index]
            remaining[index] = True
    return np.flatnonzero(remaining)


def to_image(objects: Instances, top: int, left: int, size: tuple[int, int]) -> Instances:
    """Objects of a window as objects of the whole image; what lies beyond it is cut off."""
    shift = np.array([top, left, top, left])
    whole = replace(objects, size=size, boxes=objects.boxes + shift)
    limits = np.array([*size, *size])
    if (whole.boxes <= limits).all():
        return replace(whole, boxes=whole.boxes.astype(np.int32))
    boxes = np.minimum(whole.boxes, limits).astype(np.int32)
    sizes = (boxes[:, 2:] - boxes[:, :2]).clip(0).tolist()
    masks = [mask[:tall, :wide] for mask, (tall, wide) in zip(whole.masks, sizes, strict=True)]
    return replace(whole, boxes=boxes, masks=tuple(masks)).at_least()
