"""Models that predict masks, opened by the task on their card."""

from pathlib import Path

from maskwright.export.artifact import model_folder
from maskwright.export.engines import ALONE, Threads
from maskwright.inference.predictor import Segmenter
from maskwright.model_card import CARD_FILE, read_task
from maskwright.tasks.instances.task import InstanceTask
from maskwright.tasks.semantic.task import SemanticTask

SEGMENTATION_TASKS: tuple[SemanticTask, InstanceTask] = (SemanticTask(), InstanceTask())
"""Tasks whose models predict masks; the first opens what has no card, and says what is missing."""


def load_segmenter(path: str | Path, threads: Threads = ALONE) -> Segmenter:
    """A model that predicts masks: of a run, an ensemble or an exported model.

    Args:
        path: Folder of a run, or an exported model.
        threads: Of an engine other than TensorFlow.

    Raises:
        ModelError: If there is none.
    """
    folder = model_folder(path)
    card = folder / CARD_FILE
    name = read_task(card) if card.is_file() else None
    named = (task for task in SEGMENTATION_TASKS if task.name == name)
    return next(named, SEGMENTATION_TASKS[0]).load(folder, threads)
