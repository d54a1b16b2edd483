"""Classifiers of masked regions: from the regions of bags to one logit per bag.

All take float32 inputs by name, and leave aside those that they have no use for:
`images (n, h, w, c)` with pixels as files have them, `masks (n, h, w)` of 0 or 1,
`measures (n, m)`, and `bags (b, n)`, 1 where a region belongs to a bag. Every region belongs to
one bag and every bag has a region. They give the logits of the positive class, `(b, 1)`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from maskwright.errors import ConfigError, DataError, ModelError
from maskwright.models.blocks import PadToMultiple, Tensor
from maskwright.models.encoders import Encoder, encoder
from maskwright.models.pooling import POOLINGS, MeanPooling, PoolInside, Standardize

CLASSIFIERS = ("region", "reference")
OUTSIDE = ("kept", "darkened", "removed", "channel")

_LEVELS = 2  # coarsest features that are pooled
_CONSTANT = 1e-6  # spread of a measure, to its size, below which it says nothing


def reference_cnn(
    *, channels: int = 3, size: int = 256, pixel_range: tuple[float, float] = (0.0, 255.0)
) -> keras.Model:
    """The small network of two convolutions, on images whose outside was removed.

    3x3 convolutions of 32 and 64 channels without padding, each with ReLU and 2x2 maxima, 128 units
    with ReLU, 1 unit: 31,509,697 parameters for 256x256x3. It looks at `images` alone. The logit of
    a bag is the mean of its regions' logits.

    Args:
        channels: Channels of the images.
        size: Their side in pixels, at least 10.
        pixel_range: Values that stand for black and white; they become 0 and 1.

    Source: the usual first network of the Keras tutorials, as it is used for masked images of
    256x256x3; its sigmoid is applied after the model, once.
    """
    if size < 10:
        raise ConfigError(f"Expected images of 10 pixels or more a side, received {size}.")
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


def region_classifier(
    encode: Encoder | None,
    *,
    channels: int = 3,
    num_measures: int = 0,
    pooling: str = "attention",
    mask_channel: bool = False,
    embedding: int = 64,
    attention: int = 64,
    dropout: float = 0.2,
    pixels: bool = True,
    penalty: float = 0.0,
    seed: int | None = None,
) -> keras.Model:
    """Classifier on an encoder's features inside the mask and on measures of the region.

    The features of the two coarsest strides are averaged inside the mask, normalized for every
    region, and brought to `embedding` values; the standardized measures join them as they are.
    The regions of a bag are pooled, and one linear layer decides. It starts with zeros for
    the pixels, so that a start from the measures (`start_from_measures`) is exactly a logistic
    regression on them; pixels then learn what measures do not say.

    Args:
        encode: Of images with `channels` channels, and one more if there is a mask channel;
            `None` without pixels.
        channels: Channels of the images.
        num_measures: Columns of `measures`; 0 for none.
        pooling: Of the regions of a bag, `"mean"`, `"max"` or `"attention"`.
        mask_channel: `images` have the mask as one more channel, the last.
        embedding: Values that stand for the pixels of a region.
        attention: Units of the attention.
        dropout: Share of the pixels' values left out in training.
        pixels: False for a classifier on measures alone.
        penalty: Of the squared length of the decision's kernel, added to the loss.
        seed: Of the dropout; initial weights follow `keras.utils.set_random_seed`.

    Raises:
        ConfigError: If the pooling does not exist or there is nothing to decide on.
    """
    if pooling not in POOLINGS:
        raise ConfigError(f"Expected a pooling of {', '.join(POOLINGS)}; received {pooling!r}.")
    if pixels == (encode is None):
        raise ConfigError("Expected an encoder for a classifier on pixels, and none without them.")
    if not pixels and not num_measures:
        raise ConfigError("A classifier needs pixels, measures, or both; neither was asked for.")
    inputs, parts = [], []
    if encode is not None:
        images = keras.Input((None, None, channels + mask_channel), name="images")
        masks = keras.Input((None, None), name="masks")
        inputs += [images, masks]
        parts.append(_look(encode, images, masks, embedding, dropout, seed))
    if num_measures:
        measures = keras.Input((num_measures,), name="measures")
        inputs.append(measures)
        parts.append(Standardize(dtype="float32", name="standardize")(measures))
    bags = keras.Input((None,), name="bags")
    join = layers.Concatenate(dtype="float32", name="join")
    embeddings = join(parts) if len(parts) > 1 else parts[0]
    decide = layers.Dense(
        1,
        kernel_initializer="zeros",
        kernel_regularizer=keras.regularizers.L2(penalty) if penalty else None,
        dtype="float32",
        name="decision",
    )
    pool = POOLINGS[pooling](attention, dtype="float32", name="pooling")
    pooled, _ = pool(embeddings, decide(embeddings), bags)
    return keras.Model([*inputs, bags], decide(pooled))


def build_classifier(
    name: str = "region",
    *,
    encoder_name: str = "plain",
    channels: int = 3,
    num_measures: int = 0,
    outside: str = "kept",
    pooling: str = "attention",
    size: int = 256,
    weights: str | Path | None = None,
    alpha: float = 1.0,
    taps: Mapping[int, str] | None = None,
    encoder_widths: Sequence[int] = (32, 64, 128, 256, 512),
    pixel_range: tuple[float, float] = (0.0, 255.0),
    embedding: int = 64,
    attention: int = 64,
    dropout: float = 0.2,
    pixels: bool = True,
    penalty: float = 0.0,
    seed: int | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """A classifier by its name.

    Args:
        name: `"region"` for `region_classifier`, `"reference"` for `reference_cnn`, which is made
            of `channels`, `size` and `pixel_range` only.
        encoder_name: One of `ENCODERS`.
        channels: Channels of the images, without that of the mask.
        num_measures: Columns of `measures`; 0 for none.
        outside: What crops show outside the mask; `"channel"` adds a channel for the mask.
        pooling: Of the regions of a bag, `"mean"`, `"max"` or `"attention"`.
        size: Side of the reference's images in pixels; the other classifier takes any.
        weights: Of the encoder; see `encoder`.
        alpha: Width of a MobileNet.
        taps: Stride to layer of the encoder; see `encoder`.
        encoder_widths: Channels of the plain encoder, fine to coarse.
        pixel_range: Values of the images that stand for black and white.
        embedding: Values that stand for the pixels of a region.
        attention: Units of the attention.
        dropout: Share of the pixels' values left out in training.
        pixels: False for a classifier on measures alone.
        penalty: Of the squared length of the decision's kernel, added to the loss.
        seed: Of the dropout; initial weights follow `keras.utils.set_random_seed`.
        synchronized: Batch statistics over all workers.

    Raises:
        ConfigError: If a name does not exist or settings do not go together.
    """
    if outside not in OUTSIDE:
        raise ConfigError(f"Expected outside to be {', '.join(OUTSIDE)}; received {outside!r}.")
    if name == "reference":
        if outside == "channel":
            raise ConfigError(
                'The reference takes no mask channel; expected outside "removed", received '
                '"channel".'
            )
        return reference_cnn(channels=channels, size=size, pixel_range=pixel_range)
    if name != "region":
        raise ConfigError(f"Expected a classifier of {', '.join(CLASSIFIERS)}; received {name!r}.")
    mask_channel = outside == "channel"
    encode = None
    if pixels:
        encode = encoder(
            encoder_name,
            channels=channels,
            extra_channels=int(mask_channel),
            weights=weights,
            alpha=alpha,
            taps=taps,
            widths=encoder_widths,
            pixel_range=pixel_range,
            synchronized=synchronized,
        )
    return region_classifier(
        encode,
        channels=channels,
        num_measures=num_measures,
        pooling=pooling,
        mask_channel=mask_channel,
        embedding=embedding,
        attention=attention,
        dropout=dropout,
        pixels=pixels,
        penalty=penalty,
        seed=seed,
    )


def with_weights(model: keras.Model) -> keras.Model:
    """The same classifier, which also tells what each region did.

    Returns:
        Model of the same inputs to `logits (b, 1)`; `weights (b, n)`, the share of each region in
        its bag, rows sum to 1; and `region_logits (n, 1)`, the decision on each region alone.
    """
    pooling = model.get_layer("pooling")
    told = {
        "logits": model.outputs[0],
        "weights": pooling.output[1],
        "region_logits": pooling.input[1],
    }
    return keras.Model(model.inputs, told)


def parts(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """A classifier in two: one looks at regions, any few at a time, the other joins them.

    Returns:
        Model of the inputs but for `bags` to `embeddings (n, d)` and `region_logits (n, 1)`, and
        model of both and `bags` to `logits (b, 1)` and `weights (b, n)`.
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
    """Set what the model standardizes measures by to the mean and deviation of some regions.

    Args:
        model: A classifier with measures.
        vectors: Measures of the regions to learn from, `(n, m)`; one that hardly varies is
            counted as constant and gives 0 from then on.

    Returns:
        The vectors as the model then sees them, `(n, m)`: what a logistic regression for
        `start_from_measures` is fitted on.

    Raises:
        ModelError: If the model takes no measures, or another number of them.
        DataError: If there are no vectors, or one is not finite.
    """
    layer = _measuring(model)
    values = np.asarray(vectors, np.float64)
    expected = int(layer.mean.shape[0])
    if values.ndim != 2 or values.shape[1] != expected:
        raise ModelError(f"The model takes {expected} measures; received {values.shape}.")
    if not len(values) or not np.isfinite(values).all():
        raise DataError("Expected finite measures of one region or more; check the masks.")
    mean, std = values.mean(0), values.std(0)
    std[std <= _CONSTANT * np.maximum(np.abs(mean), 1)] = 0
    layer.mean.assign(mean.astype(np.float32))
    layer.std.assign(std.astype(np.float32))
    return keras.ops.convert_to_numpy(layer(values.astype(np.float32)))


