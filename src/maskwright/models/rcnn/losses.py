"""Losses of a Mask R-CNN: its proposals against the true objects."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from maskwright.losses.detection import box_loss, class_loss, mask_loss, object_loss
from maskwright.models.blocks import Tensor
from maskwright.models.rcnn.align import cut_masks
from maskwright.models.rcnn.boxes import draw, encode, match
from maskwright.models.rcnn.config import Rcnn
from maskwright.models.rcnn.network import RcnnParts


def rcnn_losses(
    parts: RcnnParts, settings: Rcnn, images: Tensor, true: Mapping[str, Tensor], training: bool
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The five losses of each image, `(b,)`, whose sum is minimized, and the sampled regions.

    Args:
        parts: Of the model.
        settings: Numbers that it was built with.
        images: `(b, h, w, c)`.
        true: `boxes` `(b, m, 4)` px; `labels` from 1 `(b, m)`, 0 where a row only pads; and `ids`
            `(b, h, w, layers)`, which numbers the objects of an image from 1, in the order of the
            rows.
        training: Whether batch normalization uses the statistics of this batch.

    Returns:
        The losses: `anchors` and `anchor_boxes`, objectness and boxes of anchors; `classes`,
        `boxes` and `masks` of regions. And of the regions with masks, `(b, n)`: whether they are
        `positive`, their `labels`, the predicted `classes` and `masks`, bool, and the true masks,
        `wanted`, `(b, n, h, w)`.
    """
    seed = parts.proposals.seed_generator
    levels = parts.pyramid(parts.encoder(parts.pad(images), training=training), training=training)
    references = parts.anchors(levels)
    logits, codes = zip(*(parts.proposing(level) for level in levels), strict=True)
    exist = true["labels"] > 0
    losses = _anchor_losses(settings, references, logits, codes, true["boxes"], exist, seed)
    proposed, real = parts.proposals(
        [images, references, list(logits), list(codes)], training=training
    )
    regions = _draw_regions(settings, proposed, real, true, exist, seed)
    pooled = settings.pooled(levels)
    more, outputs = _region_losses(parts, settings, pooled, regions, true, training)
    return {**losses, **more}, outputs


def _flat(levels: Any, size: int) -> Tensor:
    """`[(b, h, w, n * size), …]` of all strides as `(b, anchors, size)`."""
    return ops.concatenate(
        [ops.reshape(level, (ops.shape(level)[0], -1, size)) for level in levels], axis=1
    )


def _anchor_losses(
    settings: Rcnn,
    references: Tensor,
    logits: Any,
    codes: Any,
    boxes: Tensor,
    exist: Tensor,
    seed: keras.random.SeedGenerator,
) -> dict[str, Tensor]:
    iou, which, best = match(references, boxes, exist)
    positive = (iou >= settings.anchor_positive) | best
    negative = (iou < settings.anchor_negative) & ~positive
    most = int(settings.anchors_per_step * settings.anchor_share)
    places, kind, counted = draw(positive, negative, settings.anchors_per_step, most, seed)
    places = ops.minimum(places, ops.shape(references)[0] - 1)  # padding
    matched = _rows(boxes, ops.take_along_axis(which, places, axis=1))
    wanted = encode(matched, ops.take(references, places, axis=0), (1.0, 1.0, 1.0, 1.0))
    flat = _rows(_flat(logits, 1), places)[..., 0]
    moved = _rows(_flat(codes, 4), places)
    return {
        "anchors": object_loss(flat, kind, counted),
        "anchor_boxes": box_loss(moved, wanted, kind, counted, settings.anchor_beta),
    }


def _draw_regions(
    settings: Rcnn,
    proposed: Tensor,
    real: Tensor,
    true: Mapping[str, Tensor],
    exist: Tensor,
    seed: keras.random.SeedGenerator,
) -> dict[str, Tensor]:
    """Sampled regions: proposals and true boxes, `(b, n, …)`, positive ones first."""
    candidates = ops.concatenate([proposed, true["boxes"]], axis=1)
    real = ops.concatenate([real, exist], axis=1)
    iou, which, _ = match(candidates, true["boxes"], exist)
    positive = (iou >= settings.region_positive) & real
    negative = ~positive & real
    places, kind, counted = draw(
        positive, negative, settings.regions_per_step, settings.positive_regions, seed
    )
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
    parts: RcnnParts,
    settings: Rcnn,
    pooled: list[Tensor],
    regions: Mapping[str, Tensor],
    true: Mapping[str, Tensor],
    training: bool,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    number, most = settings.regions_per_step, settings.positive_regions
    logits, codes = parts.box_head(parts.box_regions([pooled, regions["boxes"]]), training=training)
    classes = logits.shape[-1] - 1
    logits = ops.reshape(logits, (-1, number, classes + 1))
    codes = ops.reshape(codes, (-1, number, classes, 4))
    label = ops.one_hot(regions["labels"] - 1, classes, dtype=codes.dtype)
    codes = ops.einsum("bnkc,bnk->bnc", codes, label)
    wanted = encode(regions["wanted"], regions["boxes"], settings.code_weights)
    # Positive regions lie in front: masks are predicted for as many as there can be.
    front = {name: value[:, :most] for name, value in regions.items()}
    size = 2 * settings.mask_size
    mask_logits = parts.mask_head(parts.mask_regions([pooled, front["boxes"]]), training=training)
    mask_logits = ops.reshape(mask_logits, (-1, most, size, size, classes))
    masks = cut_masks(true["ids"], front["numbers"], front["boxes"], size)
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
