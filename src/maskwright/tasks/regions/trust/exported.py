"""Answers that go with an exported model of decisions, with thresholds moved to the safe side."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from maskwright.errors import ModelError
from maskwright.export.engines import OWN
from maskwright.export.export_task import Example, drawn_image
from maskwright.model_card import CARD_FILE, SEGMENTER, TRUST_FILE, RegionCard
from maskwright.tasks.loading import load_segmenter
from maskwright.tasks.promises_again import promises_again
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.evaluation.score_run import open_pipeline
from maskwright.tasks.regions.export import artifact_classifier
from maskwright.tasks.regions.pipeline import CaseResult, Pipeline
from maskwright.tasks.regions.trust.calibrate import calibrated
from maskwright.tasks.regions.trust.record import AnswerTrust, Masks
from maskwright.types import Format

_DRAWN = 8  # images on which decisions with predicted masks are compared
_SIDE_PX = 256
_MOST_DIFFERENCE = 0.05  # of a probability; more would refer what the run decides


def export_promises(
    run: Path,
    folder: Path,
    engine: Format,
    difference: float | None,
    examples: Sequence[Example],
    data: str | Path | None = None,
) -> list[str]:
    """Write the promises of a run into the folder of its exported model; notes on what is left out.

    As `ExportTask.promises`. Thresholds move by the largest difference of a probability: on given
    masks that of the classifier, on predicted masks also that of drawn images, whose masks are
    predicted by both models. Where these hold no region, or decisions differ by more than 0.05,
    promises are made again through the engine, or those on predicted masks are left out.
    """
    path = run / TRUST_FILE
    if not path.is_file() or difference is None:
        return []
    original, config = open_pipeline(run, None, allow_code=False)
    try:
        record = AnswerTrust.read(run)
        for masks in record.answers:
            record.answers_for(path, original, masks)
    except ModelError as error:
        return [f"The promises are left out. {error}"]
    exported = _opened(folder, engine)
    tolerances: dict[Masks, float] = {"given": difference}
    notes: list[str] = []
    if "predicted" in record.answers:
        predicted = _predicted_difference(original, exported)
        if predicted is not None and predicted <= _MOST_DIFFERENCE:
            tolerances["predicted"] = max(difference, predicted)
        else:
            because = "no region is predicted in drawn images, on which models are compared"
            if predicted is not None:
                because = f"decisions on drawn images differ by up to {predicted:.2g}"
            make = partial(calibrated, run, exported, config)
            again, notes = promises_again(record, data, make, because)
            if again is not None:
                again.write(folder)
                return notes
            notes = [f"On predicted masks: {note[0].lower()}{note[1:]}" for note in notes]
    record.for_engine(exported.classifier.card.model_sha256, exported, tolerances).write(folder)
    return notes


def _opened(folder: Path, engine: Format) -> Pipeline:
    """Pipeline of an exported model whose list is not written yet."""
    card = RegionCard.read(folder / CARD_FILE)
    classifier = Classifier(artifact_classifier(folder, engine, card, OWN), card)
    inner = folder / SEGMENTER
    segmenter = load_segmenter(inner, OWN) if (inner / CARD_FILE).is_file() else None
    return Pipeline(classifier, segmenter)


def _predicted_difference(original: Pipeline, exported: Pipeline) -> float | None:
    """Largest difference of two probabilities with masks that each model predicts in drawn images;
    1 where regions are found by one model alone, `None` where there are none.
    """
    largest: float | None = None
    for seed in range(_DRAWN):
        first, second = (_decisions(each, seed) for each in (original, exported))
        if len(first) != len(second):
            return 1.0
        for one, other in zip(first, second, strict=True):
            if one.probability is None and other.probability is None:
                continue
            if one.probability is None or other.probability is None:
                return 1.0
            largest = max(largest or 0.0, abs(one.probability - other.probability))
    return largest


def _decisions(pipeline: Pipeline, seed: int) -> list[CaseResult]:
    card = pipeline.classifier.card
    image = drawn_image(card, (_SIDE_PX, _SIDE_PX), seed, card.value_range).astype(card.dtype)
    regions = pipeline.regions(image, pipeline.segment(image), "drawn")
    return pipeline.decide([("drawn", "drawn", regions)])
