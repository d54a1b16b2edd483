"""Whether promises about single objects hold in cases that they were not made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.errors import ModelError
from maskwright.evaluation import Caution
from maskwright.metrics.coco import Pairs
from maskwright.model_card import TRUST_FILE, InstanceCard
from maskwright.reliability.promises import Side
from maskwright.reliability.risk_control import exceeds
from maskwright.reliability.verification import Verdict, realized_mean, verdict_of
from maskwright.tasks.instances.trust.object_losses import SCORES, CaseLosses, object_losses
from maskwright.tasks.instances.trust.object_promises import (
    ObjectPromise,
    ObjectTrust,
    objects_calibrated_with,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectCheck:
    """A promise and what came of it in other cases.

    Args:
        n: Cases that count for it.
        realized: Mean over these of what the level of the promise bounds; nan without any.
        ends: Its 95 % interval, `(2,)`.
    """

    promise: ObjectPromise
    n: int
    realized: float
    ends: np.ndarray

    @property
    def verdict(self) -> Verdict:
        """Whether these cases keep the promise."""
        return verdict_of(self.promise.request, self.n, self.realized, self.ends)


def check_object_promise(
    promise: ObjectPromise, losses: Mapping[Side, CaseLosses]
) -> ObjectCheck | None:
    """What came of a promise in cases that it was not made from; `None` where none was made."""
    if promise.score is None:
        return None
    request, of_side = promise.request, losses[promise.request.side]
    shares = of_side.shares[:, int(np.searchsorted(SCORES, np.float32(promise.score)))]
    if request.tau is not None:
        shares = exceeds(shares, request.tau)
    realized, ends = realized_mean(request, shares, of_side.cases)
    return ObjectCheck(promise=promise, n=of_side.n, realized=realized, ends=ends)


@dataclass(frozen=True, eq=False, kw_only=True)
class ObjectTrustCheck:
    """What the cases of a split say of the promises in a record."""

    record: ObjectTrust
    promises: tuple[ObjectCheck, ...]


def read_object_trust(
    run: Path, card: InstanceCard, split: str
) -> tuple[ObjectTrust | None, tuple[Caution, ...]]:
    """Promises beside a model, if there are any that hold for it, and what to say of them."""
    if not (run / TRUST_FILE).is_file():
        return None, ()
    try:
        record = ObjectTrust.read(run)
        record.check(run / TRUST_FILE, card.model_sha256, objects_calibrated_with(card))
    except ModelError as error:
        return None, (Caution("promises", str(error)),)
    if split != record.split:
        return record, ()
    text = (
        f"The promises were made from the split {split}, which cannot tell whether they hold: "
        f"evaluate on another one."
    )
    return record, (Caution("promises", text),)


def verify_objects(
    record: ObjectTrust, pairs: Sequence[Pairs], cases: Sequence[str], card: InstanceCard
) -> ObjectTrustCheck:
    """Hold a record against the objects of images, whose cases are given."""
    names = dict.fromkeys(promise.request.class_name for promise in record.promises)
    of_class = {
        name: object_losses(pairs, cases, card.labels.names.index(name), card.min_area_px)
        for name in names
    }
    checks = (check_object_promise(p, of_class[p.request.class_name]) for p in record.promises)
    return ObjectTrustCheck(record=record, promises=tuple(c for c in checks if c is not None))
