"""Threshold and cleaning chosen on images that a model never saw, kept only where the gain is real.

One step after the other: threshold, smallest area, largest component, holes. Every candidate of a
step is tried with what the steps before it left, and none is kept unless its paired gain over
doing nothing is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.errors import ConfigError, DataError
from maskwright.inference.cached_prediction import THRESHOLDS, CachedPrediction
from maskwright.inference.postprocess import clean
from maskwright.metrics import (
    Paired,
    confusion,
    fewest_cases,
    paired_difference,
    shared_level,
    sign_shown,
    tally,
    tally_scores,
)
from maskwright.model_card import SemanticCard

AREA_SHARES = (0.01, 0.03, 0.1, 0.3)
"""Areas tried, of specks and of holes, as shares of the median area of a true component."""

_SCORES = {"mean_dice": "mean Dice", "mean_iou": "mean IoU"}
_NAMES = {
    "threshold": "threshold",
    "min_area_px": "smallest area",
    "keep_largest": "largest component alone",
    "fill_holes_px": "largest hole to fill",
}

# NumPy reads the header of an array by `ast.literal_eval`, and CPython 3.11 counts the recursion of
# all threads in one place (gh-106905): two at once now and then end in a SystemError.
_ONE_HEADER_AT_A_TIME = Lock()


@dataclass(frozen=True)
class Candidate:
    """A candidate, its score, its gain over doing nothing and the interval of that."""

    value: Any
    score: float
    gain: float
    ends: tuple[float, float]
    real: bool


@dataclass(frozen=True)
class Stage:
    """A step of the choice: what was tried, what was kept, `None` for nothing, and why."""

    name: str
    tried: tuple[Candidate, ...]
    kept: Any
    level: float
    reason: str


@dataclass(frozen=True)
class TuningResult:
    """What goes on a card, and all that was tried for it.

    Args:
        decisions: Threshold and cleaning, by their names on the card.
        steps: In their order.
        score: By which was chosen, `"mean_dice"` or `"mean_iou"`.
        before: That score with the decisions on the card as it was.
        after: With those chosen, on the same images, and so a little too good.
        num_images: That were looked at.
        num_cases: That were drawn from.
        draws: Data sets drawn for each interval.
        seed: Of the drawing.
    """

    decisions: Mapping[str, Any]
    steps: tuple[Stage, ...]
    score: str
    before: float
    after: float
    num_images: int
    num_cases: int
    draws: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values as `postprocessing.json` holds them, `None` where there is no interval."""
        return {
            "decisions": dict(self.decisions),
            "score": self.score,
            "before": _plain(self.before),
            "after": _plain(self.after),
            "note": "Chosen on images that the models had not seen; each interval holds for all "
            "candidates of its step together. `after` is of the same images, and so a little too "
            "good: score the test split.",
            "images": self.num_images,
            "cases": self.num_cases,
            "draws": self.draws,
            "seed": self.seed,
            "steps": [
                {
                    "step": step.name,
                    "kept": step.kept,
                    "reason": step.reason,
                    "level": step.level,
                    "tried": [
                        {
                            "value": one.value,
                            "score": _plain(one.score),
                            "gain": _plain(one.gain),
                            "interval": None if np.isnan(one.ends).any() else list(one.ends),
                            "real": one.real,
                        }
                        for one in step.tried
                    ],
                }
                for step in self.steps
            ],
        }


