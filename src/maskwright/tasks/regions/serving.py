"""A model that decides on regions, as the server uses it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.artifact import model_folder
from maskwright.inference.prediction import Prediction
from maskwright.labels import Labels
from maskwright.model_card import CARD_FILE, SEGMENTER, TRUST_FILE
from maskwright.tasks.regions import Region
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.regions.trust.answer_sets import AnswerSets
from maskwright.tasks.regions.trust.record import AnswerTrust, Masks, sentences_of
from maskwright.tasks.serving import (
    CaseImage,
    EngineSharing,
    RegionDecisions,
    ServedClassifier,
    ServedModel,
    ServedSegmenter,
)


def open_served(name: str, path: Path, sharing: EngineSharing) -> ServedModel:
    """Open a model, as `Task.serve`, with the segmenter inside it if there is one."""
    folder = model_folder(path)
    # The classifier first: it checks an artifact as a whole.
    classifier = Classifier.load(folder, sharing.threads)
    inner = folder / SEGMENTER
    segmenter = None
    if (inner / CARD_FILE).is_file():
        segmenter = sharing.open_inner(name, inner).segmenter
    classifier = Classifier(sharing.serialize(classifier.decide), classifier.card)
    pipeline = Pipeline(classifier, None if segmenter is None else segmenter.predictor)
    answers = served_answers(folder, pipeline, sharing.on_message)
    return as_served(name, classifier, segmenter, answers)


def as_served(
    name: str,
    classifier: Classifier,
    segmenter: ServedSegmenter | None = None,
    answers: Mapping[Masks, AnswerSets] | None = None,
) -> ServedModel:
    """A classifier of regions as a model of the server, with its answers by the kind of masks."""
    answers = answers or {}
    pipeline = Pipeline(classifier, None if segmenter is None else segmenter.predictor)
    card = classifier.card
    decider = ServedClassifier(card, partial(decide, pipeline, answers=answers))
    promises = tuple(sentences_of(answers))
    return ServedModel(name, card.task, segmenter, decider, promises)


def served_answers(
    folder: Path, pipeline: Pipeline, on_message: Callable[[str], None]
) -> dict[Masks, AnswerSets]:
    """Answers of a model by the kind of masks; those that do not hold are told and left out."""
    path = folder / TRUST_FILE
    answers: dict[Masks, AnswerSets] = {}
    if not path.is_file():
        return answers
    try:
        record = AnswerTrust.read(folder)
        for masks in record.answers:
            answers[masks] = record.answers_for(path, pipeline, masks)
    except ModelError as error:
        on_message(f"Served without promises. {error}")
        return {}
    return answers


def decide(
    pipeline: Pipeline,
    images: Iterable[CaseImage],
    case: str,
    answers: Mapping[Masks, AnswerSets] | None = None,
) -> RegionDecisions:
    """Decide on the images of one case, which are taken one after another.

    Answers are given where all masks are of a kind that `answers` has, and none was edited. Raises
    `ConfigError` if an image comes without a mask and none can be predicted.
    """
    regions: list[tuple[str, str, Sequence[Region]]] = []
    predicted: dict[str, Prediction] = {}
    kinds: set[Masks | None] = set()
    for name, pixels, mask, is_edited in images:
        kind: Masks = "given" if isinstance(mask, np.ndarray) else "predicted"
        kinds.add(None if is_edited else kind)
        if mask is None:
            mask = pipeline.segment(pixels)
        if isinstance(mask, Prediction):
            predicted[name] = mask
        regions.append((name, case, pipeline.regions(pixels, mask, name)))
    results = pipeline.decide(regions)
    only = kinds.pop() if len(kinds) == 1 else None
    sets = None if answers is None or only is None else answers.get(only)
    labels = None if pipeline.segmenter is None else pipeline.segmenter.card.labels
    decisions = [
        {
            "name": result.id,
            "images": list(result.images),
            "probability": None if result.probability is None else round(result.probability, 6),
            "decision": result.decision,
            **({} if sets is None else _answer(sets, result.probability)),
        }
        for result in results
    ]
    return RegionDecisions(
        decisions,
        [
            _region(*member, predicted.get(member[0].image_id), labels)
            for result in results
            for member in result.members
        ],
        None if sets is None else {"coverage": sets.coverage, "sentences": sets.sentences()},
    )


def _answer(sets: AnswerSets, probability: float | None) -> dict[str, Any]:
    answer = sets.answer(probability)
    return {"answer": answer, "answer_set": sets.possible(answer)}


def _region(
    region: Region,
    weight: float,
    probability: float,
    predicted: Prediction | None,
    labels: Labels | None,
) -> dict[str, Any]:
    top, left, bottom, right = region.box
    label, name = region.label, None
    if predicted is not None and labels is not None:
        # An object knows its number alone; its class is the one of most of its pixels.
        inside = predicted.labels[top:bottom, left:right][region.mask]
        label = int(np.bincount(inside).argmax())
        name = labels.names[label]
    return {
        "name": region.name,
        "image": region.image_id,
        "class": name,
        "label": label,
        "box": [left, top, right - left, bottom - top],
        "area_px": region.area_px,
        "probability": round(probability, 6),
        "weight": round(weight, 6),
    }
