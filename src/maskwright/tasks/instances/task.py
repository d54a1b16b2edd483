"""`INSTANCES`: every object by itself, with its mask, class and score."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from maskwright.config import TrainConfig
from maskwright.errors import DataError
from maskwright.tasks.base import Prepare, Task
from maskwright.tasks.instances.evaluation.report import instance_report
from maskwright.tasks.instances.evaluation.scores import evaluate_run
from maskwright.tasks.instances.export import EXPORT
from maskwright.tasks.instances.folder import plan_folder
from maskwright.tasks.instances.predictor import InstancePredictor
from maskwright.tasks.instances.serving import open_served
from maskwright.tasks.instances.trust.calibrate import calibrate_objects
from maskwright.tasks.instances.trust.report import object_promise_table
from maskwright.tasks.settings import make_augmentation, open_data
from maskwright.tasks.sides import respect_sides

if TYPE_CHECKING:
    from maskwright.training import TrainOptions

_CROP_PX = 256


def _training(config: TrainConfig, data: str | Path, options: "TrainOptions") -> Prepare:
    """As `Task.training`; images keep their scale, and crops of 256 px are shown, unless a size or
    a crop is set.
    """
    from maskwright.losses import loss
    from maskwright.tasks.instances.training import prepare, rcnn_settings

    make_augmentation(config)
    if config.size == "auto":
        crop = config.crop or (_CROP_PX, _CROP_PX)
        config = config.model_copy(update={"size": None, "crop": crop})
    loss(config.loss, smoothing=config.smoothing)
    rcnn_settings(config)
    dataset = open_data(config, data, options)
    if dataset.labels.background != 0:
        raise DataError(
            f"Expected a background as the first class, beside the classes of objects; the "
            f"classes of {dataset.root} are {', '.join(dataset.labels.names)}: name the first "
            f"background in data.yaml."
        )
    config = respect_sides(config, dataset.labels.names, options.on_message, dataset)
    return partial(prepare, dataset, config, options)


INSTANCES = Task(
    export=EXPORT,
    training=_training,
    load=InstancePredictor.load,
    plan_folder=plan_folder,
    evaluate=evaluate_run,
    report=instance_report,
    serve=open_served,
    trust=calibrate_objects,
    promise_table=object_promise_table,
)
