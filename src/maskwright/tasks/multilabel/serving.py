"""A model of classes that overlap, as the server uses it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from maskwright.inference import Predictor
from maskwright.labels import Color, Labels
from maskwright.model_card import postprocessing_of
from maskwright.tasks.multilabel.export import EXPORT
from maskwright.tasks.semantic import serving as semantic
from maskwright.tasks.serving import (
    EngineSharing,
    MaskLayer,
    MaskSettings,
    ServedModel,
    TensorSpec,
)

_BLACK: Color = (0, 0, 0)


def open_served(name: str, path: Path, sharing: EngineSharing) -> ServedModel:
    """Open a model, as `Task.serve`."""
    served = as_served(name, semantic.open_predictor(path, sharing, EXPORT))
    return semantic.with_promises(served, path, sharing)


def as_served(name: str, predictor: Predictor) -> ServedModel:
    """A predictor as a model of the server: its `labels` are layers, 0 or 1, each with a mask."""
    served = semantic.as_served(name, predictor)
    card: Any = predictor.card
    probabilities = served.masks.tensors[-1]
    labels = TensorSpec("labels", "UINT8", probabilities.shape, "labels")
    thresholds = (
        card.thresholds if card.threshold is None else [card.threshold] * len(card.thresholds)
    )
    layers = tuple(
        MaskLayer(
            name,
            Labels.create(("background", name), (_BLACK, color)),
            0,
            MaskSettings(threshold, "foreground", **postprocessing_of(card)),
        )
        for name, color, threshold in zip(
            card.labels.names, card.labels.colors, thresholds, strict=True
        )
    )
    segmenter = replace(served.masks, layers=layers, tensors=(labels, probabilities))
    return replace(served, segmenter=segmenter)
