"""`Task`: what a model does, from settings to scores; see `registry.TASKS`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.evaluation import EvaluateOptions
from maskwright.evaluation.reports.parts import Report, Table
from maskwright.evaluation.reports.promises import promise_table
from maskwright.export.export_task import ExportTask
from maskwright.inference.folder_plan import FolderOptions, FolderPlan
from maskwright.model_card import ModelCard
from maskwright.reliability.labeling_queue import LabelingQueue, QueueOptions
from maskwright.reliability.options import TrustOptions
from maskwright.tasks.serving import EngineSharing, ServedModel

if TYPE_CHECKING:
    from maskwright.training import TrainingSetup, TrainOptions

Prepare = Callable[[bool], "TrainingSetup"]
"""As `run_training` takes it."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a model does, as functions. No other folder asks which task it serves.

    A task is one folder and one line in `registry.TASKS`. A model is given by the folder of a run
    or an ensemble, or as an exported model.

    Args:
        export: How its models are written for other engines.
        training: From settings, what `open_dataset` takes, and options: checks the settings and
            opens the data; nothing is decoded or written yet.
        load: From a model and the threads of an engine other than TensorFlow to a function of
            images; `ModelError` where there is none.
        plan_folder: From a model, images (a file, a folder or a glob) and a folder for the results
            to what is predicted and written; `ConfigError` for options without meaning.
        evaluate: Scores a model on a split; gives an `Evaluation` of the task.
        report: What is shown and written of an evaluation or a comparison.
        serve: From its name in addresses to a model that several threads may call.
        trust: Makes promises of a model from data, and writes them beside it.
        compare: Scores two models on the same images; `None` where that is not possible.
        promise_table: What is shown of them.
        audit: Scores each mask of a data set by a model that has not learned from it; `None` where
            that is not possible.
        queue: Puts images in the order in which to label them; `None` where that is not possible.
    """

    export: ExportTask
    training: Callable[[Any, str | Path, "TrainOptions"], Prepare]
    load: Callable[..., Any]
    plan_folder: Callable[[str | Path, str | Path, Path, FolderOptions], FolderPlan[Any]]
    evaluate: Callable[[Path, str | Path, EvaluateOptions], Any]
    report: Callable[[Any], Report]
    serve: Callable[[str, Path, EngineSharing], ServedModel]
    trust: Callable[[Path, str | Path, TrustOptions], Any]
    compare: Callable[[Path, Path, str | Path, EvaluateOptions], Any] | None = None
    promise_table: Callable[[Any], Table] = promise_table
    audit: Callable[[Path, str | Path, EvaluateOptions], Any] | None = None
    queue: Callable[[Path, str | Path, QueueOptions], LabelingQueue] | None = None

    @property
    def card(self) -> type[ModelCard]:
        """Card of its models."""
        return self.export.card

    @property
    def name(self) -> str:
        """Name in `model_card.json`."""
        return self.card.task
