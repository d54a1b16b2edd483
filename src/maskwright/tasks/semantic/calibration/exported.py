"""Promises of a run that go with its exported model, moved to the safe side of another engine."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from maskwright.errors import ModelError
from maskwright.export.engines import OWN
from maskwright.export.ensemble import is_ensemble
from maskwright.export.export_task import Example
from maskwright.export.runtime import ImageFunction
from maskwright.model_card import CARD_FILE, TRUST_FILE, SemanticCard
from maskwright.reliability.options import TrustOptions
from maskwright.reliability.record import TrustRecord
from maskwright.tasks.promises_again import promises_again
from maskwright.tasks.semantic.calibration.calibrate import calibrated
from maskwright.tasks.semantic.calibration.observe import FEATURES, artifact_outputs, load_observed
from maskwright.types import Format

_MOST_DIFFERENCE = 1e-3  # of a feature, in units of its mean over the training images


def with_features(run: Path, model: Any) -> Any:
    """The Keras model of a run with the output that its promises tell unlike images by, if any."""
    from maskwright.models.encoders.channel_means import with_channel_means

    if not (run / TRUST_FILE).is_file() or is_ensemble(run):
        return model
    return with_channel_means(model)


def export_promises(
    run: Path,
    folder: Path,
    engine: Format,
    difference: float | None,
    examples: Sequence[Example],
    data: str | Path | None = None,
    card_type: type[SemanticCard] = SemanticCard,
) -> list[str]:
    """Write the promises of a run into the folder of its exported model; notes on what is left out.

    Thresholds move by the largest difference of a probability, so that outer masks hold those of
    the run, and inner masks lie within them. Eight bits change probabilities by more: their
    promises are made again through their own engine, of what was asked for then, with the
    temperature of the run.

    Args:
        folder: With the network and its card.
        difference: Largest of two probabilities of both; `None` for a network of eight bits.
        examples: On which features of both are compared.
        data: What `open_dataset` takes, with the calibration images, for eight bits.
    """
    if not (run / TRUST_FILE).is_file():
        return []
    card = card_type.read(run / CARD_FILE)
    try:
        record = TrustRecord.valid(run, card)
    except ModelError as error:
        return [f"The promises are left out. {error}"]
    exported = card_type.read(folder / CARD_FILE)
    if difference is None:

        def make(data: str | Path, options: TrustOptions) -> TrustRecord:
            network = artifact_outputs(folder, engine, exported, OWN)
            return calibrated(run, network, exported, data, options, temperature=False)[0]

        flips = record.calibrated_with["flips"]
        because = "eight bits change probabilities"
        again, notes = promises_again(record, data, make, because, flips=flips)
        if again is not None:
            again.write(folder)
        return notes
    record, notes = record.for_engine(exported.model_sha256, difference), list[str]()
    if record.familiarity is not None and is_ensemble(run):
        record = replace(record, familiarity=None)
        notes.append(
            "The exported members give no features of their encoders: images unlike the training "
            "images are not told."
        )
    if record.familiarity is not None:
        network, _ = load_observed(run, card_type=card_type)
        opened = artifact_outputs(folder, engine, exported, OWN)
        unit, images = record.familiarity.model.unit, [each["image"] for each in examples]
        largest = max(_difference(network, opened, unit, image) for image in images)
        if not largest <= _MOST_DIFFERENCE:
            record = replace(record, familiarity=None)
            notes.append(
                f"The features of the model exported to {engine} differ from the original by "
                f"{largest:.1e} of their mean, allowed are {_MOST_DIFFERENCE:g}: images unlike the "
                f"training images are not told. Promises made again with `maskwright trust` may "
                f"mend it."
            )
    record.write(folder)
    return notes


def _difference(
    network: ImageFunction, opened: ImageFunction, unit: np.ndarray, image: np.ndarray
) -> float:
    """Largest difference of a feature of an image, in units of its mean."""
    first, second = (run(image[None])[FEATURES] for run in (network, opened))
    return float((np.abs(first - second) / unit).max())
