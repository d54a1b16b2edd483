"""Threshold and cleaning chosen on images that a model never saw, where their gain is real."""

from collections.abc import Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.samples import counted, join_words
from maskwright.errors import ConfigError, DataError
from maskwright.inference.cached_prediction import THRESHOLDS, CachedPrediction
from maskwright.inference.postprocess import clean
from maskwright.inference.tuning_result import Candidate, Stage, TuningResult
from maskwright.metrics import Paired, confusion, paired_difference, tally, tally_scores
from maskwright.metrics.paired import SWAPS, fewest_cases, shared_level
from maskwright.model_card import SemanticCard

# Areas tried, of specks and of holes, as shares of the median area of a true component.
_AREA_SHARES = (0.01, 0.03, 0.1, 0.3)
# NumPy reads the header of an array by `ast.literal_eval`, and CPython 3.11 counts the recursion of
# all threads in one place (gh-106905): two at once now and then end in a SystemError.
_ONE_HEADER_AT_A_TIME = Lock()

SCORES = {
    "foreground_dice": "foreground Dice",
    "foreground_iou": "foreground IoU",
    "mean_dice": "mean Dice",
    "mean_iou": "mean IoU",
}
"""Scores to choose by, and what they are called."""

_NAMES = {
    "threshold": "threshold",
    "min_area_px": "smallest area",
    "keep_largest": "largest component alone",
    "fill_holes_px": "largest hole to fill",
}


def tune_postprocessing(
    card: SemanticCard,
    decided: Sequence[CachedPrediction],
    *,
    score: str = "foreground_dice",
    swaps: int = SWAPS,
    seed: int = 0,
) -> TuningResult:
    """Threshold and cleaning whose gain on images that the models never saw is real.

    One step after the other, each with the result of those before it: threshold, smallest area,
    largest component, holes. A step is kept where its gain over doing nothing, in the score of all
    pixels, is shown by swapping the two within cases (`paired_difference`); all candidates of all
    steps share one level (`shared_level`), and of those that are real the one with the highest
    score is taken.

    Args:
        decided: From `cached_prediction.record`, every image once; `DataError` if there is none.
        score: One of `SCORES`, else `ConfigError`.
        swaps: Drawn for each test, as in `paired_difference`.
    """
    if score not in SCORES:
        raise ConfigError(
            f"Expected to choose by {join_words(list(SCORES), ' or ')}; received {score!r}."
        )
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
    before = _score(card, best, score)
    steps = []
    wanted = {
        name: [value for value in values if value != chosen[name]]
        for name, values in _candidates(card, decided).items()
    }
    level = shared_level(sum(map(len, wanted.values())))
    gain = partial(
        paired_difference,
        cases=cases,
        background=card.labels.background,
        swaps=swaps,
        seed=seed,
        level=level,
    )
    for name, values in wanted.items():
        tallies = _tallies(card, decided, [{**chosen, name: value} for value in values])
        pairs = (gain(tallies[:, place], best) for place in range(len(values)))
        tried = [_tried(value, pair, score) for value, pair in zip(values, pairs, strict=True)]
        real = [candidate for candidate in tried if candidate.real]
        winner = max(real, key=lambda candidate: candidate.score, default=None)
        if winner is not None:
            chosen[name], best = winner.value, tallies[:, tried.index(winner)]
        reason = _reason_for(name, tried, winner, score, cases, level)
        steps.append(Stage(name, winner and winner.value, reason, level, tuple(tried)))
    threshold = card.threshold if chosen["threshold"] is None else chosen["threshold"]
    return TuningResult(
        decisions={**chosen, "threshold": threshold},
        score=score,
        before=before,
        after=_score(card, best, score),
        images=len(decided),
        cases=len(set(cases)),
        swaps=swaps,
        seed=seed,
        steps=tuple(steps),
    )


def _score(card: SemanticCard, tallies: np.ndarray, score: str) -> float:
    """One of `SCORES` of all pixels."""
    return float(getattr(tally_scores(tallies.sum(axis=0), card.labels.background), score))


def _candidates(card: SemanticCard, decided: Sequence[CachedPrediction]) -> dict[str, list[Any]]:
    """Values to try in each step, in the order of the steps, without steps that do not apply."""
    areas = np.concatenate([prediction.areas for prediction in decided])
    usual = float(np.median(areas)) if areas.size else 0.0
    sizes = sorted({round(share * usual) for share in _AREA_SHARES} - {0})
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
    num_classes = card.labels.num_classes

    def count(prediction: CachedPrediction) -> np.ndarray:
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

    return np.stack(list(in_threads(count, decided, "Choosing", ahead=1)))


def _tried(value: Any, paired: Paired, score: str) -> Candidate:
    low, high = map(float, getattr(paired.ends, score))
    scored, gain = float(getattr(paired.a, score)), float(getattr(paired.gain, score))
    p = float(getattr(paired.p, score))
    return Candidate(value, scored, gain, [low, high], p, paired.sign(score) > 0)


def _reason_for(
    name: str,
    tried: Sequence[Candidate],
    winner: Candidate | None,
    score: str,
    cases: Sequence[str],
    level: float,
) -> str:
    """Sentence on what became of a step."""
    called = _NAMES[name]
    if not tried:
        return f"There is nothing to try for the {called}."
    needed, there = fewest_cases(level), len(set(cases))
    only = tried[0].value if len(tried) == 1 else None
    if there < needed:
        question = f"which of {len(tried)} values" if only is None else f"whether {only}"
        return (
            f"The {called} stays: {counted(there, 'case')} cannot show {question} is better; it "
            f"takes {needed}."
        )
    best = winner or max(tried, key=lambda candidate: candidate.gain)
    gain = f"{best.gain:+.4f}, p = {best.p:.2g}, asked for {1 - level:.2g}"
    if winner is not None:
        return f"{name}={best.value} is kept: its gain in {SCORES[score]} is real ({gain})."
    if best.gain <= 0:
        result = f"none of {len(tried)} values gains anything"
        result = result if only is None else f"the only value tried, {only}, gains nothing"
        return f"The {called} stays: {result} in {SCORES[score]}."
    which = "best" if only is None else "only"
    return (
        f"The {called} stays: the gain in {SCORES[score]} of the {which} value tried, "
        f"{best.value}, is not shown ({gain})."
    )
