"""Losses of a Mask R-CNN: its proposals against the true objects."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from maskwright.losses.detection import box_loss, class_loss, mask_loss, object_loss
from maskwright.models.blocks import Tensor
from maskwright.models.rcnn.boxes import (
    centers_of,
    counted_at,
    cut_masks,
    draw,
    encode,
    match,
)
from maskwright.models.rcnn.config import Rcnn

Tensors = dict[str, Tensor]


def rcnn_losses(
    model: keras.Model, settings: Rcnn, images: Tensor, true: Mapping[str, Tensor], training: bool
) -> tuple[Tensors, Tensors]:
    """The five losses of each image, `(b,)`, whose sum is minimized, and the sampled regions.

    Args:
        model: Of `mask_rcnn`, whose layers are called one by one.
        settings: Numbers that it was built with.
        images: `(b, h, w, c)`.
        true: `boxes` `(b, m, 4)` px; `labels` from 1 `(b, m)`, 0 where a row only pads; `ids`
            `(b, h, w, layers)`, which numbers the objects of an image from 1, in the order of the
            rows; and `counted`, float32 `(b, h, w)`, 0 where pixels are ignored: what has its
            center there is no negative example.
        training: Whether batch normalization uses the statistics of this batch.

    Returns:
        The losses: `anchors` and `anchor_boxes`, objectness and boxes of anchors; `classes`,
        `boxes` and `masks` of regions. And of the regions with masks, `(b, n)`: whether they are
        `positive`, their `labels`, the predicted `classes` and `masks`, bool, and the true masks,
        `wanted`, `(b, n, h, w)`.
    """
    layer = model.get_layer
    features = layer("encoder")(layer("pad")(images), training=training)
    levels = layer("pyramid")(features, training=training)
    references = layer("anchors")(levels)
    logits, codes = zip(*(layer("proposing")(level) for level in levels), strict=True)
    propose = layer("proposals")
    losses = _anchor_losses(settings, references, (logits, codes), true, propose.seed_generator)
    proposed = propose([images, references, list(logits), list(codes)], training=training)
    regions = _draw_regions(settings, proposed, true, propose.seed_generator)
    pooled = settings.pooled(levels)
    more, outputs = _region_losses(model, settings, pooled, regions, true["ids"], training)
    return {**losses, **more}, outputs


def _anchor_losses(
    settings: Rcnn,
    references: Tensor,
    predicted: Sequence[Sequence[Tensor]],
    true: Mapping[str, Tensor],
    seed: keras.random.SeedGenerator,
) -> Tensors:
    iou, which, best = match(references, true["boxes"], true["labels"] > 0)
    positive = (iou >= settings.anchor_positive) | best
    negative = (iou < settings.anchor_negative) & ~positive
    negative &= counted_at(true["counted"], centers_of(references))
    most = int(settings.anchors_per_step * settings.anchor_share)
    places, kind, counted = draw(positive, negative, settings.anchors_per_step, most, seed)
    places = ops.minimum(places, ops.shape(references)[0] - 1)  # padding
    matched = _rows(true["boxes"], ops.take_along_axis(which, places, axis=1))
    wanted = encode(matched, ops.take(references, places, axis=0))
    sampled = []
    for levels, size in zip(predicted, (1, 4), strict=True):
        flat = [ops.reshape(level, (ops.shape(level)[0], -1, size)) for level in levels]
        sampled.append(_rows(ops.concatenate(flat, axis=1), places))
    logits, codes = sampled
    return {
        "anchors": object_loss(logits[..., 0], kind, counted),
        "anchor_boxes": box_loss(codes, wanted, kind, counted, settings.anchor_beta),
    }


def _draw_regions(
    settings: Rcnn,
    proposed: tuple[Tensor, Tensor],
    true: Mapping[str, Tensor],
    seed: keras.random.SeedGenerator,
) -> Tensors:
    """Sampled regions: proposals and true boxes, `(b, n, …)`, positive ones first."""
    exist = true["labels"] > 0
    candidates = ops.concatenate([proposed[0], true["boxes"]], axis=1)
    real = ops.concatenate([proposed[1], exist], axis=1)
    iou, which, _ = match(candidates, true["boxes"], exist)
    positive = (iou >= settings.region_positive) & real
    number, most = settings.regions_per_step, settings.positive_regions
    negative = ~positive & real & counted_at(true["counted"], centers_of(candidates))
    places, kind, counted = draw(positive, negative, number, most, seed)
    places = ops.minimum(places, ops.shape(candidates)[1] - 1)
    which = ops.take_along_axis(which, places, axis=1)
    return {
        "boxes": _rows(candidates, places),
        "positive": kind,
        "counted": counted,
        "labels": ops.where(kind, ops.take_along_axis(true["labels"], which, axis=1), 0),
        "numbers": ops.where(kind, which + 1, -1),
        "wanted": _rows(true["boxes"], which),
    }


def _region_losses(
    model: keras.Model,
    settings: Rcnn,
    pooled: list[Tensor],
    regions: Mapping[str, Tensor],
    ids: Tensor,
    training: bool,
) -> tuple[Tensors, Tensors]:
    layer, number, most = model.get_layer, settings.regions_per_step, settings.positive_regions
    cut = layer("box_regions")([pooled, regions["boxes"]])
    logits, codes = layer("box_head")(cut, training=training)
    classes = logits.shape[-1] - 1
    logits = ops.reshape(logits, (-1, number, classes + 1))
    codes = ops.reshape(codes, (-1, number, classes, 4))
    label = ops.one_hot(regions["labels"] - 1, classes, dtype=codes.dtype)
    codes = ops.einsum("bnkc,bnk->bnc", codes, label)
    wanted = encode(regions["wanted"], regions["boxes"], settings.code_weights)
    # Positive regions lie in front: masks are predicted for as many as there can be.
    front = {name: value[:, :most] for name, value in regions.items()}
    size = 2 * settings.mask_size
    cut = layer("mask_regions")([pooled, front["boxes"]])
    mask_logits = layer("mask_head")(cut, training=training)
    mask_logits = ops.reshape(mask_logits, (-1, most, size, size, classes))
    masks = cut_masks(ids, front["numbers"], front["boxes"], size)
    positive, counted = regions["positive"], regions["counted"]
    losses = {
        "classes": class_loss(logits, regions["labels"], counted),
        "boxes": box_loss(codes, wanted, positive, counted, settings.region_beta),
        "masks": mask_loss(mask_logits, front["labels"], masks, front["positive"]),
    }
    label = ops.one_hot(front["labels"] - 1, classes, dtype=mask_logits.dtype)
    outputs = {
        "positive": front["positive"],
        "labels": front["labels"],
        "classes": ops.argmax(logits[:, :most], axis=-1),
        "masks": ops.einsum("bnhwk,bnk->bnhw", mask_logits, label) > 0,
        "wanted": masks,
    }
    return losses, outputs


def _rows(values: Tensor, places: Tensor) -> Tensor:
    """Rows `(b, n, c)` of `(b, m, c)` at places `(b, n)`."""
    return ops.take_along_axis(values, places[..., None], axis=1)
