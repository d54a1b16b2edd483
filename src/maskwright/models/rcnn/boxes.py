"""Boxes in a graph: codes, matching, sampling. Boxes are top, left, bottom, right.

Pixel `i` covers `i` to `i + 1`; a cell of features at stride `s` has its center at `(i + 0.5) * s`.
"""

import math
from collections.abc import Sequence

import keras
from keras import ops
from keras.utils.bounding_boxes import compute_iou, decode_deltas_to_boxes, encode_box_to_deltas

from maskwright.models.blocks import Tensor

_MOST_GROWTH = math.log(1000 / 16)  # of a side; a wild code must not overflow


def encode(boxes: Tensor, references: Tensor, weights: Sequence[float]) -> Tensor:
    """Codes of boxes by their references, `(…, 4)`: shifts and logarithms of sizes, weighted."""
    return encode_box_to_deltas(
        references, boxes, "yxyx", "yxyx", variance=[1 / weight for weight in weights]
    )


def decode(codes: Tensor, references: Tensor, weights: Sequence[float]) -> Tensor:
    """Boxes from codes; undoes `encode`. Sides grow at most 62.5 times."""
    shift, growth = ops.split(codes, 2, axis=-1)
    limited = ops.minimum(growth, _MOST_GROWTH * weights[2])
    return decode_deltas_to_boxes(
        references,
        ops.concatenate([shift, limited], axis=-1),
        "yxyx",
        "yxyx",
        variance=[1 / weight for weight in weights],
    )


def clip(boxes: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Boxes cut off at the borders of the image."""
    limits = ops.cast(ops.stack([height, width, height, width]), boxes.dtype)
    return ops.clip(boxes, ops.zeros_like(limits), limits)


def match(boxes: Tensor, true: Tensor, exist: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Match each box with the true box that it overlaps most.

    Args:
        boxes: `(n, 4)`, or `(b, n, 4)`.
        true: `(b, m, 4)`.
        exist: Whether each true box is one, bool `(b, m)`; others pad.

    Returns:
        IoU with that true box, `(b, n)`; its index, int32; and whether no other box overlaps some
        true box more, bool.
    """
    ious = compute_iou(true, boxes, "yxyx")
    ious = ops.where(exist[..., None], ious, 0.0)
    most = ops.max(ious, axis=2, keepdims=True)
    best = ops.any((ious == most) & (most > 0), axis=1)
    return ops.max(ious, axis=1), ops.argmax(ious, axis=1), best


def draw(
    positive: Tensor, negative: Tensor, number: int, most: int, seed: keras.random.SeedGenerator
) -> tuple[Tensor, Tensor, Tensor]:
    """Sample candidates: at most `most` positive ones, and negative ones up to `number`.

    `positive` and `negative` are bool `(b, n)`, and exclude each other.

    Returns:
        Indices, int32 `(b, number)`, positive ones first; and whether each is positive, and
        whether it is a sample at all, for there may be too few, bool.
    """
    # There may be fewer candidates than samples.
    positive, negative = (ops.pad(part, ((0, 0), (0, number))) for part in (positive, negative))
    keys = keras.random.uniform(ops.shape(positive), 0.5, 1.0, seed=seed)
    first, places = ops.top_k(ops.where(positive, keys, 0.0), most)
    chosen = first > 0
    taken = ops.sum(ops.cast(chosen, "int32"), axis=1, keepdims=True)
    others, other_places = ops.top_k(ops.where(negative, keys, 0.0), number)
    room = ops.arange(number, dtype="int32")[None] < number - taken
    places = ops.concatenate([places, other_places], axis=1)
    counted = ops.concatenate([chosen, (others > 0) & room], axis=1)
    kind = ops.concatenate([chosen, ops.zeros_like(others, dtype="bool")], axis=1)
    # Samples to the front, in their order.
    rank = ops.where(counted, number + most - ops.arange(number + most), 0)
    _, order = ops.top_k(rank, number)
    pick = [ops.take_along_axis(part, order, axis=1) for part in (places, kind, counted)]
    return pick[0], pick[1], pick[2]