def tune_postprocessing(
    card: SemanticCard,
    decided: Sequence[CachedPrediction],
    *,
    score: str = "mean_dice",
    draws: int = 2000,
    seed: int = 0,
) -> TuningResult:
    """Threshold and cleaning whose gain on images that the models never saw is real.

    A step is kept where the interval of its paired gain in the score of all pixels lies above 0,
    cases drawn anew; with several candidates, all intervals of a step hold together
    (`shared_level`), and of those that are real the one with the highest score is taken.

    Args:
        card: Of the models, with the decisions to start from.
        decided: From `cached_prediction.record`, every image once.
        score: `"mean_dice"` or `"mean_iou"`.
        draws: Data sets drawn for each interval.
        seed: Of the drawing.

    Raises:
        ConfigError: If there is no such score.
        DataError: If there is no image.
    """
    if score not in _SCORES:
        raise ConfigError(f"Expected to choose by {' or '.join(_SCORES)}; received {score!r}.")
    if not decided:
        raise DataError("Expected decisions on one or more images to choose by; received none.")
    cases = [one.case for one in decided]
    # `None` stands for the labels that were kept, by whatever threshold is on the card.
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
        found = _tallies(card, decided, [{**chosen, name: value} for value in values])
        level = shared_level(len(values))
        tried = []
        for place, value in enumerate(values):
            paired = paired_difference(
                found[:, place], best, cases, draws=draws, seed=seed, level=level
            )
            tried.append(_tried(value, paired, score))
        real = [place for place, one in enumerate(tried) if one.real]
        winner = max(real, key=lambda place: tried[place].score, default=None)
        if winner is not None:
            chosen[name], best = values[winner], found[:, winner]
        kept = None if winner is None else values[winner]
        steps.append(
            Stage(
                name, tuple(tried), kept, level, _reason(name, tried, winner, score, cases, level)
            )
        )
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
    """What is tried in each step, in the order of the steps; what cannot be is left out."""
    areas = np.concatenate([one.areas for one in decided])
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
    card: SemanticCard, candidates: Sequence[Mapping[str, Any]], one: CachedPrediction
) -> np.ndarray:
    num_classes = card.labels.num_classes
    with _ONE_HEADER_AT_A_TIME, np.load(one.path, allow_pickle=False) as file:
        kept = {name: file[name] for name in file.files}
    found = np.empty((len(candidates), 3, num_classes), np.int64)
    for place, decisions in enumerate(candidates):
        labels = kept["labels"]
        if decisions["threshold"] is not None and card.background is not None:
            reached = kept["levels"] > THRESHOLDS.index(decisions["threshold"])
            labels = np.where(reached, 1 - card.background, card.background).astype(np.uint8)
        cleaning = {name: value for name, value in decisions.items() if name != "threshold"}
        cleaned = clean(labels, **cleaning, background=card.background)
        found[place] = tally(confusion(kept["truth"], cleaned, num_classes))
    return found


def _tried(value: Any, paired: Paired, score: str) -> Candidate:
    ends = getattr(paired.ends, score)
    return Candidate(
        value=value,
        score=float(getattr(paired.a, score)),
        gain=float(getattr(paired.gain, score)),
        ends=(float(ends[0]), float(ends[1])),
        real=sign_shown(ends) > 0,
    )


def _reason(
    name: str,
    tried: Sequence[Candidate],
    winner: int | None,
    score: str,
    cases: Sequence[str],
    level: float,
) -> str:
    """Sentence on what became of a step."""
    called = _NAMES[name]
    if not tried:
        return f"There is nothing to try for the {called}."
    needed, there = fewest_cases(level), len(set(cases))
    if there < needed:
        return (
            f"The {called} stays: {there} cases cannot show which of {len(tried)} values is "
            f"better; it takes {needed}."
        )
    best = tried[winner] if winner is not None else max(tried, key=lambda one: one.gain)
    told = f"{best.gain:+.4f}, {100 * level:.4g} % {best.ends[0]:+.4f} to {best.ends[1]:+.4f}"
    if winner is not None:
        return f"{name}={best.value} is kept: its gain in {_SCORES[score]} is real ({told})."
    if best.gain <= 0:
        return (
            f"The {called} stays: none of {len(tried)} values gains anything in {_SCORES[score]}."
        )
    return (
        f"The {called} stays: the gain in {_SCORES[score]} of the best value tried, {best.value}, "
        f"is not shown ({told})."
    )


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else value
