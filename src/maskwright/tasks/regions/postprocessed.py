"""An ONNX file of a classifier, from crops of regions to decisions, tried against it."""

from pathlib import Path

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.export_task import FLOAT
from maskwright.export.formats.table import FORMATS
from maskwright.export.postprocessed.decisions import write_decisions
from maskwright.export.postprocessed.graph import POSTPROCESSED_FILE
from maskwright.model_card import RegionCard
from maskwright.tasks.regions.export import (
    CLASSIFIER_PARTS,
    ClassifierFn,
    drawn_bags,
    probabilities,
)


def write_postprocessed(folder: Path, card: RegionCard, decide: ClassifierFn) -> list[str]:
    """Write `POSTPROCESSED_FILE`; notes on what it needs.

    Args:
        folder: Of an artifact for ONNX.
        decide: Function of its networks.

    Raises `ModelError` where probabilities are not those of the classifier.
    """
    import onnxruntime

    look, join = (folder / part / FORMATS["onnx"].file for part in CLASSIFIER_PARTS)
    path = folder / POSTPROCESSED_FILE
    write_decisions(look, join, path, card)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    taken = [given.name for given in session.get_inputs()]
    spread = (np.zeros(len(card.measures)), np.ones(len(card.measures)))
    for inputs in drawn_bags(card, spread, 1):
        answers = session.run(["probabilities"], {name: inputs[name] for name in taken})[0]
        difference = np.abs(answers - probabilities(decide(inputs), card)["logits"][:, 0]).max()
        if not difference <= FLOAT.difference:
            raise ModelError(
                f"{POSTPROCESSED_FILE} differs from the model by {difference:.1e} in a "
                f"probability; export the model without --with-postprocessing."
            )
    if not card.measures:
        return []
    return [
        f"{POSTPROCESSED_FILE} takes {len(card.measures)} measures of each region, which "
        f"`maskwright regions extract` computes."
    ]
