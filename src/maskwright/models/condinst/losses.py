"""Losses of a CondInst: class scores, masks, and the class of each cell as an auxiliary task."""

from collections.abc import Mapping

import keras
from keras import ops

from maskwright.losses.detection import mask_dice_loss, pixel_loss, quality_focal_loss
from maskwright.models.blocks import Tensor
from maskwright.models.condinst.config import CondInst
from maskwright.models.condinst.layers import conditional_masks
from maskwright.models.condinst.targets import assign, cells, true_masks, true_pixels
from maskwright.models.rcnn.boxes import counted_at, draw
from maskwright.types import MASK_STRIDE

Tensors = dict[str, Tensor]


def condinst_losses(
    model: keras.Model,
    settings: CondInst,
    images: Tensor,
    true: Mapping[str, Tensor],
    training: bool,
) -> tuple[Tensors, Tensors]:
    """The weighted losses of each image, `(b,)`, whose sum is minimized, and its positive cells.

    Args:
        model: Of `condinst`, whose layers are called one by one.
        settings: Parameters that it was built with.
        images: `(b, h, w, c)`.
        true: As in `models.rcnn.rcnn_losses`.
        training: Whether batch normalization uses the statistics of this batch.

    Returns:
        The losses `classes`, `masks` and `pixels`. And of the sampled positive cells, `(b, n)`:
        whether each is `positive`, whether its class is the `correct` one, its mask, bool `masks`
        `(b, n, h / 4, w / 4)`, and the true one, float32 `wanted`.
    """
    layer = model.get_layer
    pad = layer("pad")
    features = layer("encoder")(pad(images), training=training)
    *levels, mask_features, pixels = layer("neck")(features, training=training)
    logits, heads = zip(
        *(layer("towers")(level, training=training) for level in levels), strict=True
    )
    logits, heads = _flat(logits), _flat(heads)
    centers, strides, scales = cells(settings, [ops.shape(level)[1:3] for level in levels])
    which = assign(settings, centers, strides, true["boxes"], true["labels"] > 0)

    number = settings.masks_per_step
    seed = layer("candidates").seed_generator
    at, positive, _ = draw(which >= 0, which < -1, number, number, seed)
    at = ops.minimum(at, ops.shape(which)[1] - 1)
    row = ops.maximum(ops.take_along_axis(which, at, axis=1), 0)
    numbers = ops.where(positive, row + 1, -1)
    ids, counted = pad(true["ids"]), pad(true["counted"][..., None])[..., 0]
    wanted = true_masks(ids, numbers)
    mask_logits = conditional_masks(
        mask_features,
        ops.take_along_axis(heads, at[..., None], axis=1),
        ops.take(centers, at, axis=0),
        ops.take(scales, at, axis=0),
        settings.layer_sizes,
    )
    half = MASK_STRIDE // 2
    shown = counted[:, half::MASK_STRIDE, half::MASK_STRIDE][:, None]
    masks = mask_logits > 0
    quality = ops.stop_gradient(_iou(masks, wanted, shown))
    classes = ops.one_hot(ops.take_along_axis(true["labels"], row, axis=1) - 1, logits.shape[-1])
    chosen = ops.take_along_axis(logits, at[..., None], axis=1)
    negative = ops.cast((which < 0) & counted_at(counted, centers), logits.dtype)
    losses = {
        "classes": settings.class_weight
        * quality_focal_loss(
            (logits, negative),
            (chosen, classes * quality[..., None], positive),
            settings.focal_power,
        ),
        "masks": settings.mask_weight * mask_dice_loss(mask_logits, wanted, shown, positive),
        "pixels": settings.pixel_weight
        * pixel_loss(pixels, *true_pixels(pixels, ids, true["labels"], counted)),
    }
    correct = ops.argmax(chosen, axis=-1) == ops.argmax(classes, axis=-1)
    return losses, {"positive": positive, "correct": correct, "masks": masks, "wanted": wanted}


def _flat(levels: tuple[Tensor, ...]) -> Tensor:
    """Features of levels `(b, h, w, c)` as those of their cells `(b, n, c)`."""
    return ops.concatenate(
        [ops.reshape(x, (ops.shape(x)[0], -1, x.shape[-1])) for x in levels], axis=1
    )


def _iou(masks: Tensor, wanted: Tensor, counted: Tensor) -> Tensor:
    """IoU of masks `(b, n, h, w)` over the cells that are counted, `(b, n)`."""
    predicted = ops.cast(masks, "float32") * counted
    true = ops.cast(wanted >= 0.5, "float32") * counted
    shared = ops.sum(predicted * true, axis=(2, 3))
    return shared / ops.maximum(ops.sum(predicted + true, axis=(2, 3)) - shared, 1.0)
