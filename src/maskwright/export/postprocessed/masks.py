"""The network of a model of masks with all steps from the pixels of an image to its labels."""

from pathlib import Path
from typing import Any

from maskwright.export.formats.onnx_metadata import card_metadata, set_metadata
from maskwright.export.postprocessed import pixels
from maskwright.export.postprocessed.graph import (
    FLOAT,
    ONNX_TYPES,
    graph_text,
    read_network,
    surround,
)
from maskwright.model_card import SemanticCard


def write_masks(network: Path, out: Path, card: SemanticCard) -> None:
    """Write a network with scaling, padding or resizing, activation and decisions.

    It takes `images (b, h, w, channels)` of any size, in the pixel type of the card, or float32
    where the card states a pixel range. It gives `labels (b, h, w)`, or `masks (b, h, w, classes)`
    of classes that overlap, both uint8, and `probabilities (b, h, w, classes)`. Nothing is cut into
    tiles or cleaned.

    Args:
        network: ONNX file from `images` to `logits`.
    """
    import onnx

    whole = with_decisions(read_network(network), card)
    set_metadata(whole, card_metadata(card))
    onnx.save(whole, out)


def with_decisions(network: Any, card: SemanticCard) -> Any:
    """As `write_masks`, of an `onnx.ModelProto`."""
    kind = "float32" if card.pixel_range is not None else card.dtype
    before = [
        *pixels.lengths(),
        f"read = Cast <to = {FLOAT}> (images)",
        *pixels.stated_range("read", "pixels", card),
    ]
    logits, values = pixels.LOGITS, "probabilities"
    after = []
    if card.size is None:
        before += pixels.mirrored("pixels", pixels.IMAGES, card.tile)
        after += pixels.cropped(logits, "logits_inside")
        logits = "logits_inside"
    else:
        before += pixels.stretched("pixels", pixels.IMAGES, card.size, kind != "float32")
        values = "small_probabilities"
    after += pixels.probabilities(logits, values, card, logit_channels(network))
    if card.size is not None:
        after += pixels.stretched_back(values, "probabilities")
    after += pixels.decided(card)
    sides = "batch, height, width"
    classes = card.labels.num_classes
    decisions = f"uint8[{sides}, {classes}] masks" if card.overlapping else f"uint8[{sides}] labels"
    return surround(
        network,
        graph_text([f"{ONNX_TYPES[kind]}[{sides}, {card.channels}] images"], [], before),
        graph_text([], [decisions, f"float[{sides}, {classes}] probabilities"], after),
    )


def logit_channels(network: Any) -> int:
    """Channels of the output `logits` of an `onnx.ModelProto`."""
    (logits,) = (output for output in network.graph.output if output.name == "logits")
    return int(logits.type.tensor_type.shape.dim[-1].dim_value)
