"""Predictions with all that threshold and cleaning can be chosen by, and a small file of each."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from maskwright.data.samples import Sample
from maskwright.imageio import atomic_write
from maskwright.inference.postprocess import OBJECTS, clean, cleaning_of, components_of
from maskwright.inference.prediction import Prediction
from maskwright.inference.predictor import Predictor, most_probable
from maskwright.labels import IGNORE_LABEL

THRESHOLDS = tuple(round(0.2 + 0.05 * step, 2) for step in range(13))
"""Tried where there are two classes, 0.2 to 0.8."""

_MOST_AREAS = 1000  # of the true components of an image, for their median


@dataclass(frozen=True, eq=False)
class CachedPrediction:
    """A `.npz` file with `truth`, `labels` before cleaning, and `levels` of `TunablePrediction`.

    `areas` are those of true components that are not background, px of the image.
    """

    path: Path
    case: str
    areas: np.ndarray


@dataclass(frozen=True, kw_only=True)
class TunablePrediction(Prediction):
    """A prediction with all that every candidate follows from, in two bytes a pixel.

    Args:
        uncleaned: Labels before cleaning, uint8 `(h, w)`.
        levels: For two classes, number of `THRESHOLDS` that the probability of the foreground
            reaches, uint8 `(h, w)`; `None` for more.
    """

    uncleaned: np.ndarray
    levels: np.ndarray | None
    background: int | None


def predict_tunable(predictor: Predictor, image: np.ndarray) -> TunablePrediction:
    """Labels of an image `(h, w, c)` as `predictor` gives them, and what tuning needs of it."""
    card, size = predictor.card, (image.shape[0], image.shape[1])
    has_levels = card.labels.num_classes == 2 and card.background is not None
    uncleaned = np.empty(size, np.uint8)
    levels = np.empty(size, np.uint8) if has_levels else None
    top = 0
    for strip in predictor.strips(predictor.working(image), size):
        rows = slice(top, top + len(strip))
        uncleaned[rows] = most_probable(strip, card.threshold, card.background)
        if levels is not None and card.background is not None:
            foreground = strip[..., 1 - card.background]
            # In float32, as `most_probable` compares them.
            levels[rows] = np.searchsorted(np.array(THRESHOLDS, np.float32), foreground, "right")
        top = rows.stop
    labels = clean(uncleaned, **cleaning_of(card))
    return TunablePrediction(
        labels.astype(np.int32), uncleaned=uncleaned, levels=levels, background=card.background
    )


def record(
    prediction: TunablePrediction, truth: np.ndarray, sample: Sample, folder: Path
) -> CachedPrediction:
    """Write what every candidate follows from, and the labels `(h, w)`, into a small file."""
    arrays = {"labels": prediction.uncleaned, "truth": truth.astype(np.uint8)}
    if prediction.levels is not None:
        arrays["levels"] = prediction.levels
    path = folder / f"{sample.id}.npz"
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
    areas = component_areas(truth, prediction.background)
    return CachedPrediction(path, sample.together, areas)


def component_areas(truth: np.ndarray, background: int | None) -> np.ndarray:
    """Areas of the components of each class but the background, px; at most a thousand of them."""
    areas = [np.zeros(0, np.int64)]
    for label in np.unique(truth):
        if label not in (background, IGNORE_LABEL):
            _, _, statistics, _ = components_of(truth == label, OBJECTS)
            areas.append(statistics[1:, cv2.CC_STAT_AREA].astype(np.int64))
    all_areas = np.concatenate(areas)
    return all_areas[:: -(-len(all_areas) // _MOST_AREAS) or 1]
