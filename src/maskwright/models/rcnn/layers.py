"""Layers of a Mask R-CNN without weights: anchors, proposals, regions and detections."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from maskwright.models.blocks import Tensor
from maskwright.models.rcnn.boxes import UNIT_WEIGHTS, clip, decode, roi_align, stride_of


def suppress(
    boxes: Tensor, scores: Tensor, iou: float, least: float, most: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Non-maximum suppression by class.

    Boxes are `(b, n, 1, 4)`, or one for each class, `(b, n, classes, 4)`; scores are
    `(b, n, classes)`. A box is suppressed that overlaps one of a higher score by more than `iou`.

    Returns:
        The `most` best above a score of `least`: boxes `(b, most, 4)`, scores `(b, most)`, 0 where
        there are fewer, and classes, int32.
    """
    import tensorflow as tf  # Keras has no suppression

    boxes, scores, classes, _ = tf.image.combined_non_max_suppression(
        boxes,
        scores,
        max_output_size_per_class=most,
        max_total_size=most,
        iou_threshold=iou,
        score_threshold=least,
        clip_boxes=False,
    )
    return (
        ops.reshape(boxes, (-1, most, 4)),
        ops.reshape(scores, (-1, most)),
        ops.cast(ops.reshape(classes, (-1, most)), "int32"),
    )


