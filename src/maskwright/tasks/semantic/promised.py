"""Promises of a model as the server gives them: what is known of each mask, and its bounds."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.artifact import PREPARED, is_artifact, model_folder
from maskwright.export.listing import read_listing
from maskwright.export.runtime import ImageFunction
from maskwright.model_card import TRUST_FILE, SemanticCard
from maskwright.reliability.assessment import UNLIKE, MaskAssessment, assess, bound_promises
from maskwright.reliability.familiarity import FLAGGED
from maskwright.reliability.promises import share_of_cases
from maskwright.reliability.record import TrustRecord
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor, load_observed
from maskwright.tasks.serving import AssessedMask, EngineSharing


def open_promises(
    path: Path, card: SemanticCard, sharing: EngineSharing
) -> "PromisedPredictor | None":
    """Promises of a model that is served with a card; `None` where it has none.

    Those that do not hold for the way in which a server predicts, without flips, are told and left
    out. A run is opened in its prepared engine where that carries the same promises.
    """
    folder = model_folder(path)
    if not (folder / TRUST_FILE).is_file():
        return None
    try:
        record = TrustRecord.valid(folder, card, flips=False)
    except ModelError as error:
        sharing.on_message(f"Served without promises. {error}")
        return None
    place, promises = _fastest(folder, record)
    network, _ = load_observed(place, sharing.threads, type(card))
    return PromisedPredictor(sharing.serialize(network), folder, promises)


def _fastest(folder: Path, record: TrustRecord) -> tuple[Path, TrustRecord]:
    """The prepared engine of a run with its promises, or the model itself."""
    prepared = folder / PREPARED
    if is_artifact(prepared) and (prepared / TRUST_FILE).is_file():
        try:
            moved = TrustRecord.read(prepared)
            if moved.date == record.date and read_listing(prepared).source == record.model_sha256:
                return prepared, moved
        except ModelError:  # the run itself still serves
            pass
    return folder, record


@dataclass(frozen=True)
class PromisedPredictor:
    """A model that tells what is known of its masks; several threads may call it.

    Args:
        network: As `load_observed` gives it; one call at a time.
        folder: Of the model, named in messages.
        promises: Of the model, moved to the engine that the network is opened in.
    """

    network: ImageFunction
    folder: Path
    promises: TrustRecord

    def __call__(self, card: Any, image: np.ndarray) -> AssessedMask:
        """What is known of the masks in an image `(h, w, c)`, predicted with an adjusted card.

        Raises `ModelError` where the promises do not hold for the card, `DataError` if the image is
        too large or does not suit the model.
        """
        record = TrustRecord.valid(self.folder, card, flips=False)
        prediction = ObservingPredictor(self.network, card)(image)
        probabilities: Any = prediction.probabilities
        names = card.labels.names
        assessed = assess(self.promises, prediction, names)
        bounds = {
            (promise.mask_name, name): promise.mask(probabilities[..., names.index(name)])
            for name, promise in bound_promises(self.promises)
        }
        masks, sentences = [], []
        for each in assessed:
            holds_in = share_of_cases(1 - record.classes[each.class_name].bound_level)
            if each.expected_dice is not None:
                sentences.append(_dice_sentence(each, each.expected_dice, holds_in))
            if each.expected_dice is not None or each.decision is not None:
                masks.append({**asdict(each), "bound_holds_in": holds_in})
        p_value = assessed[0].unfamiliar_p if assessed else None
        doubt = _doubt(assessed)
        if p_value is not None and p_value <= FLAGGED:
            sentences.insert(0, f"This image is {UNLIKE} (p = {p_value:.2g}).")
            doubt = 2 - p_value
        return AssessedMask(prediction, masks, bounds, sentences, doubt)


def _doubt(masks: Sequence[MaskAssessment]) -> float:
    """One minus the lower bound of the Dice, or the expected one, of the worst mask."""
    known = [m.expected_dice if m.lower_bound is None else m.lower_bound for m in masks]
    return 1 - min((dice for dice in known if dice is not None), default=1.0)


def _dice_sentence(mask: MaskAssessment, expected: float, holds_in: str) -> str:
    """Expected Dice of a mask in words."""
    bound = mask.lower_bound
    least = "" if bound is None else f", at least {bound:.2f} in {holds_in} images"
    decision = "" if mask.decision is None else f": {mask.decision}"
    return f"{mask.class_name}: Dice about {expected:.2f}{least}{decision}"
