"""Models that predict masks, opened by the task on their card."""

from pathlib import Path

from maskwright.export.artifact import model_folder
from maskwright.export.engines import ALONE, Threads
from maskwright.inference.predictor import Segmenter
from maskwright.model_card import CARD_FILE, read_task
from maskwright.tasks.instances.task import INSTANCES
from maskwright.tasks.semantic.task import SEMANTIC

SEGMENTATION_TASKS = (SEMANTIC, INSTANCES)
"""Tasks whose models give a pixel one class; the first opens what has no card, and says what is
missing."""


def load_segmenter(path: str | Path, threads: Threads = ALONE) -> Segmenter:
    """A model that predicts masks, as `Task.load`."""
    folder = model_folder(path)
    card = folder / CARD_FILE
    name = read_task(card) if card.is_file() else None
    named = (task for task in SEGMENTATION_TASKS if task.name == name)
    return next(named, SEMANTIC).load(folder, threads)
