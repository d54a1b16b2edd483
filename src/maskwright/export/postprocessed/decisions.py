"""Both networks of a classifier of regions in one file, from crops to probabilities."""

from pathlib import Path

from maskwright.export.formats.onnx_metadata import card_metadata, set_metadata
from maskwright.export.postprocessed.graph import (
    NETWORK,
    constant,
    graph_text,
    read_network,
    surround,
)
from maskwright.model_card import RegionCard


def write_decisions(look: Path, join: Path, out: Path, card: RegionCard) -> None:
    """Write the networks of a classifier as one, with activation, temperature and threshold.

    It takes the inputs that `models.classifiers` describes, and gives `labels (b,)`, uint8,
    `probabilities (b,)` of the second name on the card, `weights (b, n)` of the regions in each
    decision, and `region_probabilities (n,)`.

    Args:
        look: ONNX file of the network of single regions.
        join: ONNX file of the network of bags.
    """
    import onnx
    from onnx import compose

    first = compose.add_prefix(read_network(look), "look_")
    last = compose.add_prefix(read_network(join), "join_")
    passed = [value.name.removeprefix("join_") for value in last.graph.input]
    passed.remove("bags")
    network = compose.merge_models(
        first,
        last,
        io_map=[(f"look_{name}", f"join_{name}") for name in passed],
        outputs=["look_region_logits", "join_logits", "join_weights"],
    )
    taken = {value.name.partition("_")[2]: value.name for value in network.graph.input}
    declared = _declared(card)
    before = [f"{NETWORK}{name} = Identity ({given})" for given, name in taken.items()]
    after = [
        constant("temperature", "float", card.temperature),
        constant("threshold", "float", card.threshold),
        constant("last", "int64", (-1,)),
        *_probabilities("join_logits", "probabilities"),
        *_probabilities("look_region_logits", "region_probabilities"),
        f"weights = Identity ({NETWORK}join_weights)",
        "reached = GreaterOrEqual (probabilities, threshold)",
        "labels = Cast <to = 2> (reached)",
    ]
    outputs = [
        "uint8[bags] labels",
        "float[bags] probabilities",
        "float[bags, regions] weights",
        "float[regions] region_probabilities",
    ]
    whole = surround(
        network,
        graph_text([f"float[{declared[name]}] {name}" for name in taken], [], before),
        graph_text([], outputs, after),
    )
    set_metadata(whole, card_metadata(card))
    onnx.save(whole, out)


def _declared(card: RegionCard) -> dict[str, str]:
    """Shapes of the inputs, in the text format."""
    channels = card.channels + (card.outside == "channel")
    return {
        "images": f"regions, {card.size}, {card.size}, {channels}",
        "masks": f"regions, {card.size}, {card.size}",
        "measures": f"regions, {len(card.measures)}",
        "bags": "bags, regions",
    }


def _probabilities(logits: str, target: str) -> list[str]:
    return [
        f"{target}_column = Div ({NETWORK}{logits}, temperature)",
        f"{target}_flat = Squeeze ({target}_column, last)",
        f"{target} = Sigmoid ({target}_flat)",
    ]
