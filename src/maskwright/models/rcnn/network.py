"""Mask R-CNN: boxes, classes and masks of single objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import keras
from keras import layers
from keras.initializers import RandomNormal

from maskwright.errors import ConfigError
from maskwright.models.blocks import PadToMultiple
from maskwright.models.decoders.multi_scale import pyramid
from maskwright.models.encoders import Encoder
from maskwright.models.rcnn.config import Rcnn
from maskwright.models.rcnn.layers import Anchors, Detections, Proposals, RoiAlign, SelectMask
from maskwright.models.segmenter import WIDTHS, NetworkSpec

_normal = partial(RandomNormal, 0.0)
_convolution = partial(layers.Conv2D, kernel_size=3, padding="same", activation="relu")


@dataclass(frozen=True)
class DetectorSpec(NetworkSpec):
    """Mask R-CNN on an encoder for objects of `num_classes`, the background not among them.

    `numbers` are arguments of `Rcnn`.
    """

    num_classes: int
    numbers: Mapping[str, Any]
    encoder_widths: Sequence[int] = field(default=(*WIDTHS, 512), kw_only=True)

    def build(self) -> keras.Model:
        """The network; `ConfigError` if the encoder lacks a stride of the pyramid."""
        settings = Rcnn(**self.numbers)
        return mask_rcnn(self.encoder(), self.num_classes, settings, channels=self.channels)


def mask_rcnn(
    encode: Encoder, num_classes: int, settings: Rcnn, *, channels: int = 3
) -> keras.Model:
    """Model from images of any size to their objects.

    Args:
        encode: Images to features by stride, all of the pyramid's among them up to its coarsest.
        num_classes: Of objects; the background is not among them.
        settings: All its numbers.
        channels: Of the images.

    Returns:
        Model with a dict of outputs: `boxes` `(b, n, 4)` px, top, left, bottom, right; `scores`
        `(b, n)`, 0 where there is no object; `labels`, int32 from 1 `(b, n)`; and `masks`
        `(b, n, 2 * mask_size, 2 * mask_size)`, the probability of each cell of the box.

    Raises:
        ConfigError: If the encoder lacks a stride of the pyramid.

    Sources: those of `Rcnn`. Anchors are centered on the middles of cells, where the reference has
    them on their corners, see `aligned`; and no layer of the encoder is frozen for good.
    """
    shared = tuple(stride for stride in settings.strides if stride <= max(encode.strides))
    if missing := sorted({*shared, *settings.pooled_strides} - set(encode.strides)):
        raise ConfigError(
            f"Mask R-CNN needs features at the strides {missing}, which the encoder lacks; "
            f"use another encoder or more `encoder_widths`, or set `strides`, `anchor_sizes` and "
            f"`pooled_strides` of `detector`."
        )
    images = keras.Input((None, None, channels), name="images")
    features = encode.model(PadToMultiple(max(encode.strides), name="pad")(images))
    levels = _pyramid(encode, shared, settings)(features)
    shape = (settings.strides, settings.anchor_sizes, settings.ratios, settings.aligned)
    anchors = Anchors(*shape, name="anchors")
    references = anchors(levels)
    propose = _proposing(settings)
    logits, codes = zip(*(propose(level) for level in levels), strict=True)
    proposals, exist = Proposals(
        settings.ranked_training,
        settings.ranked,
        settings.proposals,
        settings.proposal_iou,
        name="proposals",
    )([images, references, list(logits), list(codes)])
    pooled = settings.pooled(levels)

    def regions(size: int, name: str) -> RoiAlign:
        return RoiAlign(
            settings.pooled_strides,
            size,
            settings.samples,
            settings.canonical_px,
            settings.canonical_stride,
            settings.aligned,
            name=name,
        )

    cut = regions(settings.box_size, "box_regions")([pooled, proposals])
    class_logits, box_codes = _box_head(settings, num_classes)(cut)
    boxes, scores, labels = Detections(
        settings.score,
        settings.detection_iou,
        settings.detections,
        settings.code_weights,
        name="detections",
    )([images, proposals, exist, class_logits, box_codes])
    cut = regions(settings.mask_size, "mask_regions")([pooled, boxes])
    mask_logits = _mask_head(settings, num_classes)(cut)
    masks = SelectMask(name="select_mask")([mask_logits, labels])
    return keras.Model(images, {"boxes": boxes, "scores": scores, "labels": labels, "masks": masks})


def _pyramid(encode: Encoder, shared: tuple[int, ...], settings: Rcnn) -> keras.Model:
    """Features of the encoder to those of the pyramid, finest first."""
    inputs = [keras.Input(output.shape[1:]) for output in encode.model.outputs]
    features = dict(zip(encode.strides, inputs, strict=True))
    chosen = {stride: features[stride] for stride in shared}
    made = pyramid(chosen, settings.pyramid_width, settings.nearest)
    for finer, stride in pairwise(settings.strides[len(shared) - 1 :]):
        made[stride] = layers.MaxPooling2D(1, 2, name=f"pyramid{stride}")(made[finer])
    return keras.Model(inputs, [made[stride] for stride in settings.strides], name="pyramid")


def _proposing(settings: Rcnn) -> keras.Model:
    """Features of one stride to logits `(b, h, w, ratios)` and codes `(b, h, w, 4 * ratios)`."""
    number, width = len(settings.ratios), settings.pyramid_width
    inputs = keras.Input((None, None, width))
    x = _convolution(width, kernel_initializer=_normal(0.01), name="anchors_conv")(inputs)
    logits = layers.Conv2D(number, 1, kernel_initializer=_normal(0.01), name="anchors_logits")(x)
    codes = layers.Conv2D(4 * number, 1, kernel_initializer=_normal(0.01), name="anchors_codes")(x)
    return keras.Model(inputs, [logits, codes], name="proposing")


def _box_head(settings: Rcnn, num_classes: int) -> keras.Model:
    """Regions `(n, size, size, c)` to logits `(n, classes + 1)` and codes `(n, 4 * classes)`."""
    size = settings.box_size
    inputs = keras.Input((size, size, settings.pyramid_width))
    x = layers.Flatten(name="box_flat")(inputs)
    for number in (1, 2):
        x = layers.Dense(settings.hidden, activation="relu", name=f"box_dense{number}")(x)
    logits = layers.Dense(num_classes + 1, kernel_initializer=_normal(0.01), name="box_logits")(x)
    codes = layers.Dense(4 * num_classes, kernel_initializer=_normal(0.001), name="box_codes")(x)
    return keras.Model(inputs, [logits, codes], name="box_head")


def _mask_head(settings: Rcnn, num_classes: int) -> keras.Model:
    """Regions `(n, size, size, c)` to logits `(n, 2 * size, 2 * size, classes)`."""
    size = settings.mask_size
    inputs = x = keras.Input((size, size, settings.pyramid_width))
    for number in range(settings.mask_layers):
        name = f"mask_conv{number + 1}"
        x = _convolution(settings.mask_width, kernel_initializer="he_normal", name=name)(x)
    up = partial(layers.Conv2DTranspose, activation="relu", kernel_initializer="he_normal")
    x = up(settings.mask_width, 2, 2, name="mask_up")(x)
    logits = layers.Conv2D(num_classes, 1, kernel_initializer=_normal(0.001), name="mask_logits")(x)
    return keras.Model(inputs, logits, name="mask_head")
