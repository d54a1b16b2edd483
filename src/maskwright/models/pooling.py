"""Layers of a decision: features pooled inside a mask, measures standardized, regions joined.

A batch holds `n` regions of `b` bags, nothing padded. Which region belongs where says `bags`
`(b, n)`, 1 or 0, so that joining is plain products of matrices and survives every export.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import layers, ops

from maskwright.models.blocks import Shape, Tensor

_TRACE = 1e-6  # pixels; what a cell outside the mask counts, so that an empty mask has a mean
_BOUND = 5.0  # standard deviations; one odd measure does not decide alone
_NEVER = -1e9  # far below every score, and finite: no nan from what is masked


@keras.saving.register_keras_serializable(package="maskwright")
class PoolInside(layers.Layer):
    """Mean of features inside a mask; every cell counts as many pixels of the mask as it covers.

    A cell has `stride` pixels of the mask to a side; those beyond the mask, where the image was
    padded, are outside. An empty mask gives the mean of all cells.

    Call arguments:
        features: `(n, h / stride, w / stride, c)`.
        masks: 0 or 1, `(n, h, w)`.
    """

    def __init__(self, stride: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, features: Tensor, masks: Tensor) -> Tensor:
        """Pooled features, `(n, c)`."""
        (rows, columns), (height, width) = ops.shape(features)[1:3], ops.shape(masks)[1:3]
        # Products of stacks of matrices: LiteRT has none of a stack and a single one.
        inside = ops.matmul(
            ops.matmul(self._cells(rows, height)[None], ops.cast(masks, features.dtype)),
            ops.transpose(self._cells(columns, width))[None],
        )
        # Not by `[..., None]`, which LiteRT lacks.
        weights = ops.expand_dims(inside + _TRACE, -1)
        return ops.sum(features * weights, (1, 2)) / ops.sum(weights, (1, 2))

    def _cells(self, cells: int, pixels: int) -> Tensor:
        """1 where a pixel lies in a cell, `(cells, pixels)`."""
        cell_of = ops.arange(pixels) // self.stride
        return ops.cast(ops.arange(cells)[:, None] == cell_of[None], self.compute_dtype)


@keras.saving.register_keras_serializable(package="maskwright")
class Standardize(layers.Layer):
    """Measures `(n, m)` less their mean, by their standard deviation, and never beyond 5 of them.

    Mean and deviation are weights that do not learn; `adapt_measures` sets them. A measure of
    deviation 0 gives 0.
    """

    def build(self, input_shape: Shape) -> None:
        """Mean 0 and deviation 1, as long as nothing is known."""
        shape = (input_shape[-1],)
        self.mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
        self.std = self.add_weight(shape, "ones", trainable=False, name="std")

    def call(self, measures: Tensor) -> Tensor:
        """Standardized measures, `(n, m)`, -5 to 5."""
        varies = ops.cast(self.std > 0, measures.dtype)
        scaled = (measures - self.mean) / (self.std + (1 - varies))
        return ops.clip(scaled * varies, -_BOUND, _BOUND)


class _Pooling(layers.Layer):
    """Sum of the regions of a bag by weights, which subclasses give from what the layer takes."""

    def call(self, embeddings: Tensor, region_logits: Tensor, bags: Tensor) -> Sequence[Tensor]:
        """Embeddings of the bags, `(b, d)`, and weights `(b, n)`, whose rows sum to 1.

        Args:
            embeddings: Of the regions, `(n, d)`.
            region_logits: The decision on each region alone, `(n, 1)`.
            bags: `(b, n)`.
        """
        weights = self._weights(embeddings, region_logits, bags)
        return ops.matmul(weights, embeddings), weights

    def _weights(self, embeddings: Tensor, region_logits: Tensor, bags: Tensor) -> Tensor:
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="maskwright")
class MeanPooling(_Pooling):
    """Every region of a bag counts the same."""

    def _weights(self, embeddings: Tensor, region_logits: Tensor, bags: Tensor) -> Tensor:
        return bags / ops.maximum(ops.sum(bags, -1, keepdims=True), 1.0)


@keras.saving.register_keras_serializable(package="maskwright")
class MaxPooling(_Pooling):
    """The region with the highest logit alone; regions that are exactly equal share the decision.

    Features each at their own highest, from whatever region, would not tell one long and granular
    region from a long one beside a granular one.
    """

    def _weights(self, embeddings: Tensor, region_logits: Tensor, bags: Tensor) -> Tensor:
        logits = ops.where(bags > 0, ops.transpose(region_logits), _NEVER)
        highest = ops.cast(logits >= ops.max(logits, -1, keepdims=True), bags.dtype)
        return highest / ops.sum(highest, -1, keepdims=True)


@keras.saving.register_keras_serializable(package="maskwright")
class AttentionPooling(_Pooling):
    """Mean of a bag's regions by weights that are learned: gated attention with a hidden layer.

    Source: Ilse, Tomczak, Welling, Attention-based Deep Multiple Instance Learning, 2018,
    equation 9, with biases in the hidden layer as in the authors' code.
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.content = layers.Dense(units, "tanh", dtype=self.dtype_policy, name="content")
        self.gate = layers.Dense(units, "sigmoid", dtype=self.dtype_policy, name="gate")
        self.score = layers.Dense(1, use_bias=False, dtype=self.dtype_policy, name="score")

    def build(self, embeddings_shape: Shape, region_logits_shape: Shape, bags_shape: Shape) -> None:
        """Weights of the hidden layer and of the score."""
        self.content.build(embeddings_shape)
        self.gate.build(embeddings_shape)
        self.score.build((None, self.units))

    def _weights(self, embeddings: Tensor, region_logits: Tensor, bags: Tensor) -> Tensor:
        scores = self.score(self.content(embeddings) * self.gate(embeddings))
        masked = ops.where(bags > 0, ops.transpose(scores), _NEVER)
        # Keras's softmax warns of bags of one region.
        shares = ops.exp(masked - ops.max(masked, -1, keepdims=True))
        return shares / ops.sum(shares, -1, keepdims=True)


POOLINGS: dict[str, Callable[..., layers.Layer]] = {
    "mean": lambda units, **options: MeanPooling(**options),
    "max": lambda units, **options: MaxPooling(**options),
    "attention": AttentionPooling,
}
"""Poolings of the regions of a bag by name: from the units of the attention, and of Keras."""
