"""Layers of encoders that Keras does not have, or not in a form that exports."""

from collections.abc import Sequence
from functools import partial, reduce
from itertools import product
from typing import Any, Literal

import keras
from keras import layers, ops

from maskwright.errors import ConfigError
from maskwright.models.blocks import Shape, Tensor

Pooling = Literal["max", "average"]


@keras.saving.register_keras_serializable(package="maskwright")
class AtrousPooling(layers.Layer):
    """Maximum or mean over a square of pixels that lie apart, at every pixel, where pooling lost
    its stride, or comes after another that did. Keras's pooling has no dilation.

    The square has `size` pixels to a side, `dilation` apart. It may reach outside the image by the
    pixels of `padding`, before and after each side, which do not count.
    """

    def __init__(
        self,
        kind: Pooling,
        size: int,
        dilation: int = 1,
        padding: Sequence[int] = (0, 0),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if kind not in ("max", "average"):
            raise ConfigError(f"Expected a pooling of max, average; received {kind!r}.")
        self.kind, self.size, self.dilation = kind, size, dilation
        self.padding = tuple(padding)

    def call(self, x: Tensor) -> Tensor:
        """`(b, h, w, c)` to as many pixels as there are places for the square."""
        if self.kind == "max":
            return self._joined(x, float("-inf"), ops.maximum)
        total = self._joined(x, 0.0, ops.add)
        if self.padding == (0, 0):
            return total / self.size**2
        inside = ops.ones_like(x[:1, :, :, :1])
        return total / self._joined(inside, 0.0, ops.add)

    def _joined(self, x: Tensor, outside: float, join: Any) -> Tensor:
        x = ops.pad(x, ((0, 0), self.padding, self.padding, (0, 0)), constant_values=outside)
        reach = (self.size - 1) * self.dilation
        height, width = (length - reach for length in ops.shape(x)[1:3])
        offsets = range(0, reach + 1, self.dilation)
        places = product(offsets, offsets)
        return reduce(join, (x[:, i : i + height, j : j + width] for i, j in places))


@keras.saving.register_keras_serializable(package="maskwright")
class Gelu(layers.Layer):
    """Gaussian error linear unit by its approximation with a hyperbolic tangent.

    It differs from the exact one by less than 0.0005; the exact one of Keras exports to an ONNX
    file that no engine can read, without an error.

    Source: Hendrycks and Gimpel, Gaussian error linear units, 2016.
    """

    def call(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return ops.gelu(x, approximate=True)


@keras.saving.register_keras_serializable(package="maskwright")
class StochasticDepth(layers.Layer):
    """In training, leave a branch out for a share `rate` of the images, and make up for it in the
    others. Without a seed, the draw follows `keras.utils.set_random_seed`.

    Source: Huang et al., Deep networks with stochastic depth, 2016.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.seed = rate, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        """`(b, h, w, c)` to the same shape."""
        if not training or not self.rate:
            return x
        uniform = keras.random.uniform((ops.shape(x)[0], 1, 1, 1), seed=self.seed_generator)
        survives = ops.cast(uniform >= self.rate, x.dtype)
        return x * survives / (1 - self.rate)


@keras.saving.register_keras_serializable(package="maskwright")
class EfficientAttention(layers.Layer):
    """Self-attention between pixels, with fewer keys and values than queries.

    Keys and values come from a map that a convolution shrinks first, so that each head has
    `pixels * pixels / reduction**2` weights. `heads` divide the channels; height and width are
    multiples of `reduction`.

    Source: Xie et al., SegFormer, 2021, section 3.1.
    """

    def __init__(self, heads: int, reduction: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.reduction = heads, reduction

    def build(self, input_shape: Shape) -> None:
        """Make the projections for a number of channels."""
        channels = input_shape[-1]
        if channels is None or channels % self.heads:
            raise ConfigError(
                f"Expected channels divisible by {self.heads} heads; received {channels}."
            )
        policy = self.dtype_policy
        self.query = layers.Dense(channels, dtype=policy, name="query")
        self.key_value = layers.Dense(2 * channels, dtype=policy, name="key_value")
        self.project = layers.Dense(channels, dtype=policy, name="project")
        for part in (self.query, self.key_value, self.project):
            part.build(input_shape)
        if self.reduction > 1:
            size, norm = self.reduction, partial(layers.LayerNormalization, epsilon=1e-5)
            self.reduce = layers.Conv2D(channels, size, size, dtype=policy, name="reduce")
            self.reduce_norm = norm(dtype=policy, name="reduce_norm")
            self.reduce.build(input_shape)
            self.reduce_norm.build(input_shape)
        self.built = True

    def call(self, x: Tensor) -> Tensor:
        """`(b, h, w, c)` to the same shape."""
        height, width = ops.shape(x)[1:3]
        channels = x.shape[-1]
        depth = channels // self.heads
        queries = ops.reshape(self.query(x), (-1, height * width, self.heads, depth))
        small = self.reduce_norm(self.reduce(x)) if self.reduction > 1 else x
        rows, columns = ops.shape(small)[1:3]
        both = ops.reshape(self.key_value(small), (-1, rows * columns, 2, self.heads, depth))
        queries = ops.transpose(queries, (0, 2, 1, 3)) * depth**-0.5
        keys = ops.transpose(both[:, :, 0], (0, 2, 3, 1))
        values = ops.transpose(both[:, :, 1], (0, 2, 1, 3))
        weights = ops.softmax(ops.matmul(queries, keys))
        joined = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        return self.project(ops.reshape(joined, (-1, height, width, channels)))
