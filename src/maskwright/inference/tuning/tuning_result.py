"""What the tuning of post-processing tried, what it chose, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from maskwright.metrics import fewest_cases

SCORES = {"mean_dice": "mean Dice", "mean_iou": "mean IoU"}
"""Scores to choose by, and what they are called."""

_NAMES = {
    "threshold": "threshold",
    "min_area_px": "smallest area",
    "keep_largest": "largest component alone",
    "fill_holes_px": "largest hole to fill",
}


@dataclass(frozen=True)
class Candidate:
    """A candidate, its score, its gain over doing nothing and the interval of that."""

    value: Any
    score: float
    gain: float
    interval: Sequence[float]
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
        score: By which was chosen, `"mean_dice"` or `"mean_iou"`.
        before: That score with the decisions on the card as it was.
        after: With those chosen, on the same images, and so a little too good.
        num_cases: That were drawn from.
        draws: Data sets drawn for each interval.
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
                        {name: _plain(value) for name, value in asdict(candidate).items()}
                        for candidate in step.tried
                    ],
                }
                for step in self.steps
            ],
        }


def reason_for(
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
    best = tried[winner] if winner is not None else max(tried, key=lambda candidate: candidate.gain)
    low, high = best.interval
    gain = f"{best.gain:+.4f}, {100 * level:.4g} % {low:+.4f} to {high:+.4f}"
    if winner is not None:
        return f"{name}={best.value} is kept: its gain in {SCORES[score]} is real ({gain})."
    if best.gain <= 0:
        return f"The {called} stays: none of {len(tried)} values gains anything in {SCORES[score]}."
    return (
        f"The {called} stays: the gain in {SCORES[score]} of the best value tried, {best.value}, "
        f"is not shown ({gain})."
    )


def _plain(value: Any) -> Any:
    return None if np.isnan(value).any() else value
