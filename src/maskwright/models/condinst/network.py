"""CondInst: scores of cells and a small mask network for each object, in one stage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import keras
from keras import layers, ops
from keras.initializers import Constant, RandomNormal

from maskwright.errors import ConfigError
from maskwright.models.blocks import BilinearUpsampling, Norm, PadToMultiple, conv_block
from maskwright.models.condinst.config import CondInst
from maskwright.models.condinst.layers import Candidates, ConditionalMasks
from maskwright.models.decoders.multi_scale import pyramid
from maskwright.models.encoders import Encoder
from maskwright.models.segmenter import WIDTHS, NetworkSpec
from maskwright.types import MASK_STRIDE, PIXEL_STRIDE

_PRIOR_LOGIT = -4.6  # a score of 0.01, as focal losses start
_GROUP = Norm("group")  # batches of objects are small


@dataclass(frozen=True)
class CondInstSpec(NetworkSpec):
    """CondInst on an encoder for objects of `num_classes`, the background not among them.

    `numbers` are arguments of `CondInst`.
    """

    num_classes: int
    numbers: Mapping[str, Any]
    encoder_widths: Sequence[int] = field(default=WIDTHS, kw_only=True)

    def build(self) -> keras.Model:
        """The network; `ConfigError` if the encoder lacks a stride of the pyramid."""
        settings = CondInst(**self.numbers)
        return condinst(self.encoder(), self.num_classes, settings, channels=self.channels)


def condinst(
    encode: Encoder, num_classes: int, settings: CondInst, *, channels: int = 3
) -> keras.Model:
    """Model from images of any size to candidates of objects, best first.

    Args:
        encode: Images to features by stride, 4 and those of the pyramid up to its coarsest among
            them.
        num_classes: Of objects; the background is not among them.
        channels: Of the images.

    Returns:
        Model with a dict of outputs: `scores` `(b, n)`, 0 where there is no object; `labels`, int32
        from 1 `(b, n)`; `masks` `(b, n, h / 4, w / 4)`, the probability of each cell of the padded
        image; and `pixels` `(b, h / 2, w / 2, classes)`, the probability of each class there, which
        refines outlines. Several candidates may stand for one object.

    Raises:
        ConfigError: If the encoder lacks a stride of the pyramid.

    Sources: those of `CondInst`. There is no box head: boxes are those of the masks.
    """
    shared = tuple(stride for stride in settings.strides if stride <= max(encode.strides))
    if missing := sorted({*shared, MASK_STRIDE} - set(encode.strides)):
        raise ConfigError(
            f"CondInst needs features at the strides {missing}, which the encoder lacks; use "
            f"another encoder or more `encoder_widths`, or set `strides` of `detector`."
        )
    images = keras.Input((None, None, channels), name="images")
    features = encode.model(PadToMultiple(max(encode.strides), name="pad")(images))
    *levels, mask_features, pixels = _neck(encode, shared, num_classes, settings)(features)
    score = _towers(settings, num_classes)
    logits, heads = zip(*(score(level) for level in levels), strict=True)
    scales = [stride * settings.least_cells for stride in settings.strides]
    scores, labels, head, places, scale = Candidates(
        settings.strides, scales, settings.detections, name="candidates"
    )([list(logits), list(heads)])
    masks, scores = ConditionalMasks(settings.layer_sizes, name="conditional_masks")(
        [mask_features, head, places, scale, scores]
    )
    pixels = layers.Activation("sigmoid", name="pixels")(pixels)
    outputs = {"scores": scores, "labels": labels, "masks": masks, "pixels": pixels}
    return keras.Model(images, outputs)


def _neck(
    encode: Encoder, shared: tuple[int, ...], num_classes: int, settings: CondInst
) -> keras.Model:
    """Features of the encoder to those of the pyramid, finest first, then those of the mask branch
    at stride 4, and logits of the classes of pixels, at stride 2 where the encoder has it.
    """
    inputs = [keras.Input(output.shape[1:]) for output in encode.model.outputs]
    features = dict(zip(encode.strides, inputs, strict=True))
    made = pyramid({stride: features[stride] for stride in shared}, settings.pyramid_width)
    finest, width = shared[0], settings.mask_width
    parts = []
    for stride in shared:
        x = conv_block(made[stride], width, norm=_GROUP, name=f"mask{stride}")
        if stride > finest:
            x = BilinearUpsampling(stride // finest, name=f"mask{stride}_up")(x)
        parts.append(x)
    x = layers.Add(name="mask_sum")(parts) if len(parts) > 1 else parts[0]
    x = conv_block(x, width, norm=_GROUP, name="mask_mix")
    if finest > MASK_STRIDE:
        x = BilinearUpsampling(finest // MASK_STRIDE, name="mask_up")(x)
        fine = layers.Conv2D(width, 1, name="mask_fine")(features[MASK_STRIDE])
        x = layers.Add(name="mask_join")([x, fine])
    x = conv_block(x, width // 2, norm=_GROUP, name="mask_last")
    mask_features = layers.Conv2D(settings.mask_channels, 1, name="mask_features")(x)
    stride = MASK_STRIDE
    if settings.pixel_width and PIXEL_STRIDE in features:
        stride = PIXEL_STRIDE
        x = BilinearUpsampling(MASK_STRIDE // PIXEL_STRIDE, name="pixel_up")(x)
        fine = layers.Conv2D(settings.pixel_width, 1, name="pixel_fine")(features[PIXEL_STRIDE])
        x = layers.Conv2D(settings.pixel_width, 1, name="pixel_coarse")(x)
        x = layers.ReLU(name="pixel_relu")(layers.Add(name="pixel_join")([x, fine]))
        x = conv_block(x, settings.pixel_width, norm=Norm("none"), name="pixel_last")
    prior = Constant(_PRIOR_LOGIT / 2)
    pixels = layers.Conv2D(num_classes, 1, bias_initializer=prior, name="pixel_logits")(x)
    pooled = layers.AveragePooling2D(MASK_STRIDE // stride, name="pixel_pool")(pixels)
    any_object = ops.max(pooled, axis=-1, keepdims=True)
    mask_features = layers.Concatenate(name="mask_evidence")([mask_features, any_object])
    for finer, stride in pairwise(settings.strides[len(shared) - 1 :]):
        made[stride] = layers.MaxPooling2D(2, 2, padding="same", name=f"pyramid{stride}")(
            made[finer]
        )
    levels = [made[stride] for stride in settings.strides]
    return keras.Model(inputs, [*levels, mask_features, pixels], name="neck")


def _towers(settings: CondInst, num_classes: int) -> keras.Model:
    """Features of one level to class logits `(b, h, w, classes)` and the parameters of a mask head
    for each cell `(b, h, w, parameters)`.
    """
    width = settings.pyramid_width
    inputs = keras.Input((None, None, width))

    x = inputs
    for number in range(settings.tower_layers):
        x = conv_block(x, width, norm=_GROUP, name=f"tower{number + 1}")
    small = RandomNormal(0.0, 0.01)
    logits = layers.Conv2D(
        num_classes,
        *(3, 1, "same"),
        kernel_initializer=small,
        bias_initializer=Constant(_PRIOR_LOGIT),
        name="class_logits",
    )(x)
    heads = layers.Conv2D(
        settings.head_parameters, 3, padding="same", kernel_initializer=small, name="mask_heads"
    )(x)
    return keras.Model(inputs, [logits, heads], name="towers")
