"""Proposals of a Mask R-CNN, as layers of Keras without weights: anchors, and the best of them."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from maskwright.models.blocks import Tensor
from maskwright.models.rcnn.boxes import clip, decode


def suppress(
    boxes: Tensor, scores: Tensor, iou: float, least: float, most: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Non-maximum suppression by class.

    Args:
        boxes: `(b, n, 1, 4)`, or one for each class, `(b, n, classes, 4)`.
        scores: `(b, n, classes)`.
        iou: Overlap with a box of a higher score above which a box is suppressed.
        least: Minimum score.
        most: Maximum number of boxes of an image.

    Returns:
        Boxes `(b, most, 4)`, scores `(b, most)`, 0 where there are fewer, and classes, int32.
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

    Args:
        strides: Of the features, px.
        sides: Of the square anchor at each, px.
        ratios: Height by width.
    """

    def __init__(
        self, strides: Sequence[int], sides: Sequence[float], ratios: Sequence[float], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.strides, self.sides, self.ratios = tuple(strides), tuple(sides), tuple(ratios)

    def call(self, features: Sequence[Tensor]) -> Tensor:
        """`[(b, h, w, c), …]` to `(n, 4)`."""
        anchors = []
        for level, stride, side in zip(features, self.strides, self.sides, strict=True):
            halves = [(side * math.sqrt(r) / 2, side / math.sqrt(r) / 2) for r in self.ratios]
            corners = ops.convert_to_tensor([[-h, -w, h, w] for h, w in halves], "float32")
            height, width = ops.shape(level)[1:3]
            rows = (ops.cast(ops.arange(height), "float32") + 0.5) * stride
            columns = (ops.cast(ops.arange(width), "float32") + 0.5) * stride
            y, x = ops.meshgrid(rows, columns, indexing="ij")
            centers = ops.stack([y, x, y, x], axis=-1)[:, :, None]
            anchors.append(ops.reshape(centers + corners, (-1, 4)))
        return ops.concatenate(anchors, axis=0)


@keras.saving.register_keras_serializable(package="maskwright")
class Proposals(layers.Layer):
    """Boxes that may hold an object: the best anchors, moved by their codes, suppressed.

    Args:
        ranked_training: Anchors of each stride, best first, that go on to suppression in training.
        ranked: Likewise afterwards.
        most: Boxes of an image.
        iou: Overlap above which the worse of two from one stride is suppressed.
        code_weights: As `decode` takes them.
    """

    def __init__(
        self,
        ranked_training: int,
        ranked: int,
        most: int,
        iou: float,
        code_weights: Sequence[float] = (1.0, 1.0, 1.0, 1.0),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.ranked_training, self.ranked = ranked_training, ranked
        self.most, self.iou, self.code_weights = most, iou, tuple(code_weights)
        # Of the sampling in training; kept here, so that a resumed run continues it.
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs: Sequence[Any], training: bool = False) -> tuple[Tensor, Tensor]:
        """Proposals of images.

        Args:
            inputs: Images `(b, h, w, c)`; anchors `(n, 4)`; scores `(b, h, w, ratios)` and codes
                `(b, h, w, 4 * ratios)` of every stride, as two lists.
            training: Whether in training.

        Returns:
            Boxes `(b, most, 4)`, and whether each is one, bool `(b, most)`; others pad.
        """
        images, references, logits, codes = inputs
        height, width = ops.shape(images)[1:3]
        ranked = self.ranked_training if training else self.ranked
        boxes, scores = [], []
        start = 0
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
        proposals, score, _ = suppress(
            ops.concatenate(boxes, axis=1)[:, :, None],
            ops.concatenate(scores, axis=1),
            self.iou,
            1e-12,
            self.most,
        )
        return ops.stop_gradient(proposals), score > 0
