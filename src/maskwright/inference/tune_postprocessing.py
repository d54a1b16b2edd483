"""Threshold and cleaning chosen on images that a model never saw, kept only where the gain is real.

One step after the other: threshold, smallest area, largest component, holes. Every candidate of a
step is tried with what the steps before it left, and none is kept unless its paired gain over
doing nothing is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np

from maskwright.data.parallel import in_threads
from maskwright.data.samples import Sample
from maskwright.errors import ConfigError, DataError
from maskwright.imageio import atomic_write
from maskwright.inference.postprocess import clean
from maskwright.inference.predictor import Prediction, Predictor, most_probable
from maskwright.labels import IGNORE_LABEL
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

THRESHOLDS = tuple(round(0.2 + 0.05 * step, 2) for step in range(13))
"""Tried where there are two classes, 0.2 to 0.8."""
AREA_SHARES = (0.01, 0.03, 0.1, 0.3)
"""Areas tried, of specks and of holes, as shares of the median area of a true component."""

_SCORES = {"mean_dice": "mean Dice", "mean_iou": "mean IoU"}
_NAMES = {
    "threshold": "threshold",
    "min_area_px": "smallest area",
    "keep_largest": "largest component alone",
    "fill_holes_px": "largest hole to fill",
}
_MOST_AREAS = 1000  # of the true components of an image, for their median

# NumPy reads the header of an array by `ast.literal_eval`, and CPython 3.11 counts the recursion of
# all threads in one place (gh-106905): two at once now and then end in a SystemError.
_ONE_HEADER_AT_A_TIME = Lock()


@dataclass(frozen=True, eq=False)
class CachedPrediction:
    """What a model decided on an image, in a file beside, and what is known of its truth.

    Args:
        path: `.npz` with `truth` and `labels`, uint8 `(h, w)`, before cleaning, and for two classes
            `levels`, how many of the `THRESHOLDS` the probability of the foreground reaches.
        case: Of the image.
        areas: Of true components that are not background, px of the image.
    """

    path: Path
    case: str
    areas: np.ndarray


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


@dataclass(frozen=True, kw_only=True)
class TunablePrediction(Prediction):
    """A prediction with all that every candidate follows from, in two bytes a pixel.

    Args:
        uncleaned: Labels before cleaning, uint8 `(h, w)`.
        levels: For two classes, number of `THRESHOLDS` that the probability of the foreground
            reaches, uint8 `(h, w)`; `None` for more.
        background: Label of what is no object, or `None`.
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
    labels = clean(
        uncleaned, card.min_area_px, card.fill_holes_px, card.keep_largest, card.background
    )
    return TunablePrediction(
        labels.astype(np.int32), uncleaned=uncleaned, levels=levels, background=card.background
    )


def record(
    prediction: TunablePrediction, truth: np.ndarray, sample: Sample, folder: Path
) -> CachedPrediction:
    """Write what every candidate follows from into a small file.

    Probabilities are not kept: how many of the `THRESHOLDS` each reaches decides the same, in one
    byte a pixel that packs well.

    Args:
        prediction: By a model that was not trained on the image.
        truth: Labels `(h, w)`, `IGNORE_LABEL` where none counts.
        sample: Which image it is.
        folder: For the file.
    """
    arrays = {"labels": prediction.uncleaned, "truth": truth.astype(np.uint8)}
    if prediction.levels is not None:
        arrays["levels"] = prediction.levels
    path = folder / f"{sample.id}.npz"
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)
    areas = component_areas(truth, prediction.background)
    return CachedPrediction(path, sample.together, areas)


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
        decided: From `record`, every image once.
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


def component_areas(truth: np.ndarray, background: int | None) -> np.ndarray:
    """Areas of the components of each class but the background, px; at most a thousand of them."""
    areas = [np.zeros(0, np.int64)]
    for label in np.unique(truth):
        if label not in (background, IGNORE_LABEL):
            inside = (truth == label).view(np.uint8)
            _, _, statistics, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
            areas.append(statistics[1:, cv2.CC_STAT_AREA].astype(np.int64))
    every = np.concatenate(areas)
    return every[:: -(-len(every) // _MOST_AREAS) or 1]


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
