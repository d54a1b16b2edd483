"""`MULTILABEL`: classes that overlap; images become a layer for each class."""

from functools import partial

from maskwright.inference.predictor import Predictor
from maskwright.model_card import MultilabelCard
from maskwright.tasks.base import Task
from maskwright.tasks.multilabel.export import EXPORT
from maskwright.tasks.multilabel.folder import plan_folder
from maskwright.tasks.multilabel.serving import open_served
from maskwright.tasks.semantic.calibration.calibrate import calibrate_run
from maskwright.tasks.semantic.evaluation.compare import compare_runs
from maskwright.tasks.semantic.evaluation.scorer import evaluate_run
from maskwright.tasks.semantic.labeling.audit import audit_run
from maskwright.tasks.semantic.labeling.queue_images import queue_images
from maskwright.tasks.semantic.task import report_masks, train_masks

MULTILABEL = Task(
    export=EXPORT,
    training=train_masks,
    load=partial(Predictor.load, card_type=MultilabelCard),
    plan_folder=plan_folder,
    evaluate=partial(evaluate_run, card_type=MultilabelCard),
    report=report_masks,
    serve=open_served,
    compare=partial(compare_runs, card_type=MultilabelCard),
    trust=partial(calibrate_run, card_type=MultilabelCard),
    audit=partial(audit_run, card_type=MultilabelCard),
    queue=partial(queue_images, card_type=MultilabelCard),
)
