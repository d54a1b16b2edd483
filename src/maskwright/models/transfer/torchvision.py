"""torchvision's Mask R-CNN with a ResNet-50 and a feature pyramid as a network of ours.

Each of our layers has a name there, and numbers in another order: convolutions are `(out, in, h,
w)`, boxes begin with their horizontal side, and the box head flattens channels first.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from keras import layers

from maskwright.errors import ModelError
from maskwright.models.blueprint import Blueprint
from maskwright.models.encoders.resnet import RESNETS
from maskwright.models.rcnn import PROFILES
from maskwright.models.tensor_files import read_tensors
from maskwright.models.transfer.pretrained import BACKGROUND, Pretrained, leaf_layers

_ENCODER = "resnet50_v1_5"
_YXHW = [1, 0, 3, 2]
"""Places of our codes of a box, vertical before horizontal, in theirs."""
_EPSILON = 0.0
"""Added to variances by torchvision's published weights; 1e-5 with weights of one's own."""

COCO_NAMES = (
    *(BACKGROUND, "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck"),
    *("boat", "traffic light", "fire hydrant", "", "stop sign", "parking meter", "bench", "bird"),
    *("cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", ""),
    *("backpack", "umbrella", "", "", "handbag", "tie", "suitcase", "frisbee", "skis"),
    *("snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard"),
    *("surfboard", "tennis racket", "bottle", "", "wine glass", "cup", "fork", "knife", "spoon"),
    *("bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza"),
    *("donut", "cake", "chair", "couch", "potted plant", "bed", "", "dining table", "", ""),
    *("toilet", "", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave"),
    *("oven", "toaster", "sink", "refrigerator", "", "book", "clock", "vase", "scissors"),
    *("teddy bear", "hair drier", "toothbrush"),
)
"""Classes of COCO by their numbers there, of which some stand for none."""


def read_torchvision(path: Path) -> Pretrained:
    """Weights of `torchvision.models.detection.maskrcnn_resnet50_fpn` from a file of its tensors.

    With the profile `torchvision`, the network gives the features and outputs that torchvision's
    does for an image whose sides are multiples of 32; others, torchvision pads with zeros.

    Raises:
        ModelError: If the file cannot be read, or lacks a tensor or holds one of another shape.
    """
    tensors = {_published(name): tensor for name, tensor in read_tensors(path).items()}
    predictor = tensors.get("roi_heads.box_predictor.cls_score.bias")
    if predictor is None or predictor.ndim != 1 or len(predictor) < 2:
        raise ModelError(
            f"{path} holds no weights of torchvision's maskrcnn_resnet50_fpn: there is no "
            f"roi_heads.box_predictor.cls_score.bias among its {len(tensors)} tensors."
        )
    numbers = asdict(PROFILES["torchvision"])
    arguments = {"num_classes": len(predictor) - 1, "encoder_name": _ENCODER, "numbers": numbers}
    blueprint = Blueprint("detector", arguments)
    model = blueprint.build()
    places = dict(_places())
    for layer in leaf_layers(model):
        source = places[layer.name]
        try:
            layer.set_weights(_values(layer, source, tensors, path))
        except ValueError as error:
            raise ModelError(
                f"{source} in {path} has not the shape that it has in torchvision's "
                f"maskrcnn_resnet50_fpn: {error}"
            ) from None
    known = len(predictor) == len(COCO_NAMES)
    names = COCO_NAMES if known else (BACKGROUND, *[""] * (len(predictor) - 1))
    return Pretrained(path, blueprint, model, names)


def _published(name: str) -> str:
    """Name as in the published file; since 0.14, torchvision writes some with more numbers."""
    name = re.sub(r"^(backbone\.fpn\.\w+_blocks\.\d)\.0\.", r"\1.", name)
    name = re.sub(r"^rpn\.head\.conv\.0\.0\.", "rpn.head.conv.", name)
    for number in range(4):
        old = rf"^roi_heads\.mask_head\.{number}\.0\."
        name = re.sub(old, f"roi_heads.mask_head.mask_fcn{number + 1}.", name)
    return name


def _places() -> Iterator[tuple[str, str]]:
    """Each of our layers, and its name in torchvision."""
    body, fpn, rpn, heads = "backbone.body.", "backbone.fpn.", "rpn.head.", "roi_heads."
    yield "stem_conv", f"{body}conv1"
    yield "stem_norm", f"{body}bn1"
    for level, blocks in enumerate(RESNETS[_ENCODER], start=1):
        for block in range(blocks):
            ours, theirs = f"stride{2 * 2**level}_block{block + 1}", f"{body}layer{level}.{block}."
            for number, letter in enumerate("abc", start=1):
                yield f"{ours}{letter}_conv", f"{theirs}conv{number}"
                yield f"{ours}{letter}_norm", f"{theirs}bn{number}"
            if block == 0:
                yield f"{ours}_beside_conv", f"{theirs}downsample.0"
                yield f"{ours}_beside_norm", f"{theirs}downsample.1"
        stride = 2 * 2**level
        yield f"lateral{stride}", f"{fpn}inner_blocks.{level - 1}"
        yield f"pyramid{stride}", f"{fpn}layer_blocks.{level - 1}"
    yield "anchors_conv", f"{rpn}conv"
    yield "anchors_logits", f"{rpn}cls_logits"
    yield "anchors_codes", f"{rpn}bbox_pred"
    for number in (1, 2):
        yield f"box_dense{number}", f"{heads}box_head.fc{number + 5}"
    yield "box_logits", f"{heads}box_predictor.cls_score"
    yield "box_codes", f"{heads}box_predictor.bbox_pred"
    for number in range(1, 5):
        yield f"mask_conv{number}", f"{heads}mask_head.mask_fcn{number}"
    yield "mask_up", f"{heads}mask_predictor.conv5_mask"
    yield "mask_logits", f"{heads}mask_predictor.mask_fcn_logits"


def _values(
    layer: layers.Layer, source: str, tensors: Mapping[str, np.ndarray], path: Path
) -> list[np.ndarray]:
    """Weights of one of our layers, in its order, from those of `source`."""

    def tensor(part: str) -> np.ndarray:
        if f"{source}.{part}" not in tensors:
            raise ModelError(
                f"{path} lacks {source}.{part}; expected all tensors of torchvision's "
                f"maskrcnn_resnet50_fpn."
            )
        return tensors[f"{source}.{part}"].astype(np.float32)

    if isinstance(layer, layers.BatchNormalization):
        mean, variance = tensor("running_mean"), tensor("running_var")
        # So that the product is theirs, although ours adds more to the variance.
        scale = np.sqrt((variance + layer.epsilon) / np.maximum(variance + _EPSILON, 1e-12))
        return [tensor("weight") * scale, tensor("bias"), mean, variance]
    kernel = tensor("weight")
    values = [kernel] if not layer.use_bias else [kernel, tensor("bias")]
    if layer.name in ("anchors_codes", "box_codes"):
        grouped = [value.reshape(-1, 4, *value.shape[1:])[:, _YXHW] for value in values]
        first = int(layer.name == "box_codes")  # torchvision has a box of the background, too
        values = [v[first:].reshape(-1, *v.shape[2:]) for v in grouped]
    elif layer.name == "mask_logits":
        values = [value[1:] for value in values]
    elif layer.name == "box_dense1":
        channels, side = PROFILES["torchvision"].pyramid_width, PROFILES["torchvision"].box_size
        by_place = kernel.reshape(-1, channels, side, side).transpose(0, 2, 3, 1)
        values[0] = by_place.reshape(len(kernel), -1)
    order = (2, 3, 1, 0) if values[0].ndim == 4 else (1, 0)
    values[0] = values[0].transpose(order)
    return values