@keras.saving.register_keras_serializable(package="maskwright")
class Anchors(layers.Layer):
    """Anchors of every cell of features, float32 `(n, 4)` px, those of the finest stride first.

    `sides` of square anchors belong to the `strides` of features, px; `ratios` are height by width.
    Anchors lie around the middles of cells, or where they are not `aligned`, around their upper
    left corners, with ends at whole px.
    """

    def __init__(
        self,
        strides: Sequence[int],
        sides: Sequence[float],
        ratios: Sequence[float],
        aligned: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.strides, self.sides, self.ratios = tuple(strides), tuple(sides), tuple(ratios)
        self.aligned = aligned

    def call(self, features: Sequence[Tensor]) -> Tensor:
        """`[(b, h, w, c), …]` to `(n, 4)`."""
        anchors, middle = [], 0.5 if self.aligned else 0.0
        image = [length * self.strides[0] for length in ops.shape(features[0])[1:3]]
        for level, stride, side in zip(features, self.strides, self.sides, strict=True):
            halves = [(side * math.sqrt(r) / 2, side / math.sqrt(r) / 2) for r in self.ratios]
            if not self.aligned:
                halves = [(float(round(h)), float(round(w))) for h, w in halves]
            corners = ops.convert_to_tensor([[-h, -w, h, w] for h, w in halves], "float32")
            places = []
            for number, length in zip(ops.shape(level)[1:3], image, strict=True):
                # torchvision divides the image evenly, although a level may reach beyond it.
                step = stride if self.aligned else ops.cast(length // number, "float32")
                places.append((ops.cast(ops.arange(number), "float32") + middle) * step)
            y, x = ops.meshgrid(*places, indexing="ij")
            centers = ops.stack([y, x, y, x], axis=-1)[:, :, None]
            anchors.append(ops.reshape(centers + corners, (-1, 4)))
        return ops.concatenate(anchors, axis=0)


@keras.saving.register_keras_serializable(package="maskwright")
class Proposals(layers.Layer):
    """Boxes that may hold an object: the best anchors, moved by their codes, suppressed.

    The best `ranked_training` anchors of each stride, after training `ranked`, go on to suppression
    of the worse of two that overlap by more than `iou`; an image has `most` boxes.
    """

    def __init__(
        self,
        ranked_training: int,
        ranked: int,
        most: int,
        iou: float,
        code_weights: Sequence[float] = UNIT_WEIGHTS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ranked_training, self.ranked, self.most, self.iou = ranked_training, ranked, most, iou
        self.code_weights = tuple(code_weights)
        # Of the sampling in training; kept here, so that a resumed run continues it.
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs: Sequence[Any], training: bool = False) -> tuple[Tensor, Tensor]:
        """Boxes `(b, most, 4)`, and whether each is one, bool `(b, most)`; others pad.

        `inputs` are images `(b, h, w, c)`; anchors `(n, 4)`; scores `(b, h, w, ratios)` and codes
        `(b, h, w, 4 * ratios)` of every stride, as two lists.
        """
        images, references, logits, codes = inputs
        height, width = ops.shape(images)[1:3]
        ranked = self.ranked_training if training else self.ranked
        boxes, scores, start = [], [], 0
        for place, (level_logits, level_codes) in enumerate(zip(logits, codes, strict=True)):
            # Padded, because coarse features may have fewer cells.
            flat = ops.reshape(level_logits, (ops.shape(level_logits)[0], -1))
            number = ops.shape(flat)[1]
            best, at = ops.top_k(ops.pad(flat, ((0, 0), (0, ranked)), constant_values=-1e9), ranked)
            at = ops.minimum(at, number - 1)
            moved = ops.reshape(level_codes, (ops.shape(flat)[0], -1, 4))
            moved = ops.take_along_axis(moved, at[..., None], axis=1)
            box = decode(moved, ops.take(references, start + at, axis=0), self.code_weights)
            box = clip(box, height, width)
            sides = box[..., 2:] - box[..., :2]
            score = ops.where(ops.all(sides > 1e-3, axis=-1), ops.sigmoid(best), 0.0)
            stride = ops.one_hot(ops.full_like(at, place), len(logits))
            boxes.append(box)
            scores.append(score[..., None] * stride)
            start = start + number
        joined, by_stride = ops.concatenate(boxes, axis=1), ops.concatenate(scores, axis=1)
        proposals, score, _ = suppress(joined[:, :, None], by_stride, self.iou, 1e-12, self.most)
        return ops.stop_gradient(proposals), score > 0


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
        aligned: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.strides, self.size, self.samples = tuple(strides), size, samples
        self.canonical_px, self.canonical_stride = canonical_px, canonical_stride
        self.aligned = aligned

    def call(self, inputs: Sequence[Any]) -> Tensor:
        """`[features, boxes (b, n, 4)]` to `(b * n, size, size, c)`; features are a list."""
        features, boxes = inputs
        by_stride = dict(zip(self.strides, features, strict=True))
        levels = stride_of(boxes, self.strides, self.canonical_px, self.canonical_stride)
        regions = roi_align(by_stride, boxes, levels, self.size, self.samples, self.aligned)
        return ops.reshape(regions, (-1, self.size, self.size, regions.shape[-1]))


@keras.saving.register_keras_serializable(package="maskwright")
class Detections(layers.Layer):
    """Objects from classified proposals: boxes moved by their codes, suppressed by class.

    `score` is the minimum probability of a class, `iou` the overlap above which the less probable
    of two of a class is suppressed, `most` the number of objects of an image.
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
        """Boxes `(b, most, 4)`; probabilities `(b, most)`, 0 where there is no object; and classes,
        int32 from 1 `(b, most)`.

        `inputs` are images `(b, h, w, c)`; proposals `(b, n, 4)`; whether each is one `(b, n)`;
        logits `(b * n, classes + 1)`, background first; and codes `(b * n, 4 * classes)`.
        """
        images, proposals, there, logits, codes = inputs
        height, width = ops.shape(images)[1:3]
        batch, number = ops.shape(proposals)[:2]
        classes = logits.shape[-1] - 1
        share = ops.reshape(ops.softmax(logits)[:, 1:], (batch, number, classes))
        share = share * ops.cast(there, share.dtype)[..., None]
        moved = ops.reshape(codes, (batch, number, classes, 4))
        boxes = clip(decode(moved, proposals[:, :, None], self.code_weights), height, width)
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
