"""Promises of a model of masks, from a split that it has not learned from."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from maskwright.data import DataSet
from maskwright.errors import DataError, ModelError
from maskwright.evaluation import EvaluateOptions, Evaluation
from maskwright.export.artifact import PREPARED, is_artifact
from maskwright.export.engines import Threads
from maskwright.export.runtime import ImageFunction
from maskwright.inference.adjustments import adjusted_card
from maskwright.model_card import CARD_FILE, SemanticCard
from maskwright.reliability.class_trust import calibrate_class
from maskwright.reliability.observations import Observations
from maskwright.reliability.options import TrustOptions, calibrated_with, chosen_classes
from maskwright.reliability.record import TrustRecord
from maskwright.tasks.independence import hashes_of, near_copies, nothing_there
from maskwright.tasks.semantic.calibration.calibration_data import (
    open_calibration,
    training_images,
    was_selected_by,
)
from maskwright.tasks.semantic.calibration.collect import Collect, collect
from maskwright.tasks.semantic.calibration.familiar_images import make_familiarity, training_model
from maskwright.tasks.semantic.calibration.observe import (
    NetworkTape,
    ObservingPredictor,
    load_observed,
)
from maskwright.tasks.semantic.calibration.temperature import (
    PixelSamples,
    may_change_temperature,
    with_temperature,
)
from maskwright.types import Alert


def calibrate_run(
    run: Path,
    data: str | Path,
    options: TrustOptions,
    card_type: type[SemanticCard] = SemanticCard,
) -> TrustRecord:
    """Make promises of a run or an ensemble from a split of some data, and write them beside it.

    Every image is predicted once, at its own size. The temperature is fitted first, from pixels of
    all images, and everything else with it. It is written onto the model card, not into the record
    alone: every engine, the server and exports take it from there, so that all of them give the
    same probabilities, and `TrustRecord.valid` compares it. The weights stay as they are, and a run
    that is resumed writes its card anew, without it: the promises are refused then until they are
    made again. The record is written before the card: a run in between has promises that are
    refused, not promises that fail. Nothing is written before all is computed.

    Raises:
        DataError: If there is no image to calibrate on.
        ModelError: If there is no such model, or it is an exported one.
        ConfigError: If an option does not fit the model.
    """
    if is_artifact(run):
        raise ModelError(
            f"{run} is an exported model, into which nothing is written: make promises of its run, "
            f"and export it again."
        )
    network, card = load_observed(run, Threads(allow_code=options.allow_code), card_type)
    record, card = calibrated(run, network, card, data, options)
    record.write(run)
    shutil.rmtree(run / PREPARED, ignore_errors=True)  # an export with other promises, or none
    card.write(run / CARD_FILE)
    return record


def calibrated(
    run: Path,
    network: ImageFunction,
    original: SemanticCard,
    data: str | Path,
    options: TrustOptions,
    temperature: bool = True,
) -> tuple[TrustRecord, SemanticCard]:
    """Promises of a network with its card, and the card with the temperature that was fitted.

    Args:
        run: Of the network, or of the one that it was made from; tells what it has learned from.
        temperature: Whether to fit one; else that of the card stays.

    Raises:
        DataError: If there is no image to calibrate on, or none holds a class.
        ConfigError: If an option does not fit the model.
    """
    classes = chosen_classes(original.labels, original.background, options.classes)
    dataset, split, cautions = open_calibration(run, data, options)
    given = replace(options, split=split)
    passed, seen, card = _predict(network, original, dataset, given, classes, temperature)
    if not any(len(seen.of(name).held_by) for name in classes):
        raise DataError(nothing_there(passed, classes))
    for text in (*(caution.text for caution in (*cautions, *passed.warnings)), *_skipped(passed)):
        options.on_message(Alert(text))
    is_approximate = was_selected_by(run, dataset, passed.samples)
    known = {
        name: calibrate_class(name, seen.of(name), passed.cases, options, is_approximate)
        for name in classes
    }
    images = training_images(run, dataset)
    model = training_model(run, ObservingPredictor(network, card), images, options.flips)
    familiarity, unfamiliar = make_familiarity(seen.channel_means, passed, model)
    notes = [note for _, _, class_notes in known.values() for note in class_notes]
    record = TrustRecord(
        model_sha256=card.model_sha256,
        data=str(dataset.root),
        split=split,
        is_approximate=is_approximate,
        images=len(passed.samples),
        cases=passed.num_cases,
        calibrated_with=calibrated_with(card, options.flips, run),
        temperature_before=original.temperature,
        classes={name: trust for name, (trust, _, _) in known.items()},
        quality={name: quality for name, (_, quality, _) in known.items()},
        familiarity=familiarity,
        asked=options.asked,
        notes=(*near_copies(run, dataset, passed.samples), *notes, *unfamiliar),
        image_hashes=hashes_of(dataset, passed.samples),
    )
    return record, card


def _predict(
    network: ImageFunction,
    card: Any,
    dataset: DataSet,
    options: TrustOptions,
    classes: Mapping[str, int],
    temperature: bool,
) -> tuple[Evaluation, Observations, Any]:
    """What the split tells, and the card with the temperature, which is fitted first if it may."""
    given = EvaluateOptions(split=options.split, flips=options.flips, examples=0)
    pixels, seen = PixelSamples(), Observations(classes)

    def observe(network: ImageFunction, card: Any, collect_image: Collect) -> Evaluation:
        adjusted = adjusted_card(card, {"pixel_range": options.pixel_range})
        return collect(ObservingPredictor(network, adjusted), dataset, given, collect_image)

    if not (temperature and may_change_temperature(card)):
        return observe(network, card, seen.add), seen, card
    with TemporaryFile() as file:
        tape = NetworkTape(network, file)
        passed = observe(tape, card, pixels.add)
        card = with_temperature(card, card.temperature * pixels.factor(passed.cases))
        tape.rewind()
        observe(tape, card, seen.add)
    return passed, seen, card


def _skipped(evaluation: Evaluation) -> list[str]:
    return [f"skipped: {each.reason}" for each in evaluation.skipped]
