"""ONNX files from pixels to labels, tried against `predict`; also for classes that overlap."""

import warnings
from pathlib import Path

import numpy as np

from maskwright.errors import MaskwrightWarning, ModelError
from maskwright.export.export_task import drawn_image
from maskwright.export.formats.table import FORMATS
from maskwright.export.postprocessed.deepness import DEEPNESS_FILE, refusal, write_deepness
from maskwright.export.postprocessed.graph import POSTPROCESSED_FILE
from maskwright.export.postprocessed.masks import write_masks
from maskwright.export.runtime import Logits
from maskwright.inference.predictor import Predictor
from maskwright.model_card import SemanticCard, postprocessing_of

_SIZES = ((97, 131), (64, 45))
_AGREEMENT = 0.999
_RESIZED_AGREEMENT = 0.99  # OpenCV rounds what it resizes in an order of its own


def write_postprocessed(folder: Path, card: SemanticCard, logits: Logits) -> list[str]:
    """Write `POSTPROCESSED_FILE`, and `DEEPNESS_FILE` where it can be; notes on what differs.

    Args:
        folder: Of an artifact for ONNX.
        logits: Function of its network.

    Raises `ModelError` where labels are not those of `predict` without post-processing.
    """
    network = folder / FORMATS["onnx"].file
    path = folder / POSTPROCESSED_FILE
    write_masks(network, path, card)
    plain = Predictor(logits, card).adjusted(min_area_px=0, fill_holes_px=0, keep_largest=False)
    share = min(_agreement(path, plain, size) for size in _SIZES)
    if share < (_AGREEMENT if card.size is None else _RESIZED_AGREEMENT):
        raise ModelError(
            f"{POSTPROCESSED_FILE} gives {share:.2%} of the labels of the model on drawn images; "
            f"export the model without --with-postprocessing."
        )
    notes = []
    if steps := [name for name, value in postprocessing_of(card).items() if value]:
        notes.append(
            f"{POSTPROCESSED_FILE} does not apply {' and '.join(steps)}, which `maskwright "
            f"predict` does."
        )
    if reason := refusal(card):
        notes.append(f"{DEEPNESS_FILE}, for the QGIS plugin Deepness, is not written: {reason}.")
    else:
        write_deepness(network, folder / DEEPNESS_FILE, card)
    return notes


def _agreement(path: Path, predictor: Predictor, size: tuple[int, int]) -> float:
    """Share of labels, or of decisions on layers, that a file and a predictor agree on."""
    import onnxruntime

    card = predictor.card
    if card.tile is not None:
        size = min(size[0], card.tile), min(size[1], card.tile)
    image = drawn_image(card, size, 0, card.pixel_range)
    if card.pixel_range is None:
        image = image.astype(card.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MaskwrightWarning)
        expected = predictor(image).labels
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (decisions,) = session.run([session.get_outputs()[0].name], {"images": image[None]})
    return float(np.mean(decisions[0] == expected))
