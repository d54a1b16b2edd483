"""The protocol of a task: what a model does, from settings to scores; see `registry.TASKS`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from maskwright.export.engines import ALONE, Threads
from maskwright.export.export_task import ExportTask
from maskwright.model_card import ModelCard

if TYPE_CHECKING:
    from maskwright.evaluation.reports.parts import Report
    from maskwright.evaluation.result import EvaluateOptions
    from maskwright.inference.folder_plan import FolderOptions, FolderPlan
    from maskwright.tasks.serving import EngineSharing, ServedModel
    from maskwright.training import TrainingSetup, TrainOptions

Prepare = Callable[[bool], "TrainingSetup"]
"""As `run_training` takes it."""


class Task(Protocol):
    """What a model does. No other folder asks which task it serves.

    A task is one folder and one line in `registry.TASKS`. TensorFlow is imported inside methods.
    """

    @property
    def name(self) -> str:
        """Name in `model_card.json`."""

    @property
    def card(self) -> type[ModelCard]:
        """Card of its models."""

    @property
    def export(self) -> ExportTask:
        """How its models are written for other engines."""

    def training(self, config: Any, data: str | Path, options: "TrainOptions") -> Prepare:
        """Check the settings and open the data; nothing is decoded or written yet.

        Args:
            config: Settings of the task.
            data: What `open_dataset` takes.
            options: How the run is carried out.

        Raises:
            MaskwrightError: One sentence on what is wrong and what to do.
        """

    def finish(self, config: Any, run: Path) -> None:
        """Add to a trained run what its model needs besides network and card."""

    def load(self, path: str | Path, threads: Threads = ALONE) -> Any:
        """A trained model as a function of images; `ModelError` where there is none.

        Args:
            path: Folder of a run or an ensemble, or an exported model.
            threads: Of an engine other than TensorFlow.
        """

    def plan_folder(
        self, model: str | Path, images: str | Path, out: Path, options: "FolderOptions"
    ) -> "FolderPlan[Any]":
        """What is predicted and written for the images of a folder, for `predict_folder`.

        Args:
            model: Folder of a run or an ensemble, or an exported model.
            images: A file, a folder or a glob.
            out: Folder for the results.
            options: How, and what is written.

        Raises:
            ConfigError: If an option has no meaning for the task.
        """

    def evaluate(self, run: Path, data: str | Path, options: "EvaluateOptions") -> Any:
        """Score a model on a split; an `Evaluation` of the task."""

    def serve(self, name: str, path: Path, sharing: "EngineSharing") -> "ServedModel":
        """Open a model for a server, so that several threads may call it.

        Args:
            name: Name of the model in addresses.
            path: Folder of a run or an ensemble, or an exported model.
            sharing: How threads share an engine.

        Raises:
            ModelError: If there is none, or it cannot be opened.
        """

    def report(self, evaluation: Any) -> "Report":
        """What is shown and written of an evaluation."""

    def compare(self, a: Path, b: Path, data: str | Path, options: "EvaluateOptions") -> Any:
        """Score two models on the same images; an `Evaluation` of both.

        Raises:
            ConfigError: If models of the task cannot be compared.
        """

    def comparison_report(self, comparison: Any) -> "Report":
        """What is shown and written of a comparison."""
