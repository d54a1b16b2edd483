"""Promises about single objects as the server gives them: which objects keep them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.data.samples import counted
from maskwright.errors import ModelError
from maskwright.export.artifact import model_folder
from maskwright.inference.pixels import checked_image
from maskwright.inference.prediction import Prediction
from maskwright.instances import Instances
from maskwright.model_card import TRUST_FILE, InstanceCard
from maskwright.tasks.instances.predictor import DetectorFn, InstancePredictor
from maskwright.tasks.instances.trust.object_promises import ObjectPromise, ObjectTrust
from maskwright.tasks.serving import AssessedMask, EngineSharing


def open_promises(
    path: Path, predictor: InstancePredictor, sharing: EngineSharing
) -> "PromisedObjects | None":
    """Promises of a model that is served; `None` where it has none that hold, which is told."""
    folder = model_folder(path)
    if not (folder / TRUST_FILE).is_file():
        return None
    try:
        record = ObjectTrust.valid(folder, predictor.card)
    except ModelError as error:
        sharing.on_message(f"Served without promises. {error}")
        return None
    return PromisedObjects(predictor.detector, folder, record)


@dataclass(frozen=True)
class PromisedObjects:
    """A model of objects that tells which of them keep its promises; several threads may call it.

    Args:
        detector: As `InstancePredictor` takes it.
        folder: Of the model, named in messages.
        record: Its promises.
    """

    detector: DetectorFn
    folder: Path
    record: ObjectTrust

    def __call__(self, card: InstanceCard, image: np.ndarray) -> AssessedMask:
        """Objects of an image `(h, w, c)`, and for each class the numbers of those that keep the
        promises of few missed ones (`outer`) and of few false ones (`inner`).

        Raises `ModelError` where the promises do not hold for the card.
        """
        ObjectTrust.valid(self.folder, card)
        predictor = InstancePredictor(self.detector, card)
        found = predictor.predict_all(checked_image(image))
        objects = predictor.confident(found)
        masks, bounds, sentences = [], {}, []
        sets: list[list[str]] = [[] for _ in range(len(objects))]
        for kind, promise in drawn_promises(self.record):
            name = promise.request.class_name
            label = card.labels.names.index(name)
            members = found.at_least(promise.score or 0.0, max(card.min_area_px, 1))
            members = members.take(members.labels == label)
            bounds[kind, name] = members.ids()
            for place in np.flatnonzero(_reach(objects, label, promise.score or 0.0)).tolist():
                sets[place].append(kind)
            number = f"{counted(len(members), 'object')} {'is' if len(members) == 1 else 'are'}"
            sentences.append(f"{number} in the {kind} mask. {promise.claim}.")
            masks.append(_values(kind, promise, len(members)))
        prediction = Prediction(objects.classes(), instances=objects.ids(), objects=objects)
        return AssessedMask(prediction, masks, bounds, sentences, object_sets=sets)


def drawn_promises(record: ObjectTrust) -> Iterator[tuple[str, ObjectPromise]]:
    """For each class, the promise whose objects keep those of the others of its side as well.

    It is `outer` for few missed objects and has the lowest score, `inner` for few false ones and
    has the highest.
    """
    made = [promise for promise in record.promises if promise.score is not None]
    for name in dict.fromkeys(promise.request.class_name for promise in made):
        of_class = [promise for promise in made if promise.request.class_name == name]
        for kind, side, sign in (("outer", "missed", 1), ("inner", "false", -1)):
            of_side = [promise for promise in of_class if promise.request.side == side]
            if of_side:
                yield kind, min(of_side, key=lambda promise: sign * (promise.score or 0.0))


def _reach(objects: Instances, label: int, score: float) -> np.ndarray:
    scores = np.ones(len(objects)) if objects.scores is None else objects.scores
    return (objects.labels == label) & (scores >= score)


def _values(kind: str, promise: ObjectPromise, number: int) -> dict[str, Any]:
    """Plain values of JSON."""
    return {
        "class_name": promise.request.class_name,
        "set": kind,
        "score": promise.score,
        "objects": number,
        "sentence": promise.sentence,
    }
