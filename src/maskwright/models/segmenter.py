"""Join an encoder and a decoder to a model from images to logits."""

from collections.abc import Callable

import keras
from keras import layers

from maskwright.models.blocks import BilinearUpsampling, CropLike, PadToMultiple, Tensor
from maskwright.models.encoders import Encoder, Features

Decoder = Callable[[Features], Tensor]
Head = Callable[[Tensor, int, int], Tensor]


def segmenter(
    encode: Encoder,
    decode: Decoder,
    num_classes: int,
    *,
    channels: int = 3,
    dropout: float = 0.0,
    seed: int | None = None,
    head: Head | None = None,
) -> keras.Model:
    """Model from images of any size to float32 logits `(b, h, w, num_classes)` of the same size.

    Args:
        encode: Images to features by stride.
        decode: Features by stride to features at the finest.
        num_classes: Channels of the logits; 1 stands for two classes, by the logit of the second.
        channels: Channels of the images.
        dropout: Share of the last features' channels left out in training.
        seed: Of the dropout.
        head: Function of `(features, num_classes, stride)` to logits at stride 1, in place of a
            1x1 convolution and bilinear enlargement.
    """
    images = keras.Input((None, None, channels), name="images")
    features = encode(PadToMultiple(max(encode.strides), name="pad")(images))
    x = decode(features)
    if dropout:
        x = layers.SpatialDropout2D(dropout, seed=seed, name="dropout")(x)
    logits = (head or bilinear_head)(x, num_classes, min(features))
    return keras.Model(images, CropLike(name="logits", dtype="float32")([logits, images]))


def bilinear_head(x: Tensor, num_classes: int, stride: int) -> Tensor:
    """1x1 convolution to the classes, then bilinear enlargement to the image."""
    x = layers.Conv2D(num_classes, 1, name="classes")(x)
    return BilinearUpsampling(stride, dtype="float32", name="enlarge")(x)
