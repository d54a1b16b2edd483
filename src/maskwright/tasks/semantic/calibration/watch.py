"""Promises of a run held against the images that it is evaluated on."""

from pathlib import Path

import numpy as np

from maskwright.data import DataSet, Sample
from maskwright.errors import ModelError
from maskwright.evaluation import Caution, EvaluateOptions, Evaluation
from maskwright.evaluation.reports.kept_promises import kept_cautions
from maskwright.export.artifact import model_folder
from maskwright.export.engines import Threads
from maskwright.inference.adjustments import adjusted_card
from maskwright.inference.prediction import Prediction
from maskwright.model_card import CARD_FILE, SemanticCard
from maskwright.reliability.observations import MOST_VALUES, Observations, ObservedPrediction
from maskwright.reliability.record import TRUST_FILE, TrustRecord
from maskwright.reliability.verification import TrustCheck, verify
from maskwright.tasks.independence import dependent_images
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor, load_observed


class Watch:
    """Predictions for an evaluation, observed as far as promises can be held against them.

    `model` is a predictor that gives the same masks.
    """

    def __init__(self, predictor: ObservingPredictor, record: TrustRecord) -> None:
        self._predictor, self._record, self.model = predictor, record, predictor.predictor
        names = predictor.card.labels.names
        self._seen = Observations({name: names.index(name) for name in record.classes})

    def predict(self, options: EvaluateOptions, image: np.ndarray) -> Prediction:
        """Prediction for an image `(h, w, c)`; without probabilities where these are too many."""
        values = image.shape[0] * image.shape[1] * self.model.card.labels.num_classes
        if values > MOST_VALUES:
            return self.model(image, flips=options.flips)
        return self._predictor(image, flips=options.flips)

    def consume(
        self, sample: Sample, image: np.ndarray, truth: np.ndarray, prediction: Prediction
    ) -> None:
        """Observe one image, as a consumer of the evaluation loop."""
        if isinstance(prediction, ObservedPrediction):
            self._seen.add(truth, prediction)
        else:
            self._seen.skip()

    def result(
        self, run: Path, dataset: DataSet, evaluation: Evaluation
    ) -> tuple[TrustCheck | None, tuple[Caution, ...]]:
        """What all images say of the promises but those that these rest on, and what of those.

        Nothing where no other is left; the images are those of the evaluation.
        """
        places, cautions = dependent_images(run, dataset, evaluation, self._record)
        if len(places) == self._seen.num_images:
            return None, cautions
        check = verify(self._record, self._seen.without(places), evaluation.cases)
        return check, (*cautions, *kept_cautions(check))


def open_watch(
    run: Path, options: EvaluateOptions, card_type: type[SemanticCard]
) -> tuple[Watch | None, tuple[Caution, ...]]:
    """A watch over the promises of a run, if it has any that hold for these options.

    Without, what to say of the promises: they are left out of the evaluation, not in its way.
    """
    folder = model_folder(run)
    if not (folder / TRUST_FILE).is_file():
        return None, ()
    if options.size != "original":
        text = "Promises hold for masks of the size of the images; score these to see them held."
        return None, (Caution("promises", text),)
    try:
        record = TrustRecord.valid(folder, card_type.read(folder / CARD_FILE), options.flips)
    except ModelError as error:
        return None, (Caution("promises", str(error)),)
    network, card = load_observed(run, Threads(allow_code=options.allow_code), card_type)
    adjusted = adjusted_card(card, {"pixel_range": options.pixel_range})
    return Watch(ObservingPredictor(network, adjusted), record), ()
