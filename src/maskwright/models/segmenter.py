"""Join an encoder and a decoder to a model from images to logits."""

from collections.abc import Callable, Mapping
from functools import partial

import keras
from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import BilinearUpsampling, CropLike, PadToMultiple, Tensor
from maskwright.models.decoders import Decoder
from maskwright.models.encoders import Encoder

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
    deep_supervision: bool = False,
) -> keras.Model:
    """Model from images of any size to float32 logits `(b, h, w, num_classes)` of the same size.

    Args:
        encode: Images to features by stride.
        decode: Features by stride to those that the classes are read from.
        num_classes: 1 stands for two classes, by the logit of the second.
        channels: Channels of the images.
        dropout: Share of the last features' channels left out in training.
        seed: Of the dropout.
        head: One of the functions in `HEADS`, or one like them.
        deep_supervision: Give the logits of the decoder's auxiliary features behind the main ones,
            as a list, for a loss of their own; `main_model` leaves them out again.

    Raises:
        ConfigError: If the decoder has no auxiliary features to supervise.

    Source of deep supervision: Lee et al., Deeply-supervised nets, 2015.
    """
    images = keras.Input((None, None, channels), name="images")
    decoded = decode(encode(PadToMultiple(max(encode.strides), name="pad")(images)))
    x = decoded.features
    if dropout:
        x = layers.SpatialDropout2D(dropout, seed=seed, name="dropout")(x)
    logits = (head or bilinear_head)(x, num_classes, decoded.stride)
    logits = CropLike(name="logits", dtype="float32")([logits, images])
    if not deep_supervision:
        return keras.Model(images, logits)
    if not decoded.auxiliary:
        raise ConfigError(
            "Deep supervision requires a decoder with intermediate levels: omit it, or use another "
            "decoder or an encoder with more strides."
        )
    outputs = [logits]
    for number, (features, stride) in enumerate(decoded.auxiliary, start=1):
        x = bilinear_head(features, num_classes, stride, f"auxiliary{number}_")
        outputs.append(CropLike(name=f"auxiliary{number}", dtype="float32")([x, images]))
    return keras.Model(images, outputs)


def main_model(model: keras.Model) -> keras.Model:
    """The model without its auxiliary logits, on the same weights; itself where it has none."""
    if not any(name.startswith("auxiliary") for name in model.output_names):
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def bilinear_head(
    x: Tensor, num_classes: int, stride: int, prefix: str = "", kernel: int = 1
) -> Tensor:
    """Convolution to the classes, then bilinear enlargement to the image."""
    x = layers.Conv2D(num_classes, kernel, padding="same", name=f"{prefix}classes")(x)
    return BilinearUpsampling(stride, dtype="float32", name=f"{prefix}enlarge")(x)


def transposed_head(x: Tensor, num_classes: int, stride: int) -> Tensor:
    """Transposed convolution to the classes at the size of the image; of LinkNet."""
    return layers.Conv2DTranspose(num_classes, stride, stride, name="classes")(x)


HEADS: Mapping[str, Head] = {
    "bilinear": bilinear_head,
    "convolution": partial(bilinear_head, kernel=3),  # of U-Net 3+
    "transposed": transposed_head,
}
"""From the features of a decoder to logits, by name."""
