"""The network of a model of masks as the QGIS plugin Deepness takes it.

Deepness gives tiles of a fixed size, float32 `(1, channels, side, side)` in [0, 1], sets values
below a threshold to 0, and takes the largest, or of a single one all that are left.
"""

from pathlib import Path
from typing import Any

from maskwright.export.formats.onnx_metadata import card_metadata, named_classes, set_metadata
from maskwright.export.postprocessed import pixels
from maskwright.export.postprocessed.graph import constant, graph_text, read_network, surround
from maskwright.export.postprocessed.masks import logit_channels
from maskwright.model_card import SemanticCard

DEEPNESS_FILE = "deepness.onnx"
"""Name of the file, in the folder of an artifact."""

_USUAL_SIDE_PX = 512
_OVERLAP = 25  # percent of a tile, of which half is cut away at each side


def refusal(card: SemanticCard) -> str | None:
    """Why Deepness cannot apply a model, or `None` where it can."""
    if card.overlapping:
        return "it gives each pixel one class, and the classes of this model overlap"
    if card.dtype != "uint8" or card.pixel_range is not None:
        return f"it reads pixels of 8 bits, and the model was trained on {card.dtype}"
    if card.size is not None:
        return "it cuts square tiles at their own scale, and the model resizes whole images"
    return None


def write_deepness(network: Path, out: Path, card: SemanticCard) -> None:
    """Write a network with the steps and `metadata_props` that Deepness expects; see `refusal`.

    `probabilities` are those of the classes, the background first; of two classes, that of the
    foreground alone, so that any threshold on the card holds.
    """
    import onnx

    side = card.tile or _USUAL_SIDE_PX
    proto = read_network(network)
    whole = _with_channels_first(proto, card, side)
    set_metadata(whole, {**card_metadata(card), **deepness_metadata(card, side)})
    onnx.save(whole, out)


def deepness_metadata(card: SemanticCard, side: int) -> dict[str, Any]:
    """Values by the keys that Deepness reads.

    The ground resolution, `resolution` in cm per pixel, is not known to a model.
    """
    names = [card.labels.names[label] for label in _order(card)]
    usual = 0.5 if len(names) == 2 else 0.0
    return {
        "model_type": "Segmentor",
        "class_names": named_classes(tuple(names)),
        "tile_size": side,
        "tiles_overlap": _OVERLAP,
        "seg_thresh": usual if card.threshold is None else card.threshold,
        "seg_small_segment": 0,
    }


def _order(card: SemanticCard) -> list[int]:
    """Labels, the background first: Deepness gives class 0 to pixels of no sure class."""
    labels = range(card.labels.num_classes)
    return sorted(labels, key=lambda label: label != card.background)


def _with_channels_first(network: Any, card: SemanticCard, side: int) -> Any:
    order = _order(card)
    chosen = order[1:] if len(order) == 2 else order
    before = [
        constant("white", "float", 255),
        "brightness = Mul (images, white)",
        "rounded = Round (brightness)",
        f"{pixels.IMAGES} = Transpose <perm = [0, 2, 3, 1]> (rounded)",
    ]
    after = [
        *pixels.probabilities(pixels.LOGITS, "of_labels", card, logit_channels(network)),
        constant("order", "int64", chosen),
        "of_classes = Gather <axis = -1> (of_labels, order)",
        "probabilities = Transpose <perm = [0, 3, 1, 2]> (of_classes)",
    ]
    return surround(
        network,
        graph_text([f"float[1, {card.channels}, {side}, {side}] images"], [], before),
        graph_text([], [f"float[1, {len(chosen)}, {side}, {side}] probabilities"], after),
    )
