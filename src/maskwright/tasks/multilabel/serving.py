"""A model of classes that overlap, as the server uses it."""

from dataclasses import replace
from pathlib import Path

from maskwright.errors import ConfigError
from maskwright.inference import Predictor
from maskwright.tasks.multilabel.export import EXPORT
from maskwright.tasks.semantic.serving import as_served, open_predictor
from maskwright.tasks.serving import EngineSharing, LargeImageJob, ServedModel, TensorSpec


def open_served(name: str, path: Path, sharing: EngineSharing) -> ServedModel:
    """Open a model, as `Task.serve`; it answers programs, not the page, whose masks have one class.

    Its `labels` are layers, 0 or 1.
    """
    predictor = open_predictor(path, sharing, EXPORT)
    served = as_served(name, predictor)
    probabilities = served.masks.tensors[-1]
    layers = TensorSpec("labels", "UINT8", probabilities.shape, "labels")
    segmenter = replace(
        served.masks, tensors=(layers, probabilities), predict_large=_refuse_large, for_page=False
    )
    return replace(served, segmenter=segmenter)


def _refuse_large(predictor: Predictor, job: LargeImageJob) -> None:
    raise ConfigError(
        f"{job.path.name} is not shown by the page: the classes of the model overlap."
    )
