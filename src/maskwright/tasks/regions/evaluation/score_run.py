"""From a run and its data to scores of its decisions."""

from functools import partial
from pathlib import Path

from maskwright.config import RegionConfig, read_config
from maskwright.data import DataSet
from maskwright.evaluation import EvaluateOptions
from maskwright.export.engines import Threads
from maskwright.export.runtime import load_keras
from maskwright.model_card import MODEL_FILE
from maskwright.tasks.regions.evaluation.scorer import RegionScorer, evaluate_regions
from maskwright.tasks.regions.evaluation.scores import RegionEvaluation
from maskwright.tasks.regions.pipeline import Pipeline
from maskwright.tasks.regions.setup import labeling_of


def open_pipeline(
    run: Path, pixel_range: tuple[float, float] | None, allow_code: bool
) -> tuple[Pipeline, RegionConfig]:
    """Pipeline of a run, and its settings, with the answers of training, whatever data suggests."""
    pipeline = Pipeline.load(run, Threads(allow_code=allow_code))
    pipeline = pipeline.adjusted(pixel_range=pixel_range)
    plan = run / "plan.yaml"
    known = {"positive": pipeline.classifier.card.names[1]}
    return pipeline, read_config(plan if plan.exists() else None, known, RegionConfig)


def score_run(
    run: Path, pipeline: Pipeline, dataset: DataSet, config: RegionConfig, options: EvaluateOptions
) -> RegionEvaluation:
    """Score decisions with ground truth masks and those of the segmenter."""
    has_network = config.pixels and (run / MODEL_FILE).is_file()
    return evaluate_regions(
        RegionScorer(
            pipeline,
            dataset,
            labeling_of(dataset, config),
            options,
            config.specificity,
            partial(load_keras, run / MODEL_FILE) if has_network else None,
        )
    )
