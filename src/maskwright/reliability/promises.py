"""What is asked of outer and inner masks, what can be promised, and the sentence that says it."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from maskwright.data.samples import counted
from maskwright.errors import ConfigError, DataError
from maskwright.reliability.nested_masks import THRESHOLDS, CaseCurves
from maskwright.reliability.risk_control import (
    ROUNDING,
    allowed_on_average,
    allowed_surely,
    exceeds,
    fewest_cases,
    lowest_level,
)

Side = Literal["missed", "false"]
"""Share of the class that the outer mask misses, or share of the inner mask that is another."""

EVERYTHING = "all"
"""In place of a split, all images that the model has not seen."""

REACH = "holds for new cases drawn like these"
"""End of every promise."""

APPROXIMATE = "approximate, because the model was selected by the same images"
"""What is said of every promise that rests on validation images."""

_HIGHEST_LEVEL = 0.5


@dataclass(frozen=True, kw_only=True)
class PromiseRequest:
    """A promise that is asked for.

    Args:
        class_name: The class.
        side: What is to be small; see `Side`.
        level: Share that must not be exceeded on average; with `tau`, share of the cases that may
            exceed `tau`. Above 0, at most 0.5.
        tau: Share that single cases must not exceed; `None` for a promise on the average.
        delta: Probability that the calibration cases mislead, 0.05 for 95 % confidence; `None` for
            a promise that holds on average over calibration cases too.

    Raises:
        ConfigError: If one of the numbers is out of range.
    """

    class_name: str
    side: Side
    level: float
    tau: float | None = None
    delta: float | None = None

    def __post_init__(self) -> None:
        if self.side not in ("missed", "false"):
            raise ConfigError(f"Expected the side 'missed' or 'false'; received {self.side!r}.")
        if not 0 < self.level <= _HIGHEST_LEVEL:
            raise ConfigError(
                f"Expected the level of a promise above 0 and at most {_HIGHEST_LEVEL:g}; "
                f"received {self.level:g}."
            )
        for name, value in (("tau", self.tau), ("delta", self.delta)):
            if value is not None and not 0 < value < 1:
                raise ConfigError(f"Expected `{name}` between 0 and 1; received {value:g}.")

    @property
    def kind(self) -> Literal["average", "each"]:
        """Whether the promise is on the mean over cases, or on each case."""
        return "average" if self.tau is None else "each"

    @property
    def fewest_cases(self) -> int:
        """Calibration cases with the class from which on the promise is possible."""
        return fewest_cases(self.level, self.delta)

    def offered(self, n: int) -> "PromiseRequest | None":
        """The same at the lowest level, in whole percent, that `n` cases allow, or `None`.

        The request itself where `n` cases suffice.
        """
        if n >= self.fewest_cases:
            return self
        level = math.ceil(100 * lowest_level(n, self.delta) - ROUNDING) / 100
        return replace(self, level=level) if level <= _HIGHEST_LEVEL else None

    def shortage(self, n: int) -> str | None:
        """Why `n` cases are too few, and what is offered instead; `None` where they suffice."""
        offered = self.offered(n)
        if offered is self:
            return None
        verb = "holds" if n == 1 else "hold"
        instead = "nothing" if offered is None else percent(offered.level)
        return (
            f"{counted(n, 'case')} {verb} {self.class_name}; a promise at {percent(self.level)} "
            f"needs {self.fewest_cases}. Offered: {instead}."
        )


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A promise that is kept by a mask at a threshold.

    Args:
        request: What is promised.
        n: Calibration cases that hold the class.
        threshold: Outer or inner mask are the pixels with `probability >= threshold`, in float32.
        is_approximate: Whether the calibration images also served to select weights or thresholds.
    """

    request: PromiseRequest
    n: int
    threshold: float
    is_approximate: bool = False

    def mask(self, probabilities: np.ndarray) -> np.ndarray:
        """Outer or inner mask, bool `(h, w)`, of probabilities of the class `(h, w)`."""
        return probabilities.astype(np.float32) >= np.float32(self.threshold)

    def safer(self, tolerance: float) -> "Promise":
        """The same for probabilities that may be off by `tolerance`, as another engine's are."""
        if self.request.side == "missed":
            return replace(self, threshold=max(self.threshold - tolerance, 0.0))
        return replace(self, threshold=self.threshold + tolerance)

    @property
    def mask_name(self) -> str:
        """What its mask is called."""
        return "outer" if self.request.side == "missed" else "inner"

    @property
    def is_empty(self) -> bool:
        """Whether it is kept in no other way than by the whole image, or by an empty mask."""
        return not 0 < self.threshold <= 1

    @property
    def sentence(self) -> str:
        """The promise in words, with what it rests on and how far it reaches."""
        parts = [_claim(self.request)]
        if self.request.delta is not None:
            confidence = percent(1 - self.request.delta)
            parts = [f"With {confidence} confidence, {parts[0][0].lower()}{parts[0][1:]}"]
        if self.is_empty:
            outer = self.request.side == "missed"
            mask = "outer mask is the whole image" if outer else "inner mask is empty"
            parts.append(f"no other threshold keeps this: the {mask}")
        if self.is_approximate:
            parts.append(APPROXIMATE)
        return f"{'; '.join(parts)}; from {counted(self.n, 'case')}, {REACH}."


