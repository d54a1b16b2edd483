"""Encoders: from images to features by stride, `{2: …, 4: …, 8: …}`.

Each holds its own pixel scaling, so that every model here takes pixels as files have them, 0 to
255. Pretrained families come from `keras.applications`; one plain encoder learns from nothing.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import applications, layers

from maskwright.errors import ConfigError, ModelError
from maskwright.models.blocks import Norm, Tensor, conv_block

Features = dict[int, Tensor]

_IMAGENET_MEAN = (123.675, 116.28, 103.53)
_IMAGENET_STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Encoder:
    """A function from images to features by stride.

    Args:
        model: Images `(b, h, w, c)` to a list of features; it scales the pixels itself.
        strides: Of those features, in their order.
    """

    model: keras.Model
    strides: tuple[int, ...]

    def __call__(self, images: Tensor) -> Features:
        """Features `(b, h / stride, w / stride, channels)` by stride."""
        return dict(zip(self.strides, self.model(images), strict=True))


@dataclass(frozen=True)
class Family:
    """One network of `keras.applications` as an encoder.

    Args:
        build: The constructor.
        mean: Subtracted from pixels of 0 to 255, RGB, before dividing by `std`.
        std: See `mean`.
        bgr: The published weights expect blue first.
        options: Further arguments of the constructor.
        taps: Layers to take instead of the last one at a stride.
    """

    build: Callable[..., keras.Model]
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    std: tuple[float, float, float] = (127.5, 127.5, 127.5)
    bgr: bool = False
    options: Mapping[str, Any] | None = None
    taps: Mapping[int, str] | None = None


_BARE = {"include_preprocessing": False}


def _normalised(build: Callable[..., keras.Model]) -> Family:
    return Family(build, mean=_IMAGENET_MEAN, std=_IMAGENET_STD, options=_BARE)


FAMILIES: dict[str, Family] = {
    # The last layer at stride 32 would be a 1280-channel one made for classification.
    "mobilenet_v2": Family(applications.MobileNetV2, taps={32: "block_16_project_BN"}),
    "mobilenet_v3_small": Family(applications.MobileNetV3Small, options=_BARE),
    "mobilenet_v3_large": Family(applications.MobileNetV3Large, options=_BARE),
    "efficientnet_v2_b0": _normalised(applications.EfficientNetV2B0),
    "efficientnet_v2_b1": _normalised(applications.EfficientNetV2B1),
    "efficientnet_v2_b2": _normalised(applications.EfficientNetV2B2),
    "efficientnet_v2_b3": _normalised(applications.EfficientNetV2B3),
    "efficientnet_v2_s": Family(
        applications.EfficientNetV2S, mean=(128,) * 3, std=(128,) * 3, options=_BARE
    ),
    "resnet50": Family(
        applications.ResNet50, mean=(123.68, 116.779, 103.939), std=(1, 1, 1), bgr=True
    ),
    "convnext_tiny": _normalised(applications.ConvNeXtTiny),
    "convnext_small": _normalised(applications.ConvNeXtSmall),
}
ENCODERS = ("plain", *FAMILIES)


def encoder(
    name: str,
    *,
    channels: int = 3,
    extra_channels: int = 0,
    weights: str | Path | None = None,
    alpha: float = 1.0,
    taps: Mapping[int, str] | None = None,
    widths: Sequence[int] = (32, 64, 128, 256, 512),
    pixel_range: tuple[float, float] = (0.0, 255.0),
    norm: Norm = "batch",
    output_stride: int = 32,
    synchronised: bool = False,
) -> Encoder:
    """Encoder of a family, as one nested model named `"encoder"` that `freeze` finds.

    Args:
        name: One of `ENCODERS`.
        channels: Channels of the images. Pretrained first convolutions are adapted: summed over
            colours for one channel, their mean spread evenly for other numbers.
        extra_channels: Behind those of the image, in the same range of values; a mask, say.
            Pretrained first convolutions begin with zeros for them.
        weights: `"imagenet"` (downloaded by Keras), a file of the same network's weights without
            its top as `keras.applications` writes them, or `None` for random ones.
        alpha: Width of the MobileNets.
        taps: Stride to layer name, in place of the last layer of each stride; strides left out
            are not given.
        widths: Channels of the plain encoder at strides 1, 2, 4, …
        pixel_range: Values of the images that stand for black and white.
        norm: Of the plain encoder; pretrained ones have their own.
        output_stride: Coarsest stride; 8 or 16 trade later strides for dilation.
        synchronised: Batch statistics of the plain encoder over all workers.

    Raises:
        ConfigError: If the name, or a tap, does not exist.
        ModelError: If the weights do not fit.
    """
    if name == "plain":
        if weights is not None:
            raise ConfigError("The plain encoder has no pretrained weights; leave them out.")
        if taps is not None:
            raise ConfigError("The plain encoder gives features at every stride; leave taps out.")
        return _plain(widths, channels, extra_channels, pixel_range, norm, synchronised)
    if name in FAMILIES:
        return _pretrained(name, channels, extra_channels, weights, alpha, taps, pixel_range)
    raise ConfigError(f"Expected an encoder of {', '.join(ENCODERS)}; received {name!r}.")


def freeze(model: keras.Model, frozen: bool, fix_statistics: bool = True) -> None:
    """Freeze the encoder of a model, or let it learn.

    Args:
        model: A model with a layer named `"encoder"`.
        frozen: Nothing in the encoder learns.
        fix_statistics: Batch normalisations of the encoder stay as they were pretrained even when
            the rest learns: with small batches their statistics are too noisy, and a third
            of the time of a step goes into them.
    """
    inner = model.get_layer("encoder")
    inner.trainable = not frozen
    if fix_statistics and not frozen:
        for layer in inner.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.trainable = False


def _scaling(
    mean: Sequence[float],
    std: Sequence[float],
    channels: int,
    extra: int,
    pixel_range: tuple[float, float],
) -> keras.layers.Layer:
    grey_mean, grey_std = float(np.mean(mean)), float(np.mean(std))
    if channels != 3:
        mean, std = [grey_mean] * channels, [grey_std] * channels
    mean, std = [*mean, *[grey_mean] * extra], [*std, *[grey_std] * extra]
    low, high = pixel_range
    if not high > low:
        raise ConfigError(f"Expected a pixel range that rises, received {low} to {high}.")
    to_bytes = 255.0 / (high - low)
    scale = [to_bytes / s for s in std]
    offset = [(-low * to_bytes - m) / s for m, s in zip(mean, std, strict=True)]
    return layers.Rescaling(scale, offset, name="pixel_scaling")


def _plain(
    widths: Sequence[int],
    channels: int,
    extra: int,
    pixel_range: tuple[float, float],
    norm: Norm,
    synchronised: bool,
) -> Encoder:
    """Two 3x3 convolutions at each stride, maxima of 2x2 in between."""
    images = keras.Input((None, None, channels + extra))
    x = _scaling((127.5,) * 3, (127.5,) * 3, channels, extra, pixel_range)(images)
    features = []
    for level, width in enumerate(widths):
        if level:
            x = layers.MaxPooling2D(name=f"stride{2**level}_pool")(x)
        for step in "ab":
            x = conv_block(
                x, width, norm=norm, synchronised=synchronised, name=f"stride{2**level}{step}"
            )
        features.append(x)
    strides = tuple(2**level for level in range(len(widths)))
    return Encoder(keras.Model(images, features, name="encoder"), strides)


def _pretrained(
    name: str,
    channels: int,
    extra: int,
    weights: str | Path | None,
    alpha: float,
    taps: Mapping[int, str] | None,
    pixel_range: tuple[float, float],
) -> Encoder:
    family = FAMILIES[name]
    options = dict(family.options or {})
    if name.startswith("mobilenet"):
        options["alpha"] = alpha
    elif alpha != 1.0:
        raise ConfigError(f"Only the MobileNets have a width `alpha`; {name} was given {alpha}.")

    def build(**arguments: Any) -> keras.Model:
        with warnings.catch_warnings():
            # Keras warns of sizes and channels that it has no weights for; they are adapted here.
            warnings.simplefilter("ignore", UserWarning)
            return family.build(include_top=False, **options, **arguments)

    images = keras.Input((None, None, channels + extra))
    scaled = _scaling(family.mean, family.std, channels, extra, pixel_range)(images)
    network = build(weights=None, input_tensor=scaled, input_shape=images.shape[1:])
    if weights is not None:
        _copy_weights(_load(build, name, weights), network, family.bgr, extra)
    if taps is None:
        found = {s: network.layers[place].name for s, place in _last_at_stride(build).items()}
        taps = {**found, **(family.taps or {})}
    strides = tuple(sorted(taps))
    known = {layer.name: layer.output for layer in network.layers}
    missing = [tap for tap in taps.values() if tap not in known]
    if missing:
        raise ConfigError(f"{name} has no layer named {', '.join(missing)}.")
    outputs = [known[taps[stride]] for stride in strides]
    return Encoder(keras.Model(images, outputs, name="encoder"), strides)


def _load(build: Callable[..., keras.Model], name: str, weights: str | Path) -> keras.Model:
    shape = (None, None, 3)
    if weights == "imagenet":
        try:
            return build(weights="imagenet", input_shape=shape)
        except Exception as error:
            raise ModelError(
                f"Keras could not download the ImageNet weights of {name}: {error}. Give a file "
                "of weights, or none."
            ) from error
    path = Path(weights)
    if not path.is_file():
        raise ModelError(
            f'Expected encoder weights "imagenet", none, or a file; there is no file {path}.'
        )
    model = build(weights=None, input_shape=shape)
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"The weights in {path} do not fit {name} without its top ({reason}); check the "
            "encoder and its alpha."
        ) from error
    return model


def _copy_weights(source: keras.Model, target: keras.Model, bgr: bool, extra: int) -> None:
    """Copy weights between equal networks that may differ in the number of input channels.

    The last `extra` of them are given zeros.
    """
    pairs = zip(_weighted(source), _weighted(target), strict=True)
    for position, (theirs, ours) in enumerate(pairs):
        values = theirs.get_weights()
        if position == 0:
            kernel = values[0][:, :, ::-1] if bgr else values[0]
            kernel = adapt_kernel(kernel, ours.weights[0].shape[2] - extra)
            values[0] = np.pad(kernel, ((0, 0), (0, 0), (0, extra), (0, 0)))
        ours.set_weights(values)


def _weighted(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in model.layers if layer.weights]


def adapt_kernel(kernel: np.ndarray, channels: int) -> np.ndarray:
    """A first convolution `(h, w, 3, out)` for another number of channels.

    A grey image gives what the same image in three equal colours gave; with other numbers, so
    does an image that is equal in all channels.
    """
    if channels == kernel.shape[2]:
        return kernel
    total = kernel.sum(axis=2, keepdims=True)
    return np.repeat(total / channels, channels, axis=2)


def _last_at_stride(build: Callable[..., keras.Model]) -> dict[int, int]:
    """Place of the last layer at each stride, counted from the end of the network.

    Read off at a size that halves evenly. Places and not names: some families number their layers
    anew in every model, and the scaling in front adds a layer.
    """
    side = 256
    places = {}
    chain = build(weights=None, input_shape=(side, side, 3)).layers
    for place, layer in enumerate(chain):
        shape = layer.output.shape
        if len(shape) == 4 and shape[1] and 1 < shape[1] < side and side % shape[1] == 0:
            places[side // shape[1]] = place - len(chain)
    return places
