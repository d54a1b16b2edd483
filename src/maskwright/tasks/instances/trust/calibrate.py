"""Promises of a model of single objects, from a split that it has not learned from."""

from pathlib import Path

from maskwright.errors import DataError, ModelError
from maskwright.evaluation import EvaluateOptions
from maskwright.export.artifact import is_artifact
from maskwright.export.engines import Threads
from maskwright.reliability.options import TrustOptions, chosen_classes
from maskwright.tasks.independence import hashes_of, near_copies, nothing_there
from maskwright.tasks.instances.evaluation.scorer import evaluate_instances
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.trust.object_losses import object_losses
from maskwright.tasks.instances.trust.object_promises import (
    ObjectPromise,
    ObjectTrust,
    make_object_promise,
    objects_calibrated_with,
)
from maskwright.tasks.semantic.calibration.calibration_data import (
    open_calibration,
    was_selected_by,
)
from maskwright.tasks.settings import refuse_trust_options
from maskwright.types import Alert


def calibrate_objects(run: Path, data: str | Path, options: TrustOptions) -> ObjectTrust:
    """Make promises of a run from a split of some data, and write them beside it, as `Task.trust`.

    Every image is predicted once, and its objects are matched whatever their scores, those below
    the minimum score of the card too.

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
    predictor = InstancePredictor.load(run, Threads(allow_code=options.allow_code))
    record = calibrated(run, predictor, data, options)
    record.write(run)
    return record


def calibrated(
    run: Path, predictor: InstancePredictor, data: str | Path, options: TrustOptions
) -> ObjectTrust:
    """Promises of a predictor, which may run the network of a run in another engine; as
    `calibrate_objects`, but nothing is written.
    """
    refuse_trust_options(ObjectTrust.task, ("flips", "need_dice"), options)
    predictor = predictor.adjusted(pixel_range=options.pixel_range)
    card = predictor.card
    classes = chosen_classes(card.labels, card.background, options.classes)
    dataset, split, cautions = open_calibration(run, data, options)
    evaluation = evaluate_instances(predictor, dataset, EvaluateOptions(split=split, examples=0))
    of_scores = (*evaluation.split_cautions(), *evaluation.case_cautions())
    told = [c.text for c in (*cautions, *evaluation.warnings) if c not in of_scores]
    for text in (*told, *(f"skipped: {each.reason}" for each in evaluation.skipped)):
        options.on_message(Alert(text))
    is_approximate = was_selected_by(run, dataset, evaluation.samples)
    promises: list[ObjectPromise] = []
    notes: dict[str, None] = {}
    of_class = {
        name: object_losses(evaluation.pairs, evaluation.cases, label, card.min_area_px)
        for name, label in classes.items()
    }
    if not any(losses["missed"].n for losses in of_class.values()):
        raise DataError(nothing_there(evaluation, of_class))
    for name, losses in of_class.items():
        for request in options.requests(name):
            n = losses[request.side].n
            offered = request.offered(n)
            if (shortage := request.shortage(n)) is not None:
                notes[shortage] = None
            if offered is not None:
                promises.append(make_object_promise(offered, losses, is_approximate))
    return ObjectTrust(
        model_sha256=card.model_sha256,
        data=str(dataset.root),
        split=split,
        is_approximate=is_approximate,
        images=len(evaluation.samples),
        cases=evaluation.num_cases,
        calibrated_with=objects_calibrated_with(card),
        asked=options.asked,
        notes=(*near_copies(run, dataset, evaluation.samples), *notes),
        image_hashes=hashes_of(dataset, evaluation.samples),
        promises=tuple(promises),
    )