def make_promise(
    request: PromiseRequest, curves: CaseCurves, is_approximate: bool = False
) -> Promise:
    """The boldest mask that keeps what is asked: smallest outer, or largest inner.

    Raises:
        DataError: If the cases are too few; it says how many are needed, and what is offered.
    """
    if (message := request.shortage(curves.n)) is not None:
        raise DataError(message)
    if request.side == "missed":
        losses, thresholds = curves.missed, THRESHOLDS
    else:
        losses, thresholds = curves.false[:, ::-1], THRESHOLDS[::-1]
    if request.tau is not None:
        losses = exceeds(losses, request.tau)
    if request.delta is None:
        allowed = allowed_on_average(losses, request.level)
    else:
        are_binary = request.tau is not None
        allowed = allowed_surely(losses, request.level, request.delta, are_binary=are_binary)
    threshold = float(thresholds[allowed - 1])
    return Promise(request=request, n=curves.n, threshold=threshold, is_approximate=is_approximate)


def realized_loss(promise: Promise, curves: CaseCurves) -> np.ndarray:
    """What the `level` of a promise bounds the mean of, in each of other cases, `(n,)`.

    Shares missed or false; of a promise on each case, 1 where the case exceeds `tau`, else 0.
    """
    step = int(np.searchsorted(THRESHOLDS, np.float32(promise.threshold)))
    request = promise.request
    shares = (curves.missed if request.side == "missed" else curves.false)[:, step]
    return shares if request.tau is None else exceeds(shares, request.tau)


def basis_of(cases: int, split: str, is_approximate: bool) -> str:
    """What all promises of a record rest on, and how far they reach."""
    approximate = f"; {APPROXIMATE}" if is_approximate else ""
    images = "all images" if split == EVERYTHING else f"the split {split}"
    return f"From {counted(cases, 'case')} of {images}{approximate}. Each promise {REACH}."


def percent(share: float) -> str:
    """Share as a percentage, without digits that say nothing: 5 %, 2.5 %."""
    return f"{100 * share:.4g} %"


def _claim(request: PromiseRequest) -> str:
    name, level = request.class_name, percent(request.level)
    if request.tau is None:
        if request.side == "missed":
            return f"On average at most {level} of {name} is missed by the outer mask"
        return f"On average at most {level} of the inner mask of {name} is something else"
    inside = percent(1 - request.tau)
    cases = f"In at least {share_of_cases(1 - request.level)} new cases that hold {name}"
    if request.side == "missed":
        return f"{cases}, at least {inside} of it lies in the outer mask"
    return f"{cases}, at least {inside} of its inner mask is right"


def share_of_cases(share: float) -> str:
    """Share in words: 9 of 10, or 93 % of."""
    one_in = round(1 / (1 - share))
    is_whole = math.isclose(one_in * (1 - share), 1, rel_tol=ROUNDING)
    return f"{one_in - 1} of {one_in}" if is_whole else f"{percent(share)} of"
