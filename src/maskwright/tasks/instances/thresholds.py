"""Thresholds of an instance model that suit the validation images."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np

from maskwright.instances import Instances
from maskwright.metrics.instances import object_scores, tally_objects
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.predictor import InstancePredictor

_FOREGROUNDS = (0.3, 0.4, 0.5, 0.6, 0.7)
_MARKERS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_SCORES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_MIN_AREA_SHARES = (0.0, 0.02, 0.05, 0.1, 0.2)  # of the median area of true objects


def tune_thresholds(
    predictor: InstancePredictor, images: Iterable[tuple[np.ndarray, Instances]]
) -> tuple[InstanceCard, float]:
    """Card with the thresholds of the highest mean AP on images `(h, w, c)` with true objects.

    AP is TP / (TP + FP + FN), averaged over IoU thresholds from 0.5 to 0.95 and over images; among
    equal thresholds, those nearest to the card's are taken. A minimum area above 0 stays. Without
    any true object, the card is unchanged and its AP nan.
    """
    card = predictor.card
    outputs = [(predictor.output(image), truth) for image, truth in images]
    areas = np.concatenate([np.zeros(0), *(t.areas[~t.crowd] for _, t in outputs)])
    if not areas.size:
        return card, float("nan")

    def mean_ap(candidate: InstanceCard) -> float:
        tried = InstancePredictor(predictor.detector, candidate)
        tallies = [
            tally_objects(tried.confident(tried.decide(output)), truth, card.labels.num_classes)
            for output, truth in outputs
        ]
        return float(object_scores(tallies).ap.mean())

    def distance(candidate: InstanceCard) -> float:
        names = ("foreground", "marker", "score")
        return sum(abs(getattr(candidate, name) - getattr(card, name)) for name in names)

    def best(candidates: Iterable[InstanceCard]) -> tuple[InstanceCard, float]:
        ranked = sorted(candidates, key=distance)
        values = [mean_ap(candidate) for candidate in ranked]
        index = int(np.argmax(values))
        return ranked[index], values[index]

    if card.method == "centers":
        grid = product(_FOREGROUNDS, _MARKERS)
        chosen, _ = best(replace(card, score=0.0, foreground=f, marker=m) for f, m in grid)
    else:
        chosen, _ = best(replace(card, score=score) for score in _SCORES)
    median = float(np.median(areas))
    least = [int(share * median) for share in _MIN_AREA_SHARES]
    stated = [card.min_area_px] if card.min_area_px else least
    return best(replace(chosen, min_area_px=area) for area in stated)
