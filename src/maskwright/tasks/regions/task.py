"""`RegionTask`: a decision on what a mask holds, by region, image or case."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from maskwright.config import RegionConfig, read_config
from maskwright.data.samples import separated
from maskwright.errors import ConfigError, DataError
from maskwright.export.artifact import is_artifact
from maskwright.export.engines import ALONE, Threads
from maskwright.model_card import MODEL_FILE, RegionCard
from maskwright.tasks.base import Prepare
from maskwright.tasks.regions.export import EXPORT
from maskwright.tasks.settings import (
    make_augmentation,
    refuse_comparison,
    refuse_evaluate_options,
    refuse_options,
    report_skipped,
)

if TYPE_CHECKING:
    from maskwright.evaluation.reports.parts import Report
    from maskwright.evaluation.result import EvaluateOptions
    from maskwright.inference.folder_plan import FolderOptions, FolderPlan
    from maskwright.tasks.regions.evaluation.scores import RegionEvaluation
    from maskwright.tasks.regions.pipeline import Pipeline
    from maskwright.tasks.regions.tables import CasesResult
    from maskwright.tasks.serving import EngineSharing, ServedModel
    from maskwright.training import TrainOptions


class RegionTask:
    """A decision on masked regions, by region, image or case."""

    name = "regions"
    card = RegionCard
    export = EXPORT

    def training(self, config: RegionConfig, data: str | Path, options: "TrainOptions") -> Prepare:
        """Check the settings and open the data, as `Task.training`."""
        from maskwright.losses import loss
        from maskwright.losses.compose import parse
        from maskwright.tasks.regions.setup import open_region_data
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
            raise ConfigError(
                f"Decisions are learned by ce and focal; received {' and '.join(unfit)}."
            )
        loss(config.loss, smoothing=config.smoothing)
        region_data = open_region_data(config, data, options.on_message)
        if reason := separated(region_data.dataset.samples):
            raise DataError(reason)
        return partial(prepare, region_data, config, options)

    def finish(self, config: RegionConfig, run: Path) -> None:
        """Copy the segmenter into the run, so that the run alone is enough to predict."""
        if config.segmenter is not None:
            from maskwright.tasks.regions.setup import bundle_segmenter

            bundle_segmenter(Path(config.segmenter), run)

    def load(self, path: str | Path, threads: Threads = ALONE) -> "Pipeline":
        """A trained model, with its segmenter if it has one: of a run or an artifact."""
        from maskwright.tasks.regions.pipeline import Pipeline

        return Pipeline.load(path, threads)

    def plan_folder(
        self, model: str | Path, images: str | Path, out: Path, options: "FolderOptions"
    ) -> "FolderPlan[CasesResult]":
        """A decision on each region, image or case, as `Task.plan_folder`."""

        from maskwright.tasks.regions.folder import plan_folder

        refuse_options(self.name, ("flips", "masks", "group_by", "heat"), options)
        return plan_folder(model, images, out, options)

    def evaluate(
        self, run: Path, data: str | Path, options: "EvaluateOptions"
    ) -> "RegionEvaluation":
        """Score decisions with true masks and those of the segmenter, as `Task.evaluate`."""
        from maskwright.export.runtime import load_keras
        from maskwright.tasks.regions.evaluation.scorer import RegionScorer, evaluate_regions
        from maskwright.tasks.regions.setup import find_labeling, open_regions

        refuse_evaluate_options(self.name, options)
        pipeline = self.load(run)
        plan = run / "plan.yaml"
        # The answers of training, whatever this data would suggest.
        known = {"positive": pipeline.classifier.card.names[1]}
        config = read_config(plan if plan.exists() else None, known, RegionConfig)
        # With the splits of the run, so that nothing it was trained on is scored.
        dataset = open_regions(data, config)
        report_skipped(dataset, options.on_message)
        has_network = config.pixels and (run / MODEL_FILE).is_file()
        return evaluate_regions(
            RegionScorer(
                pipeline,
                dataset,
                find_labeling(dataset, config),
                options,
                config.specificity,
                partial(load_keras, run / MODEL_FILE) if has_network else None,
            )
        )

    def serve(self, name: str, path: Path, sharing: "EngineSharing") -> "ServedModel":
        """Open a model for a server, as `Task.serve`."""
        from maskwright.tasks.regions.serving import open_served

        return open_served(name, path, sharing)

    def report(self, evaluation: "RegionEvaluation") -> "Report":
        """What is shown and written of an evaluation."""
        from maskwright.tasks.regions.evaluation.report import region_report

        return region_report(evaluation)

    def compare(self, a: Path, b: Path, data: str | Path, options: "EvaluateOptions") -> NoReturn:
        """Raise `ConfigError`: models of this task are not compared yet."""
        refuse_comparison(self.name)

    def comparison_report(self, comparison: Any) -> NoReturn:
        """Raise `ConfigError`, as `compare`."""
        refuse_comparison(self.name)
