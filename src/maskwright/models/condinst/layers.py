"""Layers of a CondInst without weights: candidates, and their masks by conditional convolutions."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from maskwright.models.blocks import Tensor
from maskwright.types import MASK_STRIDE


def cell_centers(height: Tensor, width: Tensor, stride: int) -> Tensor:
    """Row and column of the centers of cells of a stride, px, `(h * w, 2)`."""
    rows = (ops.cast(ops.arange(height), "float32") + 0.5) * stride
    columns = (ops.cast(ops.arange(width), "float32") + 0.5) * stride
    y, x = ops.meshgrid(rows, columns, indexing="ij")
    return ops.reshape(ops.stack([y, x], axis=-1), (-1, 2))


def conditional_masks(
    features: Tensor,
    heads: Tensor,
    places: Tensor,
    scales: Tensor,
    sizes: Sequence[tuple[int, int]],
) -> Tensor:
    """Mask logits of objects, each by a small network of its own, `(b, n, h, w)`.

    Args:
        features: Of the mask branch at `MASK_STRIDE`, `(b, h, w, c)`, of which the last is the
            logit of any object, to which what a network gives is added.
        heads: Weights and biases of the layers of each mask head, `(b, n, parameters)`.
        places: Row and column that coordinates are relative to, px, `(b, n, 2)`.
        scales: Length by which relative coordinates are divided, px, `(b, n)`.
        sizes: Inputs and outputs of each layer; see `CondInst.layer_sizes`.

    Source: Tian et al., Conditional convolutions for instance segmentation, 2020, section 3.
    """
    batch, height, width = ops.shape(features)[:3]
    number, channels = ops.shape(heads)[1], features.shape[-1]
    flat = ops.reshape(features, (batch, -1, channels))
    centers = cell_centers(height, width, MASK_STRIDE)
    start, x = 0, None
    for layer, (inputs, outputs) in enumerate(sizes):
        kernel = heads[..., start : start + inputs * outputs]
        kernel = ops.reshape(kernel, (batch, number, inputs, outputs))
        start += inputs * outputs
        bias = heads[..., start : start + outputs]
        start += outputs
        if x is None:
            # Coordinates relative to a place: the product with those of the cells, less that of
            # the place, so that no object needs coordinates of its own.
            by_place = kernel[:, :, channels:] / scales[..., None, None]
            bias = bias - ops.einsum("bnd,bndo->bno", places, by_place)
            shared = ops.concatenate(
                [flat, ops.broadcast_to(centers[None], (batch, height * width, 2))], axis=-1
            )
            joined = ops.concatenate([kernel[:, :, :channels], by_place], axis=2)
            joined = ops.reshape(ops.transpose(joined, (0, 2, 1, 3)), (batch, inputs, -1))
            x = ops.reshape(ops.matmul(shared, joined), (batch, height * width, number, outputs))
            x = ops.transpose(x, (0, 2, 1, 3))
        else:
            x = ops.matmul(x, kernel)
        x = x + bias[:, :, None]
        if layer < len(sizes) - 1:
            x = ops.relu(x)
    return ops.reshape(x, (batch, number, height, width)) + features[..., -1][:, None]


@keras.saving.register_keras_serializable(package="maskwright")
class Candidates(layers.Layer):
    """Objects that may be: the cells of the highest scores, each the highest of its neighbors.

    A cell counts whose score of a class is the highest of the 3x3 cells around it.

    Args:
        strides: Of the levels.
        scales: Length by which coordinates relative to a cell of each level are divided, px.
        number: Candidates of an image.
    """

    def __init__(
        self, strides: Sequence[int], scales: Sequence[float], number: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.strides, self.scales, self.number = tuple(strides), tuple(scales), number
        # Of the sampling in training; kept here, so that a resumed run continues it.
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs: Sequence[Any]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Scores `(b, n)`; classes from 1, int32 `(b, n)`; mask heads `(b, n, parameters)`; places
        px `(b, n, 2)`; and scales px `(b, n)`.

        `inputs` are class logits `(b, h, w, classes)` and mask heads `(b, h, w, parameters)` of
        every level, as two lists. Where an image has fewer cells, zeros pad the scores.
        """
        logits, heads = inputs
        scores, labels, flat_heads, places, scales = [], [], [], [], []
        for place, level in enumerate(logits):
            batch, height, width = ops.shape(level)[:3]
            probability = ops.sigmoid(level)
            highest = ops.max_pool(probability, 3, 1, padding="same")
            peak = ops.where(probability >= highest, probability, 0.0)
            # `ops.argmax` of Keras minds the sign of zero, by operations that no engine has.
            score, label = ops.top_k(peak, 1)
            scores.append(ops.reshape(score, (batch, -1)))
            labels.append(ops.reshape(label + 1, (batch, -1)))
            flat_heads.append(ops.reshape(heads[place], (batch, -1, heads[place].shape[-1])))
            centers = cell_centers(height, width, self.strides[place])
            places.append(centers)
            scales.append(ops.full_like(centers[:, 0], self.scales[place]))
        joined = ops.concatenate(scores, axis=1)
        padded = ops.pad(joined, ((0, 0), (0, self.number)))
        best, at = ops.top_k(padded, self.number)
        at = ops.minimum(at, ops.shape(joined)[1] - 1)
        label = ops.take_along_axis(ops.concatenate(labels, axis=1), at, axis=1)
        head = ops.take_along_axis(ops.concatenate(flat_heads, axis=1), at[..., None], axis=1)
        position = ops.take(ops.concatenate(places, axis=0), at, axis=0)
        scale = ops.take(ops.concatenate(scales, axis=0), at, axis=0)
        return best, ops.cast(label, "int32"), head, position, scale


@keras.saving.register_keras_serializable(package="maskwright")
class ConditionalMasks(layers.Layer):
    """Mask probabilities of candidates, and their scores by how sure the pixels of each mask are.

    A score is multiplied by the mean probability of the cells inside the mask; the candidate of an
    empty mask has none.

    Source of the factor: Wang et al., SOLOv2, 2020, "maskness".
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sizes = tuple((int(inputs), int(outputs)) for inputs, outputs in sizes)

    def call(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """`[features (b, h, w, c), heads, places, scales, scores]` to masks `(b, n, h, w)` and
        scores `(b, n)`.
        """
        features, heads, places, scales, scores = inputs
        masks = ops.sigmoid(conditional_masks(features, heads, places, scales, self.sizes))
        inside = ops.cast(masks > 0.5, masks.dtype)
        area = ops.sum(inside, axis=(2, 3))
        sure = ops.sum(masks * inside, axis=(2, 3)) / ops.maximum(area, 1.0)
        return masks, scores * sure
