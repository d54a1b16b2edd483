"""`SemanticTask`: a class for every pixel."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from maskwright.config import TrainConfig
from maskwright.data import DataSet
from maskwright.errors import ConfigError
from maskwright.export.engines import ALONE, Threads
from maskwright.inference.predictor import Predictor
from maskwright.model_card import SemanticCard
from maskwright.tasks.base import Prepare
from maskwright.tasks.semantic.export import EXPORT
from maskwright.tasks.settings import make_augmentation, open_data, refuse_options

if TYPE_CHECKING:
    from maskwright.evaluation.reports.parts import Report
    from maskwright.evaluation.result import EvaluateOptions
    from maskwright.inference.folder_plan import FolderOptions, FolderPlan, FolderResult
    from maskwright.tasks.semantic.evaluation.compare import Comparison
    from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation
    from maskwright.tasks.serving import EngineSharing, ServedModel
    from maskwright.training import TrainOptions


class SemanticTask:
    """A class for every pixel: images become masks of labels."""

    name = "semantic"
    card = SemanticCard
    export = EXPORT

    def training(self, config: TrainConfig, data: str | Path, options: "TrainOptions") -> Prepare:
        """Check the settings and open the data, as `Task.training`."""
        from maskwright.tasks.semantic.training import prepare

        resolved, dataset = resolve_config(config, data, options)
        return partial(prepare, dataset, resolved, options)

    def finish(self, config: TrainConfig, run: Path) -> None:
        """Network and card are enough."""

    def load(self, path: str | Path, threads: Threads = ALONE) -> Predictor:
        """A trained model: of a run, an ensemble or an artifact."""
        return Predictor.load(path, threads)

    def plan_folder(
        self, model: str | Path, images: str | Path, out: Path, options: "FolderOptions"
    ) -> "FolderPlan[FolderResult]":
        """A mask for each image, in its size, as `Task.plan_folder`."""
        from maskwright.tasks.semantic.folder import plan_folder

        refuse_options(self.name, ("flips", "probabilities", "large", "polygons"), options)
        return plan_folder(model, images, out, options)

    def evaluate(
        self, run: Path, data: str | Path, options: "EvaluateOptions"
    ) -> "SemanticEvaluation":
        """Score the masks of a split, as `Task.evaluate`."""
        from maskwright.tasks.semantic.evaluation.runs import evaluate_run

        return evaluate_run(run, data, options)

    def serve(self, name: str, path: Path, sharing: "EngineSharing") -> "ServedModel":
        """Open a model for a server, as `Task.serve`."""
        from maskwright.tasks.semantic.serving import open_served

        return open_served(name, path, sharing)

    def report(self, evaluation: "SemanticEvaluation") -> "Report":
        """What is shown and written of an evaluation."""
        from maskwright.tasks.semantic.evaluation.report import semantic_report

        return semantic_report(evaluation)

    def compare(
        self, a: Path, b: Path, data: str | Path, options: "EvaluateOptions"
    ) -> "Comparison":
        """Score two models on the same images, as `Task.compare`."""
        from maskwright.tasks.semantic.evaluation.runs import compare_runs

        return compare_runs(a, b, data, options)

    def comparison_report(self, comparison: "Comparison") -> "Report":
        """What is shown and written of a comparison."""
        from maskwright.tasks.semantic.evaluation.compare_report import comparison_report

        return comparison_report(comparison)


def resolve_config(
    config: TrainConfig, data: str | Path, options: "TrainOptions"
) -> tuple[TrainConfig, DataSet]:
    """Settings with the size that `"auto"` stands for, and the data set, opened.

    Raises:
        ConfigError: If a setting cannot be used, before any data is read.
    """
    from maskwright.losses import loss
    from maskwright.tasks.semantic.network import auto_size

    if config.objects is not None:
        raise ConfigError("This is for masks of classes; leave `objects` out.")
    make_augmentation(config)
    loss(config.loss, smoothing=config.smoothing)
    dataset = open_data(config, data, options.on_message)
    if config.size == "auto":
        size = None if config.crop else auto_size(dataset)
        config = config.model_copy(update={"size": size})
    return config, dataset
