"""A run that nobody trained, with promises written down by hand: what they say is not held true."""

from dataclasses import replace

import keras
import numpy as np

from drawing_doubts import doubtful
from maskwright.labels import Labels
from maskwright.model_card import CARD_FILE, SemanticCard, checksum
from maskwright.models.blueprint import Blueprint
from maskwright.reliability.accept_rule import AcceptRule
from maskwright.reliability.class_trust import ClassTrust
from maskwright.reliability.familiarity import Familiarity, fit_familiarity
from maskwright.reliability.mask_quality import QualityModel
from maskwright.reliability.options import calibrated_with
from maskwright.reliability.promises import Promise, PromiseRequest
from maskwright.reliability.record import TrustRecord
from maskwright.tasks.semantic.calibration.observe import ObservingPredictor, load_observed

CASES = 40
LABELS = Labels.create(("background", "disc"))
NETWORK = {"num_classes": 1, "encoder_name": "plain", "encoder_widths": [4, 8, 8, 8]}


def promised_run(folder, size=(32, 32), tile=None):
    """Folder of a run of masks of discs, as large as half of an image, and its promises."""
    folder.mkdir(parents=True)
    blueprint = Blueprint("segmenter", NETWORK | {"decoder_name": "unet"}, {"seed": 1})
    keras.utils.set_random_seed(1)
    blueprint.build().save(folder / "model.keras")
    (folder / "network.json").write_text(blueprint.to_json(), encoding="utf-8")
    card = SemanticCard(
        labels=LABELS,
        size=size,
        tile=tile,
        threshold=0.5,
        symmetries=("horizontal_flip",),
        **{"channels": 3, "dtype": "uint8", "version": "0", "data": "d"},
        model_sha256=checksum(folder / "model.keras"),
    )
    card.write(folder / CARD_FILE)
    network, _ = load_observed(folder)
    images = [doubtful(seed)[0] for seed in range(2 * CASES)]
    logits = np.stack([network(image[None].astype(np.float32))["logits"] for image in images])
    card = replace(card, temperature=float(logits.std()))
    predictor = ObservingPredictor(network, card)
    seen = [predictor(image) for image in images]
    means = np.stack([prediction.channel_means for prediction in seen])
    values = np.stack([prediction.probabilities[..., 1] for prediction in seen])
    low, middle, high = (float(value) for value in np.quantile(values, (0.3, 0.5, 0.7)))
    card = replace(card, threshold=middle)
    card.write(folder / CARD_FILE)
    model = fit_familiarity(means[:CASES])
    familiarity = Familiarity(model, model.distances(means[CASES:]), np.arange(CASES))
    promises = tuple(
        Promise(
            request=PromiseRequest(class_name="disc", side=side, level=0.1),
            n=CASES,
            threshold=threshold,
        )
        for side, threshold in (("missed", low), ("missed", (low + middle) / 2), ("false", high))
    )
    rule = AcceptRule(threshold=0.2, need=0.1, level=0.1, delta=0.05, n=CASES, coverage=1.0)
    known = ClassTrust(
        n=CASES,
        promises=promises,
        areas=(1.5, 1.3, 0.5),
        masks=CASES,
        margin=0.2,
        bound_level=0.1,
        accept=rule,
    )
    TrustRecord(
        model_sha256=card.model_sha256,
        data="d",
        split="calibration",
        is_approximate=False,
        images=CASES,
        cases=CASES,
        calibrated_with=calibrated_with(card, False, folder),
        temperature_before=1.0,
        classes={"disc": known},
        quality={"disc": QualityModel(np.zeros((0, 4)))},
        familiarity=familiarity,
        asked={"sure": None},
    ).write(folder)
    return folder
