"""`SEMANTIC`: a class for every pixel; images become masks of labels."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.config import TrainConfig
from maskwright.data import DataSet
from maskwright.errors import ConfigError
from maskwright.evaluation.reports.parts import Report
from maskwright.inference.predictor import Predictor
from maskwright.tasks.base import Prepare, Task
from maskwright.tasks.semantic.calibration.calibrate import calibrate_run
from maskwright.tasks.semantic.custom_model import resolve_custom
from maskwright.tasks.semantic.evaluation.compare import compare_runs
from maskwright.tasks.semantic.evaluation.compare_report import comparison_report
from maskwright.tasks.semantic.evaluation.comparison import Comparison
from maskwright.tasks.semantic.evaluation.report import semantic_report
from maskwright.tasks.semantic.evaluation.scorer import evaluate_run
from maskwright.tasks.semantic.evaluation.scores import SemanticEvaluation
from maskwright.tasks.semantic.export import EXPORT
from maskwright.tasks.semantic.labeling.audit import LabelAudit, audit_run
from maskwright.tasks.semantic.labeling.audit_report import audit_report
from maskwright.tasks.semantic.labeling.queue_images import queue_images
from maskwright.tasks.semantic.network import auto_size
from maskwright.tasks.semantic.serving import open_served
from maskwright.tasks.semantic.volumes import plan_images_or_volumes
from maskwright.tasks.settings import make_augmentation, open_data
from maskwright.tasks.sides import respect_sides
from maskwright.tasks.transfer import check_weights

if TYPE_CHECKING:
    from maskwright.training import TrainOptions


def resolve_config(
    config: TrainConfig, data: str | Path, options: "TrainOptions"
) -> tuple[TrainConfig, DataSet]:
    """Settings with the size that `"auto"` stands for, and the data set, opened.

    Raises:
        ConfigError: If a setting cannot be used, before any data is read.
    """
    from maskwright.losses import CUSTOM_LOSS, loss

    if config.objects is not None:
        raise ConfigError("This is for masks of classes; leave `objects` out.")
    check_weights(config, options)
    make_augmentation(config)
    if config.loss == CUSTOM_LOSS and options.loss is None:
        raise ConfigError("The run has a loss of your own: pass it again as `loss`, in Python.")
    if options.loss is None:
        loss(config.loss, smoothing=config.smoothing)
    dataset = open_data(config, data, options)
    if options.model is not None:
        config = resolve_custom(config, dataset, options.model)
    names = dataset.labels.names
    for name in ("threshold", "fill_holes_px"):
        if dataset.labels.background is None and len(names) > 2 and getattr(config, name):
            raise ConfigError(
                f"`{name}` has no effect without a background; the classes are {', '.join(names)}: "
                f"leave it out, or name the class background in data.yaml."
            )
    config = respect_sides(config, names, options.on_message, dataset)
    if config.size == "auto":
        size = None if config.crop else auto_size(dataset)
        config = config.model_copy(update={"size": size})
    return config, dataset


def train_masks(config: TrainConfig, data: str | Path, options: "TrainOptions") -> Prepare:
    """As `Task.training`; the data tell whether classes overlap."""
    resolved, dataset = resolve_config(config, data, options)
    return partial(prepare_of(dataset), dataset, resolved, options)


def prepare_of(dataset: DataSet) -> Callable[..., Any]:
    """`prepare` of semantic segmentation, or of classes that overlap."""
    from maskwright.tasks.multilabel import training as overlapping
    from maskwright.tasks.semantic import training

    return overlapping.prepare if dataset.multilabel else training.prepare


def report_masks(evaluation: SemanticEvaluation | Comparison | LabelAudit) -> Report:
    """As `Task.report`."""
    if isinstance(evaluation, LabelAudit):
        return audit_report(evaluation)
    if isinstance(evaluation, Comparison):
        return comparison_report(evaluation)
    return semantic_report(evaluation)


SEMANTIC = Task(
    export=EXPORT,
    training=train_masks,
    load=Predictor.load,
    plan_folder=plan_images_or_volumes,
    evaluate=evaluate_run,
    report=report_masks,
    serve=open_served,
    compare=compare_runs,
    trust=calibrate_run,
    audit=audit_run,
    queue=queue_images,
)
