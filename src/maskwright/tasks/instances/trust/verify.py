"""Whether promises about single objects hold in cases that they were not made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maskwright.data import DataSet
from maskwright.errors import ModelError
from maskwright.evaluation import Caution, Evaluation
from maskwright.export.artifact import model_folder
from maskwright.metrics.coco import Pairs
from maskwright.model_card import TRUST_FILE, InstanceCard
from maskwright.reliability.promises import Side
from maskwright.reliability.risk_control import exceeds
from maskwright.reliability.verification import Verdict, realized_mean, verdict_of
from maskwright.tasks.independence import dependent_images
from maskwright.tasks.instances.trust.object_losses import SCORES, CaseLosses, object_losses
from maskwright.tasks.instances.trust.object_promises import (
    ObjectPromise,
    ObjectTrust,
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
        return verdict_of(self.promise, self.n, self.realized, self.ends)


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
    run: Path, card: InstanceCard
) -> tuple[ObjectTrust | None, tuple[Caution, ...]]:
    """Promises beside a model, if there are any that hold for it, and what to say of them."""
    folder = model_folder(run)
    if not (folder / TRUST_FILE).is_file():
        return None, ()
    try:
        record = ObjectTrust.valid(folder, card)
    except ModelError as error:
        return None, (Caution("promises", str(error)),)
    return record, ()


def verify_objects(
    run: Path,
    card: InstanceCard,
    dataset: DataSet,
    evaluation: Evaluation,
    pairs: Sequence[Pairs],
) -> tuple[ObjectTrustCheck | None, tuple[Caution, ...]]:
    """Hold the record beside a model, if it has one that is valid, against an evaluation.

    Images that the promises rest on do not count, see `dependent_images`; `pairs` are the objects
    of all.
    """
    record, cautions = read_object_trust(run, card)
    if record is None:
        return None, cautions
    places, cautions = dependent_images(run, dataset, evaluation, record)
    kept = [place for place in range(len(pairs)) if place not in places]
    if not kept:
        return None, cautions
    cases = evaluation.cases
    of_kept = [pairs[place] for place in kept], [cases[place] for place in kept]
    return check_objects(record, *of_kept, card), cautions


def check_objects(
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
