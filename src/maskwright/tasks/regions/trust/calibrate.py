"""Promises of a model of decisions, from a split that it has not learned from."""

from pathlib import Path

import numpy as np

from maskwright.config import RegionConfig
from maskwright.errors import ConfigError, ModelError
from maskwright.evaluation import EvaluateOptions
from maskwright.export.artifact import is_artifact
from maskwright.reliability.options import EVERYTHING, TrustOptions
from maskwright.tasks.independence import hashes_of, near_copies
from maskwright.tasks.provenance import undivided
from maskwright.tasks.regions.evaluation.score_run import open_pipeline, score_run
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.regions.setup import open_regions
from maskwright.tasks.regions.trust.answer_sets import AnswerSets, make_answer_sets
from maskwright.tasks.regions.trust.record import AnswerTrust, Masks, answers_calibrated_with
from maskwright.tasks.regions.trust.verify import decided_with
from maskwright.tasks.semantic.calibration.calibration_data import (
    open_calibration,
    was_selected_by,
)
from maskwright.tasks.settings import refuse_trust_options
from maskwright.types import Alert

_UNUSED = ("classes", "missed", "false", "sure", "need_dice", "flips")


def calibrate_answers(run: Path, data: str | Path, options: TrustOptions) -> AnswerTrust:
    """Make promises of a run from a split of some data, and write them beside it, as `Task.trust`.

    Decisions are made with ground truth masks and, where there is a segmenter, with its masks, and
    answers calibrated for both.

    Raises:
        DataError: If there is nothing to decide on.
        ModelError: If there is no such model, or it is an exported one.
        ConfigError: If an option does not fit the model.
    """
    if is_artifact(run):
        raise ModelError(
            f"{run} is an exported model, into which nothing is written: make promises of its run, "
            f"and export it again."
        )
    pipeline, config = open_pipeline(run, options.pixel_range, options.allow_code)
    record = calibrated(run, pipeline, config, data, options)
    record.write(run)
    return record


def calibrated(
    run: Path, pipeline: Pipeline, config: RegionConfig, data: str | Path, options: TrustOptions
) -> AnswerTrust:
    """Promises of a pipeline, which may run the networks of a run in another engine; as
    `calibrate_answers`, but nothing is written.

    Args:
        config: Settings of the run.
    """
    refuse_trust_options(AnswerTrust.task, _UNUSED, options)
    if options.each is None:
        raise ConfigError(
            "Expected `each`, the share of the cases of a class whose answer may be the other "
            "one, above 0; received none."
        )
    if options.split == EVERYTHING:
        config = config.model_copy(update=undivided(config.division()))
    dataset, split, cautions = open_calibration(run, data, options, open_regions(data, config))
    given = EvaluateOptions(split=split, examples=0)
    evaluation = score_run(run, pipeline, dataset, config, given)
    for text in (
        *(c.text for c in cautions),
        *(f"skipped: {s.reason}" for s in evaluation.skipped),
    ):
        options.on_message(Alert(text))
    is_approximate = was_selected_by(run, dataset, evaluation.samples)
    kinds: list[Masks] = ["given", "predicted"] if evaluation.has_predicted else ["given"]
    answers: dict[Masks, AnswerSets] = {}
    notes: dict[str, None] = {}
    for masks in kinds:
        decided = decided_with(evaluation, masks)
        answers[masks], told = make_answer_sets(
            decided, evaluation.card.names, options.each, is_approximate
        )
        notes |= dict.fromkeys(told)
    return AnswerTrust(
        model_sha256=evaluation.card.model_sha256,
        data=str(dataset.root),
        split=split,
        is_approximate=is_approximate,
        images=len(evaluation.samples),
        cases=len(np.unique(evaluation.cases)),
        calibrated_with={masks: answers_calibrated_with(pipeline, masks) for masks in kinds},
        asked=options.asked,
        notes=(*near_copies(run, dataset, evaluation.samples), *notes),
        image_hashes=hashes_of(dataset, evaluation.samples),
        answers=answers,
    )
