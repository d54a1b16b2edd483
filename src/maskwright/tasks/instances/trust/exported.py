"""Promises about single objects that go with an exported model, moved to the safe side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.engines import OWN
from maskwright.export.export_task import Example
from maskwright.instances import Instances, mask_overlaps
from maskwright.model_card import CARD_FILE, TRUST_FILE, InstanceCard
from maskwright.reliability.options import TrustOptions
from maskwright.tasks.instances.predictor import InstancePredictor, artifact_detector
from maskwright.tasks.instances.trust.calibrate import calibrated
from maskwright.tasks.instances.trust.object_promises import ObjectTrust
from maskwright.tasks.promises_again import promises_again
from maskwright.types import Format

_SAME_IOU = 0.9  # from which on an object is the same in both models


def export_promises(
    run: Path,
    folder: Path,
    engine: Format,
    difference: float | None,
    examples: Sequence[Example],
    data: str | Path | None = None,
) -> list[str]:
    """Write the promises of a run into the folder of its exported model; notes on what is left out.

    As `ExportTask.promises`. Scores move by the largest difference of a map or a score. Where
    objects of the examples differ, which no score makes up for, promises are made again through the
    engine.
    """
    if not (run / TRUST_FILE).is_file():
        return []
    original = InstancePredictor.load(run)
    try:
        record = ObjectTrust.valid(run, original.card)
    except ModelError as error:
        return [f"The promises are left out. {error}"]
    card = InstanceCard.read(folder / CARD_FILE)
    exported = InstancePredictor(artifact_detector(folder, engine, card, OWN), card)
    tolerance = difference
    for image in (example["image"] for example in examples):
        by_image = score_difference(original.predict_all(image), exported.predict_all(image))
        if by_image is None or tolerance is None:
            tolerance = None
            break
        tolerance = max(tolerance, by_image)
    if tolerance is not None:
        record.for_engine(card.model_sha256, tolerance).write(folder)
        return []

    def make(data: str | Path, options: TrustOptions) -> ObjectTrust:
        return calibrated(run, exported, data, options)

    again, notes = promises_again(record, data, make, f"objects differ from the run in {engine}")
    if again is not None:
        again.write(folder)
    return notes


def score_difference(first: Instances, second: Instances) -> float | None:
    """Largest difference of two scores of the same object, 0 without any; `None` where an object of
    one is none of the other.
    """
    if len(first) != len(second):
        return None
    if not len(first):
        return 0.0
    shared = mask_overlaps(first, second)
    united = first.areas[:, None] + second.areas - shared
    ious = np.where(first.labels[:, None] == second.labels, shared / np.maximum(united, 1), 0.0)
    partner = ious.argmax(axis=1)
    if ious.max(axis=1).min() < _SAME_IOU or len(set(partner.tolist())) < len(first):
        return None
    if first.scores is None or second.scores is None:
        return 0.0
    return float(np.abs(first.scores - second.scores[partner]).max())
