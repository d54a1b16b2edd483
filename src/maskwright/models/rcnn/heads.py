"""Regions and detections of a Mask R-CNN, as layers of Keras without weights."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from maskwright.models.blocks import Tensor
from maskwright.models.rcnn.align import roi_align, stride_of
from maskwright.models.rcnn.boxes import clip, decode
from maskwright.models.rcnn.proposals import suppress


@keras.saving.register_keras_serializable(package="maskwright")
class RoiAlign(layers.Layer):
    """Features of regions at the stride that suits each; see `roi_align` and `stride_of`."""

    def __init__(
        self,
        strides: Sequence[int],
        size: int,
        samples: int,
        canonical_px: float,
        canonical_stride: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.strides, self.size, self.samples = tuple(strides), size, samples
        self.canonical_px, self.canonical_stride = canonical_px, canonical_stride

    def call(self, inputs: Sequence[Any]) -> Tensor:
        """`[features, boxes (b, n, 4)]` to `(b * n, size, size, c)`; features are a list."""
        features, boxes = inputs
        by_stride = dict(zip(self.strides, features, strict=True))
        levels = stride_of(boxes, self.strides, self.canonical_px, self.canonical_stride)
        regions = roi_align(by_stride, boxes, levels, self.size, self.samples)
        return ops.reshape(regions, (-1, self.size, self.size, regions.shape[-1]))


@keras.saving.register_keras_serializable(package="maskwright")
class Detections(layers.Layer):
    """Objects from classified proposals: boxes moved by their codes, suppressed by class.

    Args:
        score: Minimum probability of a class.
        iou: Overlap above which the less probable of two of a class is suppressed.
        most: Objects of an image.
        code_weights: As `decode` takes them.
    """

    one_list = False
    """Whether the boxes of all classes are one list, as ONNX wants them; the same, but slower."""

    def __init__(
        self, score: float, iou: float, most: int, code_weights: Sequence[float], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.score, self.iou, self.most = score, iou, most
        self.code_weights = tuple(code_weights)

    def call(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Objects of images.

        Args:
            inputs: Images `(b, h, w, c)`; proposals `(b, n, 4)`; whether each is one
                `(b, n)`; logits `(b * n, classes + 1)`, background first; and codes
                `(b * n, 4 * classes)`.

        Returns:
            Boxes `(b, most, 4)`; probabilities `(b, most)`, 0 where there is no object; and
            classes, int32 from 1 `(b, most)`.
        """
        images, proposals, there, logits, codes = inputs
        height, width = ops.shape(images)[1:3]
        batch, number = ops.shape(proposals)[:2]
        classes = logits.shape[-1] - 1
        share = ops.softmax(logits)[:, 1:]
        share = ops.reshape(share, (batch, number, classes))
        share = share * ops.cast(there, share.dtype)[..., None]
        moved = ops.reshape(codes, (batch, number, classes, 4))
        boxes = decode(moved, proposals[:, :, None], self.code_weights)
        boxes = clip(boxes, height, width)
        if self.one_list:
            # Each box counts for its own class.
            share = share[..., None] * ops.eye(classes)
            share = ops.reshape(share, (batch, number * classes, classes))
            boxes = ops.reshape(boxes, (batch, number * classes, 1, 4))
        boxes, score, label = suppress(boxes, share, self.iou, self.score, self.most)
        return boxes, score, label + 1


@keras.saving.register_keras_serializable(package="maskwright")
class SelectMask(layers.Layer):
    """Of the masks of all classes, that of each object's class, as probabilities."""

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """`[logits (b * n, h, w, classes), classes from 1 (b, n)]` to `(b, n, h, w)`."""
        logits, labels = inputs
        _, height, width, classes = logits.shape
        batch, number = ops.shape(labels)[:2]
        classes_of = ops.one_hot(ops.reshape(labels, (-1,)) - 1, classes, dtype=logits.dtype)
        chosen = ops.einsum("nhwk,nk->nhw", logits, classes_of)
        return ops.reshape(ops.sigmoid(chosen), (batch, number, height, width))
