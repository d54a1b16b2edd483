"""Boxes in a graph: codes, matching, sampling, and features and true masks cut out of them.

Boxes are top, left, bottom, right, px, `(…, 4)`. Pixel `i` covers `i` to `i + 1`; a cell of
features at stride `s` has its center at `(i + 0.5) * s`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import keras
from keras import ops
from keras.utils.bounding_boxes import compute_iou, decode_deltas_to_boxes, encode_box_to_deltas

from maskwright.models.blocks import Tensor

UNIT_WEIGHTS = (1.0, 1.0, 1.0, 1.0)
_MOST_GROWTH = math.log(1000 / 16)  # of a side; a wild code must not overflow


def encode(boxes: Tensor, references: Tensor, weights: Sequence[float] = UNIT_WEIGHTS) -> Tensor:
    """Codes of boxes by their references, `(…, 4)`: shifts and logarithms of sizes, weighted."""
    variance = [1 / weight for weight in weights]
    return encode_box_to_deltas(references, boxes, "yxyx", "yxyx", variance=variance)


def decode(codes: Tensor, references: Tensor, weights: Sequence[float] = UNIT_WEIGHTS) -> Tensor:
    """Boxes from codes; undoes `encode`. Sides grow at most 62.5 times."""
    shift, growth = ops.split(codes, 2, axis=-1)
    limited = ops.concatenate([shift, ops.minimum(growth, _MOST_GROWTH * weights[2])], axis=-1)
    variance = [1 / weight for weight in weights]
    return decode_deltas_to_boxes(references, limited, "yxyx", "yxyx", variance=variance)


def clip(boxes: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Boxes cut off at the borders of the image."""
    limits = ops.cast(ops.stack([height, width, height, width]), boxes.dtype)
    return ops.clip(boxes, ops.zeros_like(limits), limits)


