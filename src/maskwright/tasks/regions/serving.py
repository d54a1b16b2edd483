"""A model that decides on regions, as the server uses it."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.export.artifact import model_folder
from maskwright.inference.predictor import Prediction
from maskwright.labels import Labels
from maskwright.model_card import CARD_FILE, SEGMENTER
from maskwright.tasks.regions import Region
from maskwright.tasks.regions.classifier import Classifier
from maskwright.tasks.regions.pipeline import Pipeline
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
    return as_served(
        name, Classifier(sharing.serialize(classifier.decide), classifier.card), segmenter
    )


def as_served(
    name: str, classifier: Classifier, segmenter: ServedSegmenter | None = None
) -> ServedModel:
    """A classifier of regions as a model of the server."""
    pipeline = Pipeline(classifier, None if segmenter is None else segmenter.predictor)
    card = classifier.card
    decider = ServedClassifier(card, partial(decide, pipeline))
    return ServedModel(name, card.task, segmenter, decider)


def decide(pipeline: Pipeline, images: Iterable[CaseImage], case: str) -> RegionDecisions:
    """Decide on the images of one case, which are taken one after another.

    Raises `ConfigError` if an image comes without a mask and none can be predicted.
    """
    regions: list[tuple[str, str, Sequence[Region]]] = []
    predicted: dict[str, Prediction] = {}
    for name, pixels, mask in images:
        if mask is None:
            mask = pipeline.segment(pixels)
        if isinstance(mask, Prediction):
            predicted[name] = mask
        regions.append((name, case, pipeline.regions(pixels, mask, name)))
    results = pipeline.decide(regions)
    labels = None if pipeline.segmenter is None else pipeline.segmenter.card.labels
    decisions = [
        {
            "name": result.id,
            "images": list(result.images),
            "probability": None if result.probability is None else round(result.probability, 6),
            "decision": result.decision,
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
    )


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
