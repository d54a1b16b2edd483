"""Means over all pixels of the channels of the encoder, from which unlike images are told."""

import keras
from keras import layers, ops

from maskwright.models.blocks import Tensor

FEATURES = "features"
"""Output of a model that holds the means of the channels."""
LOGITS = "logits"
"""Output of a model that holds the logits."""

_STRIDES = (8, 16)  # what is seen there is of parts of objects; finer is texture, coarser is class
_SIDE = 256  # of an image that strides are read off, px


def with_channel_means(model: keras.Model) -> keras.Model:
    """The model on the same weights, with the outputs `LOGITS` and `FEATURES`, `(b, d)` float32.

    `FEATURES` are the means over all pixels of each channel of the encoder at strides 8 and 16,
    side by side; where the encoder has neither, of its two coarsest strides. The model is one of
    `segmenter`, made or loaded, with its logits alone; the encoder runs once.
    """
    encoder = model.get_layer("encoder")
    (node,) = encoder._inbound_nodes  # its call in the model
    shapes = encoder.compute_output_shape((1, _SIDE, _SIDE, encoder.inputs[0].shape[-1]))
    strides = {_SIDE // shape[1]: place for place, shape in enumerate(shapes)}
    chosen = [stride for stride in _STRIDES if stride in strides] or sorted(strides)[-2:]
    means: list[Tensor] = []
    for stride in chosen:
        pooled = layers.GlobalAveragePooling2D(dtype="float32", name=f"means{stride}")
        means.append(pooled(node.output_tensors[strides[stride]]))
    features = means[0] if len(means) == 1 else ops.concatenate(means, axis=-1)
    return keras.Model(model.inputs[0], {LOGITS: model.outputs[0], FEATURES: features})
