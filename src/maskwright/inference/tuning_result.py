"""What a choice of threshold and cleaning gives: decisions, scores, and all that was tried."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_NOTE = (
    "Chosen on images that the models had not seen; all candidates of all steps share one level. "
    "`after` is of the same images, and so a little too good: score the test split."
)


@dataclass(frozen=True)
class Candidate:
    """A value, its score, its gain over doing nothing, and whether that is shown to be real.

    `p` is the chance of such a gain where there is none, see `paired_difference`.
    """

    value: Any
    score: float
    gain: float
    interval: Sequence[float]
    p: float
    real: bool


@dataclass(frozen=True)
class Stage:
    """A step of the choice: what was selected, `None` for nothing, why, and what was tried."""

    step: str
    selected: Any
    reason: str
    level: float
    tried: tuple[Candidate, ...]


@dataclass(frozen=True, kw_only=True)
class TuningResult:
    """What goes on a card, all that was tried for it, and the score before and after."""

    decisions: Mapping[str, Any]
    score: str
    before: float
    after: float
    note: str = _NOTE
    images: int
    cases: int
    swaps: int
    seed: int
    steps: tuple[Stage, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values as `postprocessing.json` holds them, `None` where there is no interval."""
        return _plain(asdict(self))


def _plain(value: Any) -> Any:
    """Values as JSON holds them: `None` where a number or an interval is not defined."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, list | float) and np.isnan(value).any() else value
