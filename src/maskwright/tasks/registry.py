"""`TASKS`: every task by its name in `model_card.json`."""

from pathlib import Path

from maskwright.errors import ModelError
from maskwright.export.artifact import model_folder
from maskwright.model_card import CARD_FILE, read_task, was_stopped
from maskwright.tasks.base import Task
from maskwright.tasks.loading import SEGMENTATION_TASKS
from maskwright.tasks.multilabel.task import MULTILABEL
from maskwright.tasks.regions.task import REGIONS

TASKS = {task.name: task for task in (*SEGMENTATION_TASKS, MULTILABEL, REGIONS)}


def require_task(model: str | Path, name: str) -> None:
    """Raise `ModelError` where a model is for another task than the one of a command."""
    task = task_of(model)
    if task.name != name:
        raise ModelError(
            f"Expected a run of `{TASKS[name].card.command}`; {model} is for the task {task.name}, "
            f"from `{task.card.command}`: name another run, or use the command for this one."
        )


def stopped_note(model: str | Path) -> str | None:
    """Sentence for those who use a model whose training was stopped; `None` for others."""
    card = model_folder(model) / CARD_FILE
    if not card.is_file() or not was_stopped(card):
        return None
    return (
        f"The training of {model} was stopped before its end, and this is its best model until "
        f"then; `--resume` goes on with it."
    )


def task_of(model: str | Path) -> Task:
    """Task of the model in a folder; without a card the first, whose `load` says what is missing.

    Raises:
        ModelError: If the card cannot be read or names no task.
    """
    card = model_folder(model) / CARD_FILE
    return TASKS[read_task(card, TASKS) if card.is_file() else next(iter(TASKS))]
