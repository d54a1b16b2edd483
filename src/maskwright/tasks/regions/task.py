"""`RegionTask`: a decision on what a mask holds, by region, image or case."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from maskwright.config import RegionConfig, read_config
from maskwright.data import DataSet, open_dataset
from maskwright.data.samples import separated
from maskwright.errors import ConfigError, DataError
from maskwright.export.artifact import is_artifact
from maskwright.model_card import MODEL_FILE, RegionCard
from maskwright.tasks.base import Prepare
from maskwright.tasks.regions.export import EXPORT
from maskwright.tasks.settings import (
    make_augmentation,
    refuse_comparison,
    refuse_semantic_options,
    report_skipped,
)

if TYPE_CHECKING:
    from maskwright.evaluation.options import EvaluateOptions
    from maskwright.evaluation.reports.parts import Report
    from maskwright.inference.options import FolderOptions
    from maskwright.tasks.regions.evaluation.scores import RegionEvaluation
    from maskwright.tasks.regions.folder import CasesResult
    from maskwright.tasks.regions.pipeline import Pipeline
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

    def load(self, path: str | Path) -> "Pipeline":
        """A trained model, with its segmenter if it has one: of a run or an artifact."""
        from maskwright.tasks.regions.pipeline import Pipeline

        return Pipeline.load(path)

    def predict_folder(
        self, model: str | Path, images: str | Path, out: str | Path, options: "FolderOptions"
    ) -> "CasesResult":
        """Decide on every region, image or case, as `Task.predict_folder`."""
        from maskwright.export.runtime import load_keras
        from maskwright.tasks.regions.folder import predict_cases

        refuse_semantic_options(self.name, options)
        if options.heat and is_artifact(Path(model)):
            raise ConfigError(
                f"Heat maps are drawn for runs alone; give the run that the exported model {model} "
                f"was made from, or leave them out."
            )
        pipeline = self.load(model).adjusted(options.flips, **options.adjustments)
        given = pipeline.segmenter is None if options.masks is None else options.masks
        source: str | Path | DataSet = images
        if given:
            source = _open_masks(model, images, pipeline, options.group_by)
        return predict_cases(
            pipeline,
            source,
            out,
            group_by=None if given else options.group_by,
            overlays=options.overlays,
            heat=partial(load_keras, Path(model) / MODEL_FILE) if options.heat else None,
        )

    def evaluate(
        self, run: Path, data: str | Path, options: "EvaluateOptions"
    ) -> "RegionEvaluation":
        """Score decisions with true masks and those of the segmenter, as `Task.evaluate`."""
        from maskwright.export.runtime import load_keras
        from maskwright.tasks.regions.evaluation.scorer import RegionScorer, evaluate_regions
        from maskwright.tasks.regions.setup import find_labeling, open_regions

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


def _open_masks(
    model: str | Path, images: str | Path, pipeline: "Pipeline", group_by: str | None
) -> DataSet:
    """Data set whose masks are decided on."""
    try:
        return open_dataset(images, val_share=0, test_share=0, group_by=group_by, scaled_masks=True)
    except DataError as error:
        if pipeline.segmenter is not None:
            raise
        raise DataError(
            f"The model in {model} draws no masks, so that images come with theirs; train it "
            f"with --segmenter for images alone. {error}"
        ) from None
