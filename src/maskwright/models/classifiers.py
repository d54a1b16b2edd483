"""Classifiers of masked regions: from the regions of bags to one logit per bag.

All take float32 inputs by name, and ignore those that they have no use for:
`images (n, h, w, c)` with pixels as files have them, `masks (n, h, w)` of 0 or 1,
`measures (n, m)`, and `bags (b, n)`, 1 where a region belongs to a bag. Every region belongs to
one bag and every bag has a region. They give the logits of the positive class, `(b, 1)`.
"""

from dataclasses import dataclass

import keras
from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import PadToMultiple, Tensor
from maskwright.models.encoders import Encoder
from maskwright.models.pooling import POOLINGS, MeanPooling, PoolInside, Standardize
from maskwright.models.specs import NetworkSpec

CLASSIFIERS = ("region", "reference")
OUTSIDE = ("kept", "darkened", "removed", "channel")

_LEVELS = 2  # coarsest features that are pooled


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
        size: Side of the reference's images in pixels; the other classifier takes any.
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
        if self.name == "reference":
            if self.outside == "channel":
                raise ConfigError(
                    'The reference network has no mask channel; expected outside="removed"; '
                    'received "channel".'
                )
            return reference_cnn(
                channels=self.channels, size=self.size, pixel_range=self.pixel_range
            )
        if self.name != "region":
            raise ConfigError(
                f"Expected a classifier of {', '.join(CLASSIFIERS)}; received {self.name!r}."
            )
        return _region_classifier(self)


def reference_cnn(
    *, channels: int = 3, size: int = 256, pixel_range: tuple[float, float] = (0.0, 255.0)
) -> keras.Model:
    """The small network of two convolutions, on images whose outside was removed.

    3x3 convolutions of 32 and 64 channels without padding, each with ReLU and 2x2 maxima, 128 units
    with ReLU, 1 unit: 31,509,697 parameters for 256x256x3. It looks at `images` alone. The logit of
    a bag is the mean of its regions' logits. `size` is the side of the images, at least 10 px.

    Source: the usual first network of the Keras tutorials, as it is used for masked images of
    256x256x3; its sigmoid is applied after the model, once.
    """
    if size < 10:
        raise ConfigError(f"Expected images of at least 10 pixels per side; received {size}.")
    low, high = pixel_range
    inner = keras.Input((size, size, channels))
    x = layers.Rescaling(1 / (high - low), -low / (high - low), name="pixel_scaling")(inner)
    for number, width in enumerate((32, 64), 1):
        x = layers.Conv2D(width, 3, activation="relu", name=f"conv{number}")(x)
        x = layers.MaxPooling2D(name=f"pool{number}")(x)
    images = keras.Input((size, size, channels), name="images")
    bags = keras.Input((None,), name="bags")
    features = keras.Model(inner, x, name="encoder")(images)
    x = layers.Dense(128, activation="relu", name="dense")(layers.Flatten(name="flatten")(features))
    logits = layers.Dense(1, dtype="float32", name="decision")(x)
    pooled, _ = MeanPooling(dtype="float32", name="pooling")(logits, logits, bags)
    return keras.Model([images, bags], pooled)


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