def start_from_measures(model: keras.Model, kernel: np.ndarray, bias: float) -> None:
    """Set the part of the decision that comes from measures; that of the pixels stays.

    Args:
        model: A classifier with measures.
        kernel: Weight of each standardized measure in the logit, `(m,)`.
        bias: Of the logit.

    Raises:
        ModelError: If the model takes no measures, or another number of them.
    """
    expected = int(_measuring(model).mean.shape[0])
    values = np.asarray(kernel, np.float32)
    if values.shape != (expected,):
        raise ModelError(f"The model takes {expected} measures; received {values.shape}.")
    decide = model.get_layer("decision")
    whole = keras.ops.convert_to_numpy(decide.kernel).copy()
    whole[-expected:, 0] = values
    decide.kernel.assign(whole)
    decide.bias.assign(np.array([bias], np.float32))


def _measuring(model: keras.Model) -> Standardize:
    for layer in model.layers:
        if isinstance(layer, Standardize):
            return layer
    raise ModelError("Expected a classifier with measures; this one takes none.")


def _look(
    encode: Encoder, images: Tensor, masks: Tensor, embedding: int, dropout: float, seed: int | None
) -> Tensor:
    """What the pixels inside the mask say, `(n, embedding)`."""
    features = encode(PadToMultiple(max(encode.strides), name="pad")(images))
    pooled = []
    for stride in sorted(features)[-_LEVELS:]:
        x = PoolInside(stride, dtype="float32", name=f"inside{stride}")(features[stride], masks)
        pooled.append(layers.LayerNormalization(name=f"inside{stride}_norm")(x))
    x = layers.Concatenate(name="strides")(pooled) if len(pooled) > 1 else pooled[0]
    x = layers.Dense(embedding, activation="relu", name="embedding")(x)
    return layers.Dropout(dropout, seed=seed, name="dropout")(x) if dropout else x
