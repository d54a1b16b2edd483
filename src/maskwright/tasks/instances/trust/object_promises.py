"""Promises about single objects from a score on, and the sentences that say them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from maskwright.data.samples import counted
from maskwright.model_card import TRUST_FILE, InstanceCard
from maskwright.reliability.promises import (
    APPROXIMATE,
    REACH,
    PromiseRequest,
    Side,
    percent,
    share_of_cases,
)
from maskwright.reliability.risk_control import (
    allowed_on_average,
    allowed_surely,
    exceeds,
)
from maskwright.tasks.instances.trust.object_losses import SCORES, CaseLosses
from maskwright.tasks.trust_file import PlainTrust


@dataclass(frozen=True, kw_only=True)
class ObjectPromise:
    """A promise that objects with a score from a threshold on keep, or that none keeps.

    Args:
        request: What is asked.
        n: Calibration cases: those that hold the class, for false objects all.
        score: Objects with `score >= threshold`, in float32; `None` where no threshold keeps it.
        realized: What `level` bounds the mean of, in the calibration cases; at the safest threshold
            where none keeps the promise.
        other: Share false of objects that promise few missed, share missed of those that promise
            few false, mean over cases: what the promise costs.
        is_approximate: Whether the calibration images also served to select weights or thresholds.
    """

    request: PromiseRequest
    n: int
    score: float | None
    realized: float
    other: float
    is_approximate: bool = False

    @property
    def sentence(self) -> str:
        """The promise in words, with what it rests on and how far it reaches."""
        if self.score is None:
            return f"{_no_promise(self)}; from {counted(self.n, 'case')}."
        parts = [self.claim]
        if self.request.side == "false" and self.other >= 1:
            parts.append("no lower score keeps this: no matched object has such a score")
        if self.is_approximate:
            parts.append(APPROXIMATE)
        return f"{'; '.join(parts)}; from {counted(self.n, 'case')}, {REACH}."

    @property
    def claim(self) -> str:
        """What is promised alone, in words without a stop at the end."""
        if self.score is None:
            return _no_promise(self)
        claim = _claim(self.request, self.score)
        if self.request.delta is None:
            return claim
        return f"With {percent(1 - self.request.delta)} confidence, {claim[0].lower()}{claim[1:]}"

    def safer(self, tolerance: float) -> "ObjectPromise":
        """The same for scores that may be off by `tolerance`, as those of another engine are.

        The score stays one of `SCORES`, lower where few are to be missed, higher where few are to
        be false.
        """
        if self.score is None:
            return self
        if self.request.side == "missed":
            step = int(np.searchsorted(SCORES, np.float32(self.score - tolerance), "right")) - 1
        else:
            step = int(np.searchsorted(SCORES, np.float32(self.score + tolerance), "left"))
        step = min(max(step, 0), len(SCORES) - 1)
        return replace(self, score=round(float(SCORES[step]), 3))


def make_object_promise(
    request: PromiseRequest, losses: Mapping[Side, CaseLosses], is_approximate: bool = False
) -> ObjectPromise:
    """The boldest score that keeps what is asked: the highest for few missed, the lowest for few
    false objects.

    Where even all objects together miss more than asked, there is none, and `realized` says what
    they miss.

    Args:
        request: One that so many cases allow; see `PromiseRequest.offered`.
        losses: As `case_losses` gives them.
    """
    side = request.side
    order = np.arange(len(SCORES)) if side == "missed" else np.arange(len(SCORES))[::-1]
    shares = losses[side].shares[:, order]
    if request.tau is not None:
        shares = exceeds(shares, request.tau)
    if request.delta is None:
        allowed = allowed_on_average(shares, request.level)
    else:
        are_binary = request.tau is not None
        allowed = allowed_surely(shares, request.level, request.delta, are_binary=are_binary)
    step = order[max(allowed - 1, 0)]
    other = losses["false" if side == "missed" else "missed"].shares[:, step]
    return ObjectPromise(
        request=request,
        n=losses[side].n,
        score=round(float(SCORES[step]), 3) if allowed else None,
        realized=float(shares[:, max(allowed - 1, 0)].mean()),
        other=float(other.mean()) if len(other) else float("nan"),
        is_approximate=is_approximate,
    )


@dataclass(frozen=True, kw_only=True)
class ObjectTrust(PlainTrust):
    """Promises of a model of single objects: trust.json beside its card."""

    task: ClassVar[str] = InstanceCard.task

    promises: tuple[ObjectPromise, ...]

    @classmethod
    def valid(cls, folder: Path, card: InstanceCard) -> Self:
        """Record in the folder of a model, whose promises hold for the way it predicts.

        Raises `ModelError` where it is missing or damaged, or the promises are those of another
        model, or size, tile, thresholds or cleaning are others.
        """
        record = cls.read(folder)
        record.check(folder / TRUST_FILE, card.model_sha256, objects_calibrated_with(card))
        return record

    def for_engine(self, model_sha256: str, tolerance: float) -> Self:
        """Promises of the same model in another engine, whose scores differ by `tolerance`.

        `model_sha256` is on the card of the exported model. Scores move to the safe side.
        """
        promises = tuple(promise.safer(tolerance) for promise in self.promises)
        return replace(self, model_sha256=model_sha256, promises=promises)

    @property
    def sentences(self) -> list[str]:
        """The promises in words."""
        return [promise.sentence for promise in self.promises]

    @property
    def remarks(self) -> list[str]:
        """What no score promises, in words, but for confidence in it, and what needs more cases."""
        asked = [p for p in self.promises if p.score is None]
        without = [p.request for p in asked if p.request.delta is None]
        told = [
            p for p in asked if not p.request.delta or replace(p.request, delta=None) not in without
        ]
        return [*(promise.sentence for promise in told), *self.notes]


def objects_calibrated_with(card: InstanceCard) -> dict[str, Any]:
    """How objects are predicted, as plain values.

    The minimum score of the card is not among them: it only cuts off what a promise, which names a
    score of its own, is made about.
    """
    names = ("method", "size", "tile", "foreground", "marker", "min_area_px", "temperature")
    values = {name: getattr(card, name) for name in names}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


def _claim(request: PromiseRequest, score: float) -> str:
    name, level, those = (
        request.class_name,
        percent(request.level),
        f"with a score from {score:.3g}",
    )
    if request.tau is None:
        claim = f"On average at most {level}"
    else:
        holding = f" that hold {name}" if request.side == "missed" else ""
        cases = f"{share_of_cases(1 - request.level)} new cases{holding}"
        claim = f"In at least {cases}, at most {percent(request.tau)}"
    if request.side == "missed":
        return f"{claim} of the true {_objects(name)} are missed by those {those}"
    return f"{claim} of the {_objects(name)} {those} are false"


def _no_promise(promise: ObjectPromise) -> str:
    """Why no score keeps a promise: what happens at the safest one."""
    request = promise.request
    name, level, realized = request.class_name, percent(request.level), _share(promise.realized)
    sure = "" if request.delta is None else f" with {percent(1 - request.delta)} confidence"
    if request.tau is None:
        return (
            f"No score promises{sure} that on average at most {level} of the true {_objects(name)} "
            f"are missed: all predicted objects together miss {realized}"
        )
    return (
        f"No score promises{sure} that in at least {share_of_cases(1 - request.level)} new cases "
        f"at most {percent(request.tau)} of the true {_objects(name)} are missed: all predicted "
        f"objects together miss more in {realized} of the cases"
    )


def _objects(name: str) -> str:
    return "objects" if name == "object" else f"{name} objects"


def _share(value: float) -> str:
    return percent(round(value, 3))
