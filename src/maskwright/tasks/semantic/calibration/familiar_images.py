"""How images unlike the training images are told, by features of the encoder."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from maskwright.data.samples import counted
from maskwright.errors import DataError, ModelError
from maskwright.evaluation import Evaluation
from maskwright.inference.predictor import Flips
from maskwright.metrics.intervals import case_places
from maskwright.model_card import TRUST_FILE
from maskwright.reliability.familiarity import (
    FLAGGED,
    Familiarity,
    FamiliarityModel,
    fit_familiarity,
)
from maskwright.reliability.record import TrustRecord
from maskwright.reliability.risk_control import fewest_cases
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor

_NOT_TOLD = "Images unlike the training images are not told"


def make_familiarity(
    channel_means: np.ndarray | None, evaluation: Evaluation, model: FamiliarityModel | None
) -> tuple[Familiarity | None, list[str]]:
    """From channel means `(n, d)` of the calibration images, or a sentence on why there is none.

    `evaluation` tells their cases; `model` is that of the training images, if there is one.
    """
    fewest = fewest_cases(FLAGGED)
    if channel_means is None:
        return None, [f"{_NOT_TOLD}: the network does not give the features of an encoder."]
    if evaluation.num_cases < fewest:
        number = counted(evaluation.num_cases, "case")
        return None, [f"{_NOT_TOLD}: this needs {fewest} cases; there are {number}."]
    if model is None:
        return None, [
            f"{_NOT_TOLD}: {evaluation.data} holds none of the training images; make promises from "
            f"the data of the training once, and these stay known."
        ]
    places = np.array(case_places(evaluation.cases), np.int64)
    return Familiarity(model, model.distances(channel_means), places), []


def training_model(
    run: Path, predictor: ObservingPredictor, images: Iterable[np.ndarray], flips: Flips
) -> FamiliarityModel | None:
    """Where the features of the training images lie, as far as there are any.

    Without, what an earlier record of the same model says of them, if there is one.
    """
    means = []
    for image in images:
        try:
            values = predictor.channel_means(image, flips)
        except DataError:  # not of the kind that the model takes
            continue
        if values is None:
            return None
        means.append(values)
    if len(means) > 1:
        return fit_familiarity(np.array(means))
    if not (run / TRUST_FILE).is_file():
        return None
    try:
        earlier = TrustRecord.read(run)
    except ModelError:  # it is about to be replaced
        return None
    is_same = earlier.model_sha256 == predictor.card.model_sha256
    return earlier.familiarity.model if is_same and earlier.familiarity is not None else None
