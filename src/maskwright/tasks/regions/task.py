"""`REGIONS`: a decision on what a mask holds, by region, image or case."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from maskwright.config import RegionConfig
from maskwright.data.samples import separated
from maskwright.errors import ConfigError, DataError
from maskwright.evaluation import EvaluateOptions
from maskwright.export.artifact import is_artifact
from maskwright.model_card import RegionCard
from maskwright.tasks.base import Prepare, Task
from maskwright.tasks.provenance import without_learned
from maskwright.tasks.regions.evaluation.report import region_report
from maskwright.tasks.regions.evaluation.score_run import open_pipeline, score_run
from maskwright.tasks.regions.evaluation.scores import RegionEvaluation
from maskwright.tasks.regions.export import EXPORT
from maskwright.tasks.regions.folder import plan_folder
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.regions.postprocessed import write_postprocessed
from maskwright.tasks.regions.serving import open_served
from maskwright.tasks.regions.setup import open_region_data, open_regions
from maskwright.tasks.regions.trust.calibrate import calibrate_answers
from maskwright.tasks.regions.trust.exported import export_promises
from maskwright.tasks.regions.trust.report import answer_promise_table
from maskwright.tasks.regions.trust.verify import verify_answers
from maskwright.tasks.settings import make_augmentation, refuse_evaluate_options, report_skipped
from maskwright.tasks.sides import respect_sides

if TYPE_CHECKING:
    from maskwright.training import TrainOptions


def _training(config: RegionConfig, data: str | Path, options: "TrainOptions") -> Prepare:
    from maskwright.losses import loss
    from maskwright.losses.compose import parse
    from maskwright.tasks.regions.training import prepare

    if config.segmenter is not None and is_artifact(Path(config.segmenter)):
        raise ConfigError(
            f"{config.segmenter} is an exported model; give the run that it was made from as "
            f"the segmenter, and export both together."
        )
    if config.preset == "reference_cnn":
        config = config.model_copy(update={"measures": False})
    make_augmentation(config)
    if unfit := sorted(set(parse(config.loss)) - {"ce", "focal"}):
        raise ConfigError(f"Decisions are learned by ce and focal; received {' and '.join(unfit)}.")
    loss(config.loss, smoothing=config.smoothing)
    region_data, config = open_region_data(config, data, options.on_message)
    if reason := separated(region_data.dataset.samples):
        raise DataError(reason)
    if config.pixels:
        config = respect_sides(config, region_data.labeling.names, options.on_message)
    return partial(prepare, region_data, config, options)


def _evaluate(run: Path, data: str | Path, options: EvaluateOptions) -> RegionEvaluation:
    """Score decisions, and hold the promises of the run, if it has any, against them."""
    refuse_evaluate_options(RegionCard.task, options)
    pipeline, config = open_pipeline(run, options.pixel_range, options.allow_code)
    dataset = open_regions(data, config)
    report_skipped(dataset, options.on_message)
    dataset, seen = without_learned(dataset, options.split, run)
    evaluation = score_run(run, pipeline, dataset, config, options)
    trust, cautions = verify_answers(run, pipeline, dataset, evaluation)
    return replace(evaluation, trust=trust, warnings=(*seen, *cautions, *evaluation.warnings))


REGIONS = Task(
    export=replace(EXPORT, promises=export_promises, postprocess=write_postprocessed),
    training=_training,
    load=Pipeline.load,
    plan_folder=plan_folder,
    evaluate=_evaluate,
    report=region_report,
    serve=open_served,
    trust=calibrate_answers,
    promise_table=answer_promise_table,
)
