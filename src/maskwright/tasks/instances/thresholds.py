"""Thresholds of a finder chosen on images that it was not trained on."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np

from maskwright.instances import Instances
from maskwright.metrics.instances import object_scores, tally_objects
from maskwright.model_card import InstanceCard
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.watershed import WatershedParams, split

Maps = tuple[np.ndarray, np.ndarray, np.ndarray]

FOREGROUNDS = (0.3, 0.4, 0.5, 0.6, 0.7)
MARKERS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
SCORES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SMALL = (0.0, 0.02, 0.05, 0.1, 0.2)
"""Areas, as shares of the median of true objects, below which objects may be left out."""


def tuned(
    finder: InstancePredictor, images: Iterable[tuple[np.ndarray, Instances]]
) -> tuple[InstanceCard, float]:
    """Card with the thresholds that find objects best.

    They are those with the highest mean, over overlaps from 0.5 to 0.95, of found / (found +
    false + missed), averaged over images; of equal ones, those nearest to the card's own.

    Args:
        finder: What it says of the images is asked once.
        images: Images `(h, w, c)` with their true objects.

    Returns:
        The card, and that mean; the card as it is, and nan, where there is no object.
    """
    card = finder.card
    said: list[Maps | Instances] = []
    true: list[Instances] = []
    for image, objects in images:
        said.append(finder.maps(image) if card.method == "centers" else finder.detections(image))
        true.append(objects)
    areas = np.concatenate([np.zeros(0), *(objects.areas for objects in true)])
    if not areas.size:
        return card, float("nan")

    def worth(tried: InstanceCard) -> float:
        found = [_found(tried, one) for one in said]
        tallies = [
            tally_objects(ours, theirs, card.labels.num_classes)
            for ours, theirs in zip(found, true, strict=True)
        ]
        return float(object_scores(tallies).ap.mean())

    def best(cards: Iterable[InstanceCard]) -> tuple[InstanceCard, float]:
        ranked = sorted(cards, key=lambda tried: _distance(tried, card))
        values = [worth(tried) for tried in ranked]
        place = int(np.argmax(values))
        return ranked[place], values[place]

    if card.method == "centers":
        grid = product(FOREGROUNDS, MARKERS)
        chosen, _ = best(replace(card, score=0.0, foreground=f, marker=m) for f, m in grid)
    else:
        chosen, _ = best(replace(card, score=score) for score in SCORES)
    usual = float(np.median(areas))
    return best(replace(chosen, min_area_px=int(share * usual)) for share in SMALL)


def _found(card: InstanceCard, said: Maps | Instances) -> Instances:
    if isinstance(said, Instances):
        return said.at_least(card.score, max(card.min_area_px, 1))
    return split(*said, WatershedParams(card.foreground, card.marker, card.min_area_px))


def _distance(one: InstanceCard, other: InstanceCard) -> float:
    names = ("foreground", "marker", "score")
    return sum(abs(getattr(one, name) - getattr(other, name)) for name in names)
