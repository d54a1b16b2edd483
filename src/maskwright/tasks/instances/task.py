"""`INSTANCES`: every object by itself, with its mask, class and score."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from maskwright.config import TrainConfig
from maskwright.config.effects import refuse_unused
from maskwright.data import DataSet
from maskwright.evaluation.reports.parts import Report
from maskwright.planning.rules.objects import object_settings, size_warnings
from maskwright.planning.stats.object_stats import measure_objects
from maskwright.tasks.base import Prepare, Task
from maskwright.tasks.instances.evaluation.compare_report import comparison_report
from maskwright.tasks.instances.evaluation.comparison import InstanceComparison, compare_runs
from maskwright.tasks.instances.evaluation.report import instance_report
from maskwright.tasks.instances.evaluation.scorer import evaluate_run
from maskwright.tasks.instances.evaluation.scores import InstanceEvaluation
from maskwright.tasks.instances.export import EXPORT
from maskwright.tasks.instances.folder import plan_folder
from maskwright.tasks.instances.ground_truth import require_objects
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.serving import open_served
from maskwright.tasks.instances.trust.calibrate import calibrate_objects
from maskwright.tasks.instances.trust.report import object_promise_table
from maskwright.tasks.settings import make_augmentation, open_data
from maskwright.tasks.sides import respect_sides
from maskwright.tasks.transfer import check_weights
from maskwright.types import Alert

if TYPE_CHECKING:
    from maskwright.training import TrainOptions

_CROP_PX = 256
_EPOCHS_AS_MINUTES = 30.0  # a run measured in epochs has the scale of one of so many minutes


def _training(config: TrainConfig, data: str | Path, options: "TrainOptions") -> Prepare:
    """As `Task.training`; what is not set follows the sizes of the objects, see
    `planning.rules.objects`.
    """
    from maskwright.losses import loss
    from maskwright.tasks.instances.training import condinst_settings, prepare, rcnn_settings

    check_weights(config, options)
    make_augmentation(config)
    loss(config.loss, smoothing=config.smoothing)
    # Before the data is opened, which takes longer.
    condinst_settings(config) if config.objects == "condinst" else rcnn_settings(config)
    dataset = open_data(config, data, options)
    require_objects(dataset)
    config = _suited(config, dataset, options)
    config = respect_sides(config, dataset.labels.names, options.on_message, dataset)
    return partial(prepare, dataset, config, options)


def _suited(config: TrainConfig, dataset: DataSet, options: "TrainOptions") -> TrainConfig:
    """Settings that suit the sizes of the objects, beside those that are set; reports them."""
    from maskwright.tasks.instances.training import rcnn_settings

    stated = {name: getattr(config, name) for name in config.model_fields_set}
    if stated.get("objects") == "auto":
        del stated["objects"]
    stats = measure_objects(dataset)
    if stats is not None:
        minutes = options.minutes or _EPOCHS_AS_MINUTES
        choices = object_settings(stats, minutes, stated)
        for choice in choices:
            value = "x".join(map(str, choice.value)) if choice.key == "crop" else choice.value
            options.on_message(f"{choice.key}={value}: {choice.reason}")
        config = config.model_copy(update={choice.key: choice.value for choice in choices})
        refuse_unused(config, stated)
        anchors = rcnn_settings(config).anchor_sizes if config.objects == "mask_rcnn" else None
        for warning in size_warnings(stats, dict(config), anchors):
            options.on_message(Alert(warning))
    if config.size == "auto" and config.longer_side is None:
        crop = config.crop or (_CROP_PX, _CROP_PX)
        config = config.model_copy(update={"size": None, "crop": crop})
    return config


def _report(evaluation: InstanceEvaluation | InstanceComparison) -> Report:
    """As `Task.report`."""
    if isinstance(evaluation, InstanceComparison):
        return comparison_report(evaluation)
    return instance_report(evaluation)


INSTANCES = Task(
    export=EXPORT,
    training=_training,
    load=InstancePredictor.load,
    plan_folder=plan_folder,
    evaluate=evaluate_run,
    report=_report,
    serve=open_served,
    compare=compare_runs,
    trust=calibrate_objects,
    promise_table=object_promise_table,
)
