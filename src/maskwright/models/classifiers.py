"""Classifiers of masked regions: from the regions of bags to one logit per bag.

All take float32 inputs by name, and ignore those that they have no use for:
`images (n, h, w, c)` with pixels as files have them, `masks (n, h, w)` of 0 or 1,
`measures (n, m)`, and `bags (b, n)`, 1 where a region belongs to a bag. Every region belongs to
one bag and every bag has a region. They give the logits of the positive class, `(b, 1)`.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.models.blocks import PadToMultiple, Tensor
from maskwright.models.encoders import Encoder
from maskwright.models.pooling import POOLINGS, PoolInside, Standardize
from maskwright.models.presets import reference_cnn
from maskwright.models.segmenter import NetworkSpec

CLASSIFIERS = ("region", "reference")
OUTSIDE = ("kept", "darkened", "removed", "channel")

_LEVELS = 2  # coarsest features that are pooled
_CONSTANT = 1e-6  # deviation of a measure, relative to its size, below which it is constant


@dataclass(frozen=True)
class ClassifierSpec(NetworkSpec):
    """A classifier of masked regions.

    `"region"` averages the features of the two coarsest strides inside the mask, normalizes them
    for every region, and brings them to `embedding` values; the standardized measures join them as
    they are. The regions of a bag are pooled, and one linear layer decides. It starts with zeros
    for the pixels, so that a start from the measures (`start_from_measures`) is exactly a logistic
    regression on them; pixels then learn what measures do not hold.

    Args:
        name: `"region"`, or `"reference"` for `reference_cnn`, which is made of `channels`, `size`
            and `pixel_range` only.
        num_measures: Columns of `measures`; 0 for none.
        outside: Content of crops outside the mask; `"channel"` adds a channel for the mask, the
            last of `images`.
        pooling: Pooling of the regions of a bag, `"mean"`, `"max"` or `"attention"`.
        size: Side of the reference's images in pixels.
        embedding: Values that stand for the pixels of a region.
        attention: Units of the attention.
        dropout: Share of the pixels' values dropped in training.
        pixels: False for a classifier on measures alone.
        penalty: L2 penalty of the decision's kernel, added to the loss.
    """

    name: str = "region"
    num_measures: int = 0
    outside: str = "kept"
    pooling: str = "attention"
    size: int = 256
    embedding: int = 64
    attention: int = 64
    dropout: float = 0.2
    pixels: bool = True
    penalty: float = 0.0

    def build(self) -> keras.Model:
        """The network; `ConfigError` if a name does not exist or settings do not go together."""
        if self.outside not in OUTSIDE:
            raise ConfigError(
                f"Expected outside to be {', '.join(OUTSIDE)}; received {self.outside!r}."
            )
        if self.name not in CLASSIFIERS:
            raise ConfigError(
                f"Expected a classifier of {', '.join(CLASSIFIERS)}; received {self.name!r}."
            )
        if self.name == "region":
            return _region_classifier(self)
        if self.outside == "channel":
            raise ConfigError(
                'The reference network has no mask channel; expected outside="removed"; '
                'received "channel".'
            )
        return reference_cnn(channels=self.channels, size=self.size, pixel_range=self.pixel_range)


def _region_classifier(spec: ClassifierSpec) -> keras.Model:
    if spec.pooling not in POOLINGS:
        raise ConfigError(
            f"Expected a pooling of {', '.join(POOLINGS)}; received {spec.pooling!r}."
        )
    if not spec.pixels and not spec.num_measures:
        raise ConfigError("A classifier requires pixels, measures, or both; received neither.")
    inputs, parts = [], []
    if spec.pixels:
        mask_channel = int(spec.outside == "channel")
        images = keras.Input((None, None, spec.channels + mask_channel), name="images")
        masks = keras.Input((None, None), name="masks")
        inputs += [images, masks]
        parts.append(_embed(spec, spec.encoder(mask_channel), images, masks))
    if spec.num_measures:
        measures = keras.Input((spec.num_measures,), name="measures")
        inputs.append(measures)
        parts.append(Standardize(dtype="float32", name="standardize")(measures))
    bags = keras.Input((None,), name="bags")
    join = layers.Concatenate(dtype="float32", name="join")
    embeddings = join(parts) if len(parts) > 1 else parts[0]
    decide = layers.Dense(
        1,
        kernel_initializer="zeros",
        kernel_regularizer=keras.regularizers.L2(spec.penalty) if spec.penalty else None,
        dtype="float32",
        name="decision",
    )
    pool = POOLINGS[spec.pooling](spec.attention, dtype="float32", name="pooling")
    pooled, _ = pool(embeddings, decide(embeddings), bags)
    return keras.Model([*inputs, bags], decide(pooled))


def _embed(spec: ClassifierSpec, encode: Encoder, images: Tensor, masks: Tensor) -> Tensor:
    """Embedding of the pixels inside each mask, `(n, embedding)`."""
    features = encode(PadToMultiple(max(encode.strides), name="pad")(images))
    pooled = []
    for stride in sorted(features)[-_LEVELS:]:
        x = PoolInside(stride, dtype="float32", name=f"inside{stride}")(features[stride], masks)
        pooled.append(layers.LayerNormalization(name=f"inside{stride}_norm")(x))
    x = layers.Concatenate(name="strides")(pooled) if len(pooled) > 1 else pooled[0]
    x = layers.Dense(spec.embedding, activation="relu", name="embedding")(x)
    if not spec.dropout:
        return x
    return layers.Dropout(spec.dropout, seed=spec.seed, name="dropout")(x)


def with_weights(model: keras.Model) -> keras.Model:
    """The same classifier, which gives the share and the logit of each region too: `logits (b, 1)`;
    `weights (b, n)`, whose rows sum to 1; and `region_logits (n, 1)`, each region decided alone.
    """
    pooling = model.get_layer("pooling")
    outputs = {
        "logits": model.outputs[0],
        "weights": pooling.output[1],
        "region_logits": pooling.input[1],
    }
    return keras.Model(model.inputs, outputs)


def parts(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """A classifier in two: one looks at regions, any few at a time, the other joins them.

    They are a model of the inputs but for `bags` to `embeddings (n, d)` and `region_logits (n, 1)`,
    and a model of both and `bags` to `logits (b, 1)` and `weights (b, n)`.
    """
    pooling = model.get_layer("pooling")
    embeddings, region_logits, _ = pooling.input
    looked = [tensor for tensor in model.inputs if tensor.name != "bags"]
    embed = keras.Model(looked, {"embeddings": embeddings, "region_logits": region_logits})
    given = {
        "embeddings": keras.Input((embeddings.shape[-1],), name="embeddings"),
        "region_logits": keras.Input((1,), name="region_logits"),
        "bags": keras.Input((None,), name="bags"),
    }
    pooled, weights = pooling(*given.values())
    # The reference pools logits, the others what is still to be decided on.
    decided_before = pooling.output[0] is model.outputs[0]
    logits = pooled if decided_before else model.get_layer("decision")(pooled)
    return embed, keras.Model(given, {"logits": logits, "weights": weights})


def adapt_measures(model: keras.Model, vectors: np.ndarray) -> np.ndarray:
    """Set what a classifier standardizes measures by to mean and deviation of some regions.

    `vectors` are measures of regions, `(n, m)`; one that hardly varies gives 0 from then on.

    Returns:
        The vectors as the model then sees them, `(n, m)`: what a logistic regression for
        `start_from_measures` is fitted on.

    Raises:
        ModelError: If the model takes no measures, or another number of them.
        DataError: If there are no vectors, or one is not finite.
    """
    values = np.asarray(vectors, np.float64)
    layer = _measuring(model, values.shape, values.shape[1:])
    if not len(values) or not np.isfinite(values).all():
        raise DataError("Expected finite measures of one region or more; check the masks.")
    mean, std = values.mean(0), values.std(0)
    std[std <= _CONSTANT * np.maximum(np.abs(mean), 1)] = 0
    layer.mean.assign(mean.astype(np.float32))
    layer.std.assign(std.astype(np.float32))
    return keras.ops.convert_to_numpy(layer(values.astype(np.float32)))


def start_from_measures(model: keras.Model, kernel: np.ndarray, bias: float) -> None:
    """Set the part of the decision that comes from measures; that of the pixels stays.

    `kernel` `(m,)` is the weight of each standardized measure. `ModelError` as `adapt_measures`.
    """
    values = np.asarray(kernel, np.float32)
    _measuring(model, values.shape, values.shape)
    decide = model.get_layer("decision")
    whole = keras.ops.convert_to_numpy(decide.kernel).copy()
    whole[-len(values) :, 0] = values
    decide.kernel.assign(whole)
    decide.bias.assign(np.array([bias], np.float32))


def _measuring(
    model: keras.Model, received: tuple[int, ...], measures: tuple[int, ...]
) -> Standardize:
    """Layer that standardizes measures; `ModelError` if there is none for so many."""
    layer = next((layer for layer in model.layers if isinstance(layer, Standardize)), None)
    if layer is None:
        raise ModelError("Expected a classifier with measures; this one takes none.")
    if measures != tuple(layer.mean.shape):
        raise ModelError(f"The model takes {layer.mean.shape[0]} measures; received {received}.")
    return layer