def match(boxes: Tensor, true: Tensor, exist: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Match each box, `(n, 4)` or `(b, n, 4)`, with the true box that it overlaps most.

    True boxes are `(b, m, 4)`; `exist` is whether each is one, bool `(b, m)`, others pad.

    Returns:
        IoU with that true box, `(b, n)`; its index, int32; and whether no other box overlaps some
        true box more, bool.
    """
    ious = compute_iou(true, boxes, "yxyx")
    ious = ops.where(exist[..., None], ious, 0.0)
    most = ops.max(ious, axis=2, keepdims=True)
    best = ops.any((ious == most) & (most > 0), axis=1)
    return ops.max(ious, axis=1), ops.argmax(ious, axis=1), best


def counted_at(counted: Tensor, points: Tensor) -> Tensor:
    """Whether the pixels at points are counted, bool `(b, n)`; see `rcnn_losses`.

    Points are rows and columns, px, `(n, 2)` or `(b, n, 2)`; of those beyond the image, the pixel
    at its border.
    """
    batch, height, width = ops.shape(counted)
    whole = ops.cast(points, "int32")
    rows = ops.clip(whole[..., 0], 0, height - 1)
    places = rows * width + ops.clip(whole[..., 1], 0, width - 1)
    flat = ops.reshape(counted, (batch, -1))
    if len(points.shape) == 2:
        return ops.take(flat, places, axis=1) > 0
    return ops.take_along_axis(flat, places, axis=1) > 0


def centers_of(boxes: Tensor) -> Tensor:
    """Rows and columns of the centers of boxes, px, `(…, 2)`."""
    return (boxes[..., :2] + boxes[..., 2:]) / 2


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


def stride_of(
    boxes: Tensor, strides: Sequence[int], canonical_px: float, canonical_stride: int
) -> Tensor:
    """Place among the strides at which each box `(…, 4)` is cut out, int32.

    The larger a box, the coarser: one of `canonical_px` to a side at `canonical_stride`, one twice
    as large at twice that.

    Source: Lin et al., Feature pyramid networks, 2017, equation 1; 224 px at stride 16.
    """
    sides = boxes[..., 2:] - boxes[..., :2]
    side = ops.sqrt(ops.maximum(sides[..., 0] * sides[..., 1], 1e-8))
    level = ops.floor(ops.log(side / canonical_px) / ops.log(2.0) + 1e-6)
    first = ops.floor(ops.log(canonical_stride / strides[0]) / ops.log(2.0) + 0.5)
    return ops.cast(ops.clip(level + first, 0, len(strides) - 1), "int32")


def roi_align(
    features: Mapping[int, Tensor],
    boxes: Tensor,
    levels: Tensor,
    size: int,
    samples: int,
    aligned: bool = True,
) -> Tensor:
    """Features of regions, each in a grid of its own, `(b, n, size, size, c)`.

    Nothing is rounded: each cell is the mean of `samples * samples` points, spread evenly over it,
    and each point is interpolated bilinearly between the four cells of features whose middles lie
    around it; beyond the outermost middles, the features go on as they are.

    Args:
        features: `(b, h, w, c)` by stride.
        boxes: `(b, n, 4)`, px of the image.
        levels: Place of the stride at which each is cut out, in the order of `features`, `(b, n)`.
        aligned: Cells have their middles at halves; otherwise at whole numbers, and sides of a
            region are at least one cell.

    Source: He et al., Mask R-CNN, 2017; aligned as in Detectron2, otherwise as in torchvision.
    """
    shapes = [ops.shape(level)[1:3] for level in features.values()]
    lengths = ops.stack([height * width for height, width in shapes])
    starts = ops.take(ops.cumsum(lengths) - lengths, levels)
    heights, widths = (ops.take(ops.stack(sides), levels) for sides in zip(*shapes, strict=True))
    strides = ops.take(ops.convert_to_tensor(list(features), "float32"), levels)
    if not aligned:
        low, high = ops.split(boxes, 2, axis=-1)
        cell = strides[..., None]
        boxes = ops.concatenate([low, ops.maximum(high, low + cell)], axis=-1) + cell / 2
    flat = [ops.reshape(f, (ops.shape(f)[0], -1, f.shape[-1])) for f in features.values()]
    flat = ops.concatenate(flat, axis=1)
    batch, length = ops.shape(flat)[:2]
    flat = ops.reshape(flat, (-1, flat.shape[-1]))
    starts = (starts + ops.arange(batch)[:, None] * length)[..., None, None]
    sampled, across = 0.0, widths[..., None, None]
    for row, column, share in _cells(boxes, strides, heights, widths, size * samples):
        sampled += ops.take(flat, starts + row * across + column, axis=0) * share[..., None]
    if samples == 1:
        return sampled
    channels = flat.shape[-1]
    parts = ops.reshape(sampled, (batch, -1, size, samples, size, samples, channels))
    return ops.mean(parts, axis=(3, 5))


def _cells(
    boxes: Tensor, strides: Tensor, heights: Tensor, widths: Tensor, number: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Of a grid of points in each box, the four cells around: rows `(b, n, number, 1)`, columns
    `(b, n, 1, number)`, and the share that they have in the points.
    """
    rows = _between(boxes[..., 0], boxes[..., 2], strides, heights, number)
    columns = _between(boxes[..., 1], boxes[..., 3], strides, widths, number)
    for row, row_share in rows:
        for column, column_share in columns:
            share = row_share[..., None] * column_share[..., None, :]
            yield row[..., None], column[..., None, :], share


def _between(
    low: Tensor, high: Tensor, strides: Tensor, lengths: Tensor, number: int
) -> list[tuple[Tensor, Tensor]]:
    """Of points spread evenly from `low` to `high`, the cells before and after, each with the share
    that it has in the point, `(b, n, number)`.
    """
    steps = (ops.arange(number, dtype="float32") + 0.5) / number
    points = low[..., None] + steps * (high - low)[..., None]
    last = ops.cast(lengths - 1, "float32")[..., None]
    places = ops.clip(points / strides[..., None] - 0.5, 0.0, last)
    before = ops.floor(places)
    after = ops.minimum(before + 1, last)
    share = places - before
    return [(ops.cast(before, "int32"), 1 - share), (ops.cast(after, "int32"), share)]


def cut_masks(ids: Tensor, numbers: Tensor, boxes: Tensor, size: int, samples: int = 2) -> Tensor:
    """True masks of objects in boxes `(b, n, 4)`, float32 `(b, n, size, size)`: 1 where half of
    `samples * samples` points of a cell or more are inside, else 0.

    Args:
        ids: Number of the object of each pixel, `(b, h, w, layers)`; objects that overlap lie in
            several layers.
        numbers: Of the object in each box, `(b, n)`; one that lies nowhere gives zeros.
    """
    batch, height, width, layers = ops.shape(ids)
    unit = ops.ones_like(numbers)
    flat = ops.reshape(ids, (-1, layers))
    start = (ops.arange(batch) * height * width)[:, None, None, None]
    inside = 0.0
    ones, rows, columns = ops.cast(unit, "float32"), unit * height, unit * width
    for row, column, share in _cells(boxes, ones, rows, columns, size * samples):
        belongs = ops.take(flat, start + row * width + column, axis=0)
        belongs = ops.any(belongs == numbers[..., None, None, None], axis=-1)
        inside += ops.cast(belongs, "float32") * share
    parts = ops.reshape(inside, (batch, -1, size, samples, size, samples))
    return ops.cast(ops.mean(parts, axis=(3, 5)) >= 0.5, "float32")
