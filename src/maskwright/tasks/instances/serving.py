"""A model of single objects, as the server uses it."""

from pathlib import Path

import numpy as np

from maskwright.errors import ConfigError
from maskwright.inference.prediction import Prediction
from maskwright.instances import Instances
from maskwright.tasks.instances.detections import by_score
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.trust.serving import PromisedObjects, open_promises
from maskwright.tasks.serving import (
    LABELS,
    EngineSharing,
    LargeImageJob,
    MaskLayer,
    MaskSettings,
    ServedModel,
    ServedSegmenter,
    TensorSpec,
)

_TENSORS = (LABELS, TensorSpec("objects", "INT32", (-1, -1, -1), "instances"))


def open_served(name: str, path: Path, sharing: EngineSharing) -> ServedModel:
    """Open a model, as `Task.serve`: one image at a time."""
    model = InstancePredictor.load(path, sharing.threads)
    model = InstancePredictor(sharing.serialize(model.detector), model.card)
    return as_served(name, model, open_promises(path, model, sharing))


def as_served(
    name: str, predictor: InstancePredictor, promised: PromisedObjects | None = None
) -> ServedModel:
    """A predictor of objects as a model of the server."""
    card = predictor.card
    settings = MaskSettings(card.score, "score", min_area_px=card.min_area_px)
    layers = (MaskLayer("", card.labels, card.background, settings),)
    segmenter = ServedSegmenter(
        predictor, layers, _TENSORS, predict, predict_job, has_objects=True, assess=promised
    )
    promises = () if promised is None else tuple(promised.record.sentences)
    return ServedModel(name, card.task, segmenter, promises=promises)


def predict(
    predictor: InstancePredictor, images: np.ndarray, probabilities: bool
) -> list[Prediction]:
    """Predict images one by one."""
    if probabilities:
        raise ConfigError("A model of objects gives no probabilities of pixels.")
    return [predictor(image) for image in images]


def predict_job(predictor: InstancePredictor, job: LargeImageJob) -> Instances:
    """All objects by falling score, and the mask of those whose score and area suffice."""
    windows = job.windows
    pixels = windows.read(0, windows.height, 0, windows.width)
    objects = by_score(predictor.adjusted(min_area_px=0).predict_all(pixels).at_least())
    job.write_mask(predictor.confident(objects).classes())
    return objects
