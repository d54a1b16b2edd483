"""`SemanticTask`: a class for every pixel."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.config import TrainConfig
from maskwright.data import DataSet
from maskwright.errors import ConfigError
from maskwright.inference.predictor import Predictor
from maskwright.model_card import SemanticCard
from maskwright.tasks.base import Prepare
from maskwright.tasks.semantic.export import EXPORT
from maskwright.tasks.settings import make_augmentation, open_data

if TYPE_CHECKING:
    from maskwright.evaluation.options import EvaluateOptions
    from maskwright.evaluation.reports.parts import Report
    from maskwright.inference.folder import FolderResult
    from maskwright.inference.options import FolderOptions
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

    def load(self, path: str | Path) -> Predictor:
        """A trained model: of a run, an ensemble or an artifact."""
        return Predictor.load(path)

    def predict_folder(
        self, model: str | Path, images: str | Path, out: str | Path, options: "FolderOptions"
    ) -> "FolderResult":
        """Write a mask for every image, in its size, as `Task.predict_folder`."""
        if options.classes is not None:
            raise ConfigError(
                f"Expected a model of single objects where classes are merged with it, received "
                f"one of {self.name}; give the model of objects first and leave this one for the "
                f"classes."
            )
        given: dict[str, Any] = {
            "flips": options.flips,
            "overlays": options.overlays,
            "probabilities": options.probabilities,
            "batch_size": options.batch_size,
            "overwrite": options.overwrite,
            "large": options.large,
            "polygons": options.polygons,
        }
        if options.engine == "ray":
            from maskwright.inference.cluster import predict_on_cluster

            return predict_on_cluster(
                model, images, out, address=options.address, **given, **options.adjustments
            )
        from maskwright.inference.folder import predict_folder
        from maskwright.tasks.semantic.load import open_predictor

        predictor = open_predictor(model, images, options.on_message)
        adjusted = predictor.adjusted(**options.adjustments)
        return predict_folder(adjusted, images, out, on_message=options.on_message, **given)

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
