"""What is known of the masks of one class, from the images of a calibration split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskwright.data.samples import counted
from maskwright.reliability.accept_rule import AcceptRule, fit_accept_rule
from maskwright.reliability.mask_quality import QualityModel, fit_quality, margin
from maskwright.reliability.nested_masks import case_curves, mean_area
from maskwright.reliability.observations import ClassObservations, cases_of
from maskwright.reliability.options import TrustOptions
from maskwright.reliability.promises import (
    APPROXIMATE,
    REACH,
    Promise,
    Side,
    make_promise,
    percent,
    share_of_cases,
)
from maskwright.reliability.risk_control import fewest_cases

USEFUL = (0.1, 3.0)
"""Least area of an inner mask, and most area of an outer one, by the true area, that is of use."""

_DELTA = 0.05  # of the rule for accepted masks, where no confidence is asked for


@dataclass(frozen=True, kw_only=True)
class ClassTrust:
    """What is known of the masks of one class.

    Args:
        n: Calibration cases that hold the class.
        promises: About outer and inner masks, in the order in which they were asked for.
        areas: Area of the mask of each promise by the true area, mean over calibration cases.
        masks: Calibration cases with a predicted mask of it; what follows is from these.
        margin: How far a Dice may lie below the expected one, see `mask_quality.margin`; `None`
            where there are too few cases.
        bound_level: Share of the masks that may lie below their lower bound.
        accept: Rule for masks that may be used unseen, if one was asked for and can be made.
    """

    n: int
    promises: tuple[Promise, ...]
    areas: tuple[float, ...]
    masks: int
    margin: float | None
    bound_level: float
    accept: AcceptRule | None = None

    @property
    def outer(self) -> Promise | None:
        """Promise of the largest outer mask, which keeps those of smaller ones as well.

        Those that only the whole image keeps do not count; `None` where there is no other.
        """
        drawn = self._drawn("missed")
        return min(drawn, key=lambda promise: promise.threshold, default=None)

    @property
    def inner(self) -> Promise | None:
        """Promise of the smallest inner mask, which keeps all others that are not empty."""
        drawn = self._drawn("false")
        return max(drawn, key=lambda promise: promise.threshold, default=None)

    def _drawn(self, side: Side) -> list[Promise]:
        return [p for p in self.promises if p.request.side == side and not p.is_empty]

    @property
    def are_useful(self) -> tuple[bool, ...]:
        """Of each promise, whether its mask is not far too large or too small to say much."""
        return tuple(
            area <= USEFUL[1] if promise.request.side == "missed" else area >= USEFUL[0]
            for promise, area in zip(self.promises, self.areas, strict=True)
        )

    def remarks(self, name: str, is_approximate: bool) -> list[str]:
        """What is known of the Dice of the masks of a class, in words."""
        lines = []
        end = f"from {counted(self.masks, 'case')}, {REACH}."
        end = f"{APPROXIMATE}; {end}" if is_approximate else end
        if self.margin is not None:
            lines.append(
                f"In {share_of_cases(1 - self.bound_level)} new masks of {name}, the Dice is at "
                f"least the lower bound that is given with them; {end}"
            )
        areas: dict[str, list[float]] = {}
        for promise, area, is_useful in zip(
            self.promises, self.areas, self.are_useful, strict=True
        ):
            if not (is_useful or promise.is_empty):
                areas.setdefault(promise.mask_name, []).append(area)
        for mask, of_mask in areas.items():
            far = f"{max(of_mask):.3g}" if mask == "outer" else f"{min(of_mask):.2g}"
            lines.append(
                f"Of little use: {counted(len(of_mask), 'promise')} of {name} "
                f"{'is' if len(of_mask) == 1 else 'are'} kept by an {mask} mask with an area of "
                f"{'up to' if mask == 'outer' else 'down to'} {far} times the true one."
            )
        if self.accept is not None:
            lines.append(f"{name}: {self.accept.sentence}")
        return lines


def calibrate_class(
    name: str,
    seen: ClassObservations,
    cases: Sequence[str],
    options: TrustOptions,
    is_approximate: bool,
) -> tuple[ClassTrust, QualityModel, list[str]]:
    """What can be promised of a class, the model of its expected Dice, and what cannot.

    Where there are too few cases for a promise, a sentence says so, and the one that is offered
    instead is made.

    Args:
        cases: Of all images of the split.
        is_approximate: Whether the model was also selected by these images.
    """
    curves = case_curves(seen.counts, cases_of(seen.held_by, cases))
    promises: list[Promise] = []
    notes: dict[str, None] = {}
    for request in options.requests(name):
        offered = request.offered(curves.n)
        if (shortage := request.shortage(curves.n)) is not None:
            notes[shortage] = None
        if offered is not None:
            promises.append(make_promise(offered, curves, is_approximate))
    of_masks, level = cases_of(seen.seen_in, cases), options.bound_level
    masks = len(set(of_masks))
    quality, expected, lowest, rule = QualityModel(np.zeros((0, 4))), seen.dice, None, None
    if masks:
        quality, expected = fit_quality(seen.features, seen.dice, of_masks)
    if masks >= fewest_cases(level):
        lowest = margin(expected, seen.dice, of_masks, level)
    else:
        notes[
            f"{counted(masks, 'case')} with a mask of {name}; a lower bound of its Dice at "
            f"{percent(level)} needs {fewest_cases(level)}."
        ] = None
    if options.need_dice is not None:
        rule = fit_accept_rule(
            expected, seen.dice, of_masks, options.need_dice, level, options.delta or _DELTA
        )
        if rule is None:
            notes[
                f"No masks of {name} can be accepted unseen so that at most {percent(level)} of "
                f"them have a Dice below {options.need_dice:g}; from {counted(masks, 'case')}."
            ] = None
    held_by = cases_of(seen.held_by, cases)
    known = ClassTrust(
        n=curves.n,
        promises=tuple(promises),
        areas=tuple(mean_area(seen.counts, held_by, promise.threshold) for promise in promises),
        masks=masks,
        margin=lowest,
        bound_level=level,
        accept=rule,
    )
    return known, quality, list(notes)
