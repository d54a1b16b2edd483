"""`InstanceTask`: every object by itself, with its mask, class and score."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from maskwright.config import TrainConfig
from maskwright.data import open_dataset
from maskwright.errors import ConfigError, DataError
from maskwright.export.engines import ALONE, Threads
from maskwright.model_card import InstanceCard
from maskwright.tasks.base import Prepare
from maskwright.tasks.instances.export import EXPORT
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.settings import (
    make_augmentation,
    open_data,
    refuse_comparison,
    refuse_evaluate_options,
    refuse_options,
)

if TYPE_CHECKING:
    from maskwright.evaluation.reports.parts import Report
    from maskwright.evaluation.result import EvaluateOptions
    from maskwright.inference.folder_plan import FolderOptions, FolderPlan
    from maskwright.tasks.instances.evaluation.scores import InstanceEvaluation
    from maskwright.tasks.instances.tables import ObjectsResult
    from maskwright.tasks.serving import EngineSharing, ServedModel
    from maskwright.training import TrainOptions

_CROP_PX = 256


class InstanceTask:
    """Every object by itself: images become objects with masks, classes and scores."""

    name = "instances"
    card = InstanceCard
    export = EXPORT

    def training(self, config: TrainConfig, data: str | Path, options: "TrainOptions") -> Prepare:
        """Check the settings and open the data, as `Task.training`.

        Images keep their scale, and crops of 256 px are shown, unless a size or a crop is set.
        """
        from maskwright.losses import loss
        from maskwright.tasks.instances.training import prepare, rcnn_settings

        _refuse_unused(config)
        make_augmentation(config)
        if config.size == "auto":
            crop = config.crop or (_CROP_PX, _CROP_PX)
            config = config.model_copy(update={"size": None, "crop": crop})
        loss(config.loss, smoothing=config.smoothing)
        rcnn_settings(config)
        dataset = open_data(config, data, options.on_message)
        if dataset.labels.background != 0:
            raise DataError(
                f"Expected a background as the first class, beside the classes of objects; the "
                f"classes of {dataset.root} are {', '.join(dataset.labels.names)}: name the first "
                f"background in data.yaml."
            )
        return partial(prepare, dataset, config, options)

    def finish(self, config: TrainConfig, run: Path) -> None:
        """Network and card are enough."""

    def load(self, path: str | Path, threads: Threads = ALONE) -> InstancePredictor:
        """A trained model: of a run or an artifact."""
        return InstancePredictor.load(path, threads)

    def plan_folder(
        self, model: str | Path, images: str | Path, out: Path, options: "FolderOptions"
    ) -> "FolderPlan[ObjectsResult]":
        """Objects of each image, numbered, outlined and measured, as `Task.plan_folder`."""

        from maskwright.tasks.instances.folder import plan_folder

        refuse_options(self.name, ("classes",), options)
        return plan_folder(model, images, out, options)

    def evaluate(
        self, run: Path, data: str | Path, options: "EvaluateOptions"
    ) -> "InstanceEvaluation":
        """Score the objects of a split, as `Task.evaluate`."""
        from maskwright.tasks.instances.evaluation.scorer import evaluate_instances
        from maskwright.tasks.provenance import division_of

        refuse_evaluate_options(self.name, options)
        dataset = open_dataset(data, **division_of(run))
        return evaluate_instances(self.load(run), dataset, options)

    def serve(self, name: str, path: Path, sharing: "EngineSharing") -> "ServedModel":
        """Open a model for a server, as `Task.serve`."""
        from maskwright.tasks.instances.serving import open_served

        return open_served(name, path, sharing)

    def report(self, evaluation: "InstanceEvaluation") -> "Report":
        """What is shown and written of an evaluation."""
        from maskwright.tasks.instances.evaluation.report import instance_report

        return instance_report(evaluation)

    def compare(self, a: Path, b: Path, data: str | Path, options: "EvaluateOptions") -> NoReturn:
        """Raise `ConfigError`: models of this task are not compared yet."""
        refuse_comparison(self.name)

    def comparison_report(self, comparison: Any) -> NoReturn:
        """Raise `ConfigError`, as `compare`."""
        refuse_comparison(self.name)


def _refuse_unused(config: TrainConfig) -> None:
    """Raise `ConfigError` for settings that have no effect on objects."""
    for name, value in (
        ("class_weights", config.class_weights),
        ("favor_rare", config.favor_rare or None),
        ("one_logit", config.one_logit or None),
        ("fill_holes_px", config.fill_holes_px or None),
        ("keep_largest", config.keep_largest or None),
        ("threshold", config.threshold),
    ):
        if value is not None:
            raise ConfigError(f"`{name}` is of no use to single objects; leave it out.")
