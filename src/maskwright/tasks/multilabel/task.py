"""`MULTILABEL`: classes that overlap; images become a layer for each class."""

from functools import partial

from maskwright.inference.predictor import Predictor
from maskwright.model_card import MultilabelCard
from maskwright.tasks.base import Task
from maskwright.tasks.multilabel.evaluation import evaluate_run, multilabel_report
from maskwright.tasks.multilabel.export import EXPORT
from maskwright.tasks.multilabel.folder import plan_folder
from maskwright.tasks.multilabel.serving import open_served
from maskwright.tasks.semantic.task import train_masks

MULTILABEL = Task(
    export=EXPORT,
    training=train_masks,
    load=partial(Predictor.load, card_type=MultilabelCard),
    plan_folder=plan_folder,
    evaluate=evaluate_run,
    report=multilabel_report,
    serve=open_served,
)
