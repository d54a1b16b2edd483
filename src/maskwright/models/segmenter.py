"""Join an encoder and a decoder to a model from images to logits."""

from collections.abc import Callable

import keras
from keras import layers

from maskwright.errors import ConfigError
from maskwright.models.blocks import BilinearUpsampling, CropLike, PadToMultiple, Tensor
from maskwright.models.decoders import Decoded, Decoder
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
        num_classes: Channels of the logits; 1 stands for two classes, by the logit of the second.
        channels: Channels of the images.
        dropout: Share of the last features' channels left out in training.
        seed: Of the dropout.
        head: Function of `(features, num_classes, stride)` to logits at stride 1, in place of a
            1x1 convolution and bilinear enlargement.
        deep_supervision: Give the logits of the decoder's auxiliary features behind the main ones,
            as a list, for a loss of their own; `main_model` leaves them out again.

    Raises:
        ConfigError: If the decoder has no auxiliary features to supervise.

    Source of deep supervision: Lee et al., Deeply-supervised nets, 2015.
    """
    images = keras.Input((None, None, channels), name="images")
    found = decode(encode(PadToMultiple(max(encode.strides), name="pad")(images)))
    return keras.Model(
        images,
        read_classes(
            images,
            found,
            num_classes,
            dropout=dropout,
            seed=seed,
            head=head,
            deep_supervision=deep_supervision,
        ),
    )


def read_classes(
    images: Tensor,
    found: Decoded,
    num_classes: int,
    *,
    dropout: float = 0.0,
    seed: int | None = None,
    head: Head | None = None,
    deep_supervision: bool = False,
) -> Tensor | list[Tensor]:
    """Logits of images from what a decoder found in them; arguments are those of `segmenter`."""
    x = found.features
    if dropout:
        x = layers.SpatialDropout2D(dropout, seed=seed, name="dropout")(x)
    logits = (head or bilinear_head)(x, num_classes, found.stride)
    logits = CropLike(name="logits", dtype="float32")([logits, images])
    if not deep_supervision:
        return logits
    if not found.auxiliary:
        raise ConfigError(
            "Deep supervision needs a decoder with steps in between; this one has none: leave it "
            "out, or take another decoder or an encoder with more strides."
        )
    outputs = [logits]
    for number, (features, stride) in enumerate(found.auxiliary, start=1):
        more = bilinear_head(features, num_classes, stride, f"auxiliary{number}_")
        outputs.append(CropLike(name=f"auxiliary{number}", dtype="float32")([more, images]))
    return outputs


def main_model(model: keras.Model) -> keras.Model:
    """The model without its auxiliary logits, on the same weights; itself where it has none."""
    if not any(name.startswith("auxiliary") for name in model.output_names):
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def bilinear_head(x: Tensor, num_classes: int, stride: int, prefix: str = "") -> Tensor:
    """1x1 convolution to the classes, then bilinear enlargement to the image."""
    x = layers.Conv2D(num_classes, 1, name=f"{prefix}classes")(x)
    return BilinearUpsampling(stride, dtype="float32", name=f"{prefix}enlarge")(x)
