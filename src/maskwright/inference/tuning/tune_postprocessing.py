"""Threshold and cleaning chosen on images that a model never saw, where their gain is real."""

from collections.abc import Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.errors import ConfigError, DataError
from maskwright.inference.postprocess import clean
from maskwright.inference.tuning.cached_prediction import THRESHOLDS, CachedPrediction
from maskwright.inference.tuning.tuning_result import (
    SCORES,
    Candidate,
    Stage,
    TuningResult,
    reason_for,
)
from maskwright.metrics import (
    Paired,
    confusion,
    paired_difference,
    shared_level,
    sign_shown,
    tally,
    tally_scores,
)
from maskwright.model_card import SemanticCard

AREA_SHARES = (0.01, 0.03, 0.1, 0.3)
"""Areas tried, of specks and of holes, as shares of the median area of a true component."""


# NumPy reads the header of an array by `ast.literal_eval`, and CPython 3.11 counts the recursion of
# all threads in one place (gh-106905): two at once now and then end in a SystemError.
_ONE_HEADER_AT_A_TIME = Lock()


def tune_postprocessing(
    card: SemanticCard,
    decided: Sequence[CachedPrediction],
    *,
    score: str = "mean_dice",
    draws: int = 2000,
    seed: int = 0,
) -> TuningResult:
    """Threshold and cleaning whose gain on images that the models never saw is real.

    One step after the other, each with the result of those before it: threshold, smallest area,
    largest component, holes. A step is kept where the interval of its paired gain over doing
    nothing, in the score of all pixels, lies above 0, cases drawn anew; with several
    candidates, all intervals of a step hold together (`shared_level`), and of those that are real
    the one with the highest score is taken.

    Args:
        decided: From `cached_prediction.record`, every image once.
        score: `"mean_dice"` or `"mean_iou"`.
        draws: Data sets drawn for each interval.

    Raises:
        ConfigError: If there is no such score.
        DataError: If there is no image.
    """
    if score not in SCORES:
        raise ConfigError(f"Expected to choose by {' or '.join(SCORES)}; received {score!r}.")
    if not decided:
        raise DataError("Expected decisions on one or more images to choose by; received none.")
    cases = [prediction.case for prediction in decided]
    # `None` stands for the labels as they were recorded, by whatever threshold is on the card.
    chosen: dict[str, Any] = {
        "threshold": None,
        "min_area_px": card.min_area_px,
        "keep_largest": card.keep_largest,
        "fill_holes_px": card.fill_holes_px,
    }
    best = _tallies(card, decided, [chosen])[:, 0]
    before = float(getattr(tally_scores(best.sum(0)), score))
    steps = []
    for name, values in _candidates(card, decided).items():
        values = [value for value in values if value != chosen[name]]
        tallies = _tallies(card, decided, [{**chosen, name: value} for value in values])
        level = shared_level(len(values))
        tried = []
        for place, value in enumerate(values):
            paired = paired_difference(
                tallies[:, place], best, cases, draws=draws, seed=seed, level=level
            )
            tried.append(_tried(value, paired, score))
        real = [place for place, candidate in enumerate(tried) if candidate.real]
        winner = max(real, key=lambda place: tried[place].score, default=None)
        if winner is not None:
            chosen[name], best = values[winner], tallies[:, winner]
        value = None if winner is None else values[winner]
        reason = reason_for(name, tried, winner, score, cases, level)
        steps.append(Stage(name, tuple(tried), value, level, reason))
    threshold = card.threshold if chosen["threshold"] is None else chosen["threshold"]
    return TuningResult(
        decisions={**chosen, "threshold": threshold},
        steps=tuple(steps),
        score=score,
        before=before,
        after=float(getattr(tally_scores(best.sum(0)), score)),
        num_images=len(decided),
        num_cases=len(set(cases)),
        draws=draws,
        seed=seed,
    )


def _candidates(card: SemanticCard, decided: Sequence[CachedPrediction]) -> dict[str, list[Any]]:
    """Values to try in each step, in the order of the steps, without steps that do not apply."""
    areas = np.concatenate([prediction.areas for prediction in decided])
    usual = float(np.median(areas)) if areas.size else 0.0
    sizes = sorted({round(share * usual) for share in AREA_SHARES} - {0})
    wanted: dict[str, list[Any]] = {}
    if card.labels.num_classes == 2:
        same = 0.5 if card.threshold is None else card.threshold
        wanted["threshold"] = [value for value in THRESHOLDS if value != same]
    wanted["min_area_px"] = [0, *(area for area in sizes if area > 1)]
    wanted["keep_largest"] = [False, True]
    if card.background is not None:
        wanted["fill_holes_px"] = [0, *sizes]
    return wanted


def _tallies(
    card: SemanticCard, decided: Sequence[CachedPrediction], candidates: Sequence[Mapping[str, Any]]
) -> np.ndarray:
    """Tallies of every image with every candidate, int64 `(n, candidates, 3, classes)`."""
    count = partial(_count, card, candidates)
    return np.stack(list(in_threads(count, decided, "Choosing", ahead=1)))


def _count(
    card: SemanticCard, candidates: Sequence[Mapping[str, Any]], prediction: CachedPrediction
) -> np.ndarray:
    num_classes = card.labels.num_classes
    with _ONE_HEADER_AT_A_TIME, np.load(prediction.path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    tallies = np.empty((len(candidates), 3, num_classes), np.int64)
    for place, decisions in enumerate(candidates):
        labels = arrays["labels"]
        if decisions["threshold"] is not None and card.background is not None:
            reached = arrays["levels"] > THRESHOLDS.index(decisions["threshold"])
            labels = np.where(reached, 1 - card.background, card.background).astype(np.uint8)
        cleaning = {name: value for name, value in decisions.items() if name != "threshold"}
        cleaned = clean(labels, **cleaning, background=card.background)
        tallies[place] = tally(confusion(arrays["truth"], cleaned, num_classes))
    return tallies


def _tried(value: Any, paired: Paired, score: str) -> Candidate:
    ends = getattr(paired.ends, score)
    return Candidate(
        value=value,
        score=float(getattr(paired.a, score)),
        gain=float(getattr(paired.gain, score)),
        interval=[float(ends[0]), float(ends[1])],
        real=sign_shown(ends) > 0,
    )
