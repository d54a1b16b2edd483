"""Which cells of which level learn which true object."""

from collections.abc import Sequence

from keras import ops

from maskwright.models.blocks import Tensor
from maskwright.models.condinst.config import CondInst
from maskwright.models.condinst.layers import cell_centers
from maskwright.types import MASK_STRIDE


def cells(
    settings: CondInst, sizes: Sequence[tuple[Tensor, Tensor]]
) -> tuple[Tensor, Tensor, Tensor]:
    """Of the cells of all levels, finest first: centers `(n, 2)`, strides and scales `(n,)`, px.

    `sizes` are height and width of each level, cells.
    """
    centers, strides = [], []
    for (height, width), stride in zip(sizes, settings.strides, strict=True):
        level = cell_centers(height, width, stride)
        centers.append(level)
        strides.append(ops.full_like(level[:, 0], float(stride)))
    stride = ops.concatenate(strides, axis=0)
    return ops.concatenate(centers, axis=0), stride, stride * settings.least_cells


def assign(
    settings: CondInst, centers: Tensor, strides: Tensor, boxes: Tensor, exist: Tensor
) -> Tensor:
    """Row of the true object that each cell learns, int32 `(b, n)`; -1 for none.

    An object belongs to the levels on which the geometric mean of its sides lies between
    `least_cells` and `most_cells`, and there to the cells within `radius` of the center of its box
    that lie inside; of several, the smallest object counts. The cell nearest to the center counts
    in any case.

    Args:
        centers: Of cells, px, `(n, 2)`; `strides` are theirs, `(n,)`.
        boxes: True ones, px, `(b, m, 4)`; whether each `exist`s is bool `(b, m)`.
    """
    sides = ops.maximum(boxes[..., 2:] - boxes[..., :2], 1e-3)
    side = ops.sqrt(sides[..., 0] * sides[..., 1])[:, None]  # (b, 1, m)
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    finest, coarsest = settings.strides[0], settings.strides[-1]
    stride = strides[None, :, None]
    fits = (side >= settings.least_cells * stride) | (stride == finest)
    fits = fits & ((side < settings.most_cells * stride) | (stride == coarsest))
    away = ops.abs(centers[None, :, None] - middle[:, None])  # (b, n, m, 2)
    within = ops.max(away, axis=-1) < settings.radius * stride
    inside = ops.all(away * 2 < sides[:, None], axis=-1)
    nearest = ops.max(away, axis=-1) <= stride / 2
    learns = fits & ((within & inside) | nearest) & exist[:, None]
    area = ops.where(learns, side, 1e9)
    which = ops.cast(ops.argmin(area, axis=-1), "int32")
    return ops.where(ops.any(learns, axis=-1), which, -1)


def true_masks(ids: Tensor, numbers: Tensor) -> Tensor:
    """Masks of objects at `MASK_STRIDE`, float32 `(b, n, h / 4, w / 4)`: the share of each cell.

    `ids` are numbers of objects of the pixels of a padded image, `(b, h, w, layers)`; `numbers` are
    those of the objects, `(b, n)`. Four pixels of each cell are looked at, one of every row and
    column, so that their mean lies in its middle.
    """
    shares = 0.0
    for row, column in ((0, 1), (1, 3), (2, 0), (3, 2)):
        sampled = ids[:, row::MASK_STRIDE, column::MASK_STRIDE][:, None]
        belongs = ops.any(sampled == numbers[:, :, None, None, None], axis=-1)
        shares += ops.cast(belongs, "float32")
    return shares / 4.0


def true_pixels(
    pixels: Tensor, ids: Tensor, labels: Tensor, counted: Tensor
) -> tuple[Tensor, Tensor]:
    """Of the cells of `pixels` `(b, h, w, classes)`: the share of their pixels that objects of each
    class have, of the same shape, from `labels` of objects, from 1, `(b, m)`; and whether the pixel
    there is counted, float32 `(b, h, w)`.
    """
    stride = ops.shape(ids)[1] // ops.shape(pixels)[1]
    by_number = ops.pad(labels, ((0, 0), (1, 0)))
    shares = 0.0
    # The corners of a cell, whose mean is its middle.
    for row in (0, stride - 1):
        for column in (0, stride - 1):
            sampled = ids[:, row::stride, column::stride]
            batch, height, width, layers = ops.shape(sampled)
            label = ops.take_along_axis(by_number, ops.reshape(sampled, (batch, -1)), axis=1)
            label = ops.reshape(label, (batch, height, width, layers))
            one_hot = ops.one_hot(label - 1, pixels.shape[-1], dtype=pixels.dtype)
            shares += ops.max(one_hot, axis=3)
    return shares / 4.0, counted[:, stride // 2 :: stride, stride // 2 :: stride]
