"""Steps of a Mask R-CNN without weights, as layers of Keras: proposals, regions, detections."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from maskwright.models.blocks import Tensor
from maskwright.models.rcnn.align import roi_align, stride_of
from maskwright.models.rcnn.boxes import anchors, clip, decode


def suppress(
    boxes: Tensor, scores: Tensor, iou: float, least: float, most: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Go from the surest box down, and leave out what overlaps a surer one of its class.

    Args:
        boxes: `(b, n, 1, 4)`, or one for each class, `(b, n, classes, 4)`.
        scores: `(b, n, classes)`.
        iou: Overlap above which a box is left out.
        least: Least score.
        most: Boxes that are kept of an image, the surest.

    Returns:
        Boxes `(b, most, 4)`, scores `(b, most)` and classes, int32 `(b, most)`; where there are
        fewer, scores are 0.
    """
    import tensorflow as tf  # Keras has no suppression

    found = tf.image.combined_non_max_suppression(
        boxes,
        scores,
        max_output_size_per_class=most,
        max_total_size=most,
        iou_threshold=iou,
        score_threshold=least,
        clip_boxes=False,
    )
    return (
        ops.reshape(found.nmsed_boxes, (-1, most, 4)),
        ops.reshape(found.nmsed_scores, (-1, most)),
        ops.cast(ops.reshape(found.nmsed_classes, (-1, most)), "int32"),
    )


@keras.saving.register_keras_serializable(package="maskwright")
class Anchors(layers.Layer):
    """Anchors of features, `(n, 4)` px, those of the finest stride first.

    Args:
        strides: Of the features.
        sides: Of the square anchor at each, px.
        ratios: Height by width.
    """

    def __init__(
        self,
        strides: Sequence[int],
        sides: Sequence[float],
        ratios: Sequence[float],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.strides, self.sides, self.ratios = tuple(strides), tuple(sides), tuple(ratios)

    def call(self, features: Sequence[Tensor]) -> Tensor:
        """`[(b, h, w, c), …]` to `(n, 4)`."""
        sizes = [ops.shape(level)[1:3] for level in features]
        return ops.concatenate(anchors(sizes, self.strides, self.sides, self.ratios), axis=0)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Shape of the output for the shapes of the inputs."""
        return (None, 4)

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        own = {"strides": self.strides, "sides": self.sides, "ratios": self.ratios}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="maskwright")
class Proposals(layers.Layer):
    """The boxes that may hold an object: the best anchors, moved as they say, without doubles.

    Args:
        ranked_training: Anchors of each stride, best first, that go on to suppression in training.
        ranked: Likewise afterwards.
        most: Boxes of an image.
        iou: Overlap above which the worse of two from one stride is left out.
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
        # Of what learns in a step; here, so that a stopped run goes on with it.
        self.drawing = keras.random.SeedGenerator()

    def call(self, inputs: Sequence[Any], training: bool = False) -> tuple[Tensor, Tensor]:
        """Proposals of images.

        Args:
            inputs: Images `(b, h, w, c)`; anchors `(n, 4)`; scores `(b, h, w, ratios)` and codes
                `(b, h, w, 4 * ratios)` of every stride, as two lists.
            training: Whether in training.

        Returns:
            Boxes `(b, most, 4)`, and which of them are there, bool `(b, most)`.
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
            own = ops.one_hot(ops.full_like(at, place), len(logits))
            boxes.append(box)
            scores.append(score[..., None] * own)
            start = start + number
        found, score, _ = suppress(
            ops.concatenate(boxes, axis=1)[:, :, None],
            ops.concatenate(scores, axis=1),
            self.iou,
            1e-12,
            self.most,
        )
        return ops.stop_gradient(found), score > 0

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shapes of the outputs for the shapes of the inputs."""
        batch = input_shape[0][0]
        return (batch, self.most, 4), (batch, self.most)

    def compute_output_spec(self, inputs: Any, training: bool = False) -> Any:
        """Shapes and types of the outputs."""
        batch = inputs[0].shape[0]
        return (
            keras.KerasTensor((batch, self.most, 4), "float32"),
            keras.KerasTensor((batch, self.most), "bool"),
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        names = ("ranked_training", "ranked", "most", "iou", "code_weights")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="maskwright")
class RoiAlign(layers.Layer):
    """Features of regions at the stride that suits each; see `roi_align` and `stride_of`.

    Args:
        strides: Of the features, finest first.
        size: Cells to a side.
        samples: Points to a side of a cell.
        canonical_px: As in `stride_of`.
        canonical_stride: As in `stride_of`.
    """

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
        found = roi_align(by_stride, boxes, levels, self.size, self.samples)
        return ops.reshape(found, (-1, self.size, self.size, found.shape[-1]))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Shape of the output for the shapes of the inputs."""
        return (None, self.size, self.size, input_shape[0][0][-1])

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        names = ("strides", "size", "samples", "canonical_px", "canonical_stride")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="maskwright")
class Detections(layers.Layer):
    """Objects from proposals that know their classes: boxes moved, doubles left out by class.

    Args:
        score: Least probability of a class.
        iou: Overlap above which the less probable of two of a class is left out.
        most: Objects of an image.
        code_weights: As `decode` takes them.
    """

    one_list = False
    """Whether the boxes of all classes are one list, as ONNX wants them; the same, but slower."""

    def __init__(
        self,
        score: float,
        iou: float,
        most: int,
        code_weights: Sequence[float],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.score, self.iou, self.most = score, iou, most
        self.code_weights = tuple(code_weights)

    def call(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Objects of images.

        Args:
            inputs: Images `(b, h, w, c)`; proposals `(b, n, 4)`; which of them are there
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
        found, score, label = suppress(boxes, share, self.iou, self.score, self.most)
        return found, score, label + 1

    def compute_output_spec(self, inputs: Any) -> Any:
        """Shapes and types of the outputs."""
        batch = inputs[0].shape[0]
        return (
            keras.KerasTensor((batch, self.most, 4), "float32"),
            keras.KerasTensor((batch, self.most), "float32"),
            keras.KerasTensor((batch, self.most), "int32"),
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments that rebuild the layer."""
        names = ("score", "iou", "most", "code_weights")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable(package="maskwright")
class OwnMask(layers.Layer):
    """Of the masks of every class, the one of each object's own class, as probabilities."""

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        """`[logits (b * n, h, w, classes), classes from 1 (b, n)]` to `(b, n, h, w)`."""
        logits, labels = inputs
        _, height, width, classes = logits.shape
        batch, number = ops.shape(labels)[:2]
        own = ops.one_hot(ops.reshape(labels, (-1,)) - 1, classes, dtype=logits.dtype)
        chosen = ops.einsum("nhwk,nk->nhw", logits, own)
        return ops.reshape(ops.sigmoid(chosen), (batch, number, height, width))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Shape of the output for the shapes of the inputs."""
        (_, height, width, _), (batch, number) = input_shape
        return (batch, number, height, width)
