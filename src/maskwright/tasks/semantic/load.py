"""A model that draws masks, opened the way that suits what is to be predicted."""

from collections.abc import Callable
from pathlib import Path

from maskwright.export.engines import Threads
from maskwright.export.ensemble import is_ensemble
from maskwright.inference.predictor import Predictor
from maskwright.model_card import CARD_FILE, MODEL_FILE, SemanticCard, read_task
from maskwright.tasks.semantic.export import EXPORT


def open_masks(
    folder: Path,
    threads: Threads,
    worth_preparing: Callable[[], bool],
    on_message: Callable[[str], None],
) -> Predictor:
    """Predictor in the fastest engine that is installed.

    Args:
        worth_preparing: Asked of a run of which nothing was prepared.
    """
    trained = (folder / MODEL_FILE).is_file() and (folder / CARD_FILE).is_file()
    if not trained or is_ensemble(folder) or read_task(folder / CARD_FILE) != SemanticCard.task:
        return Predictor.load(folder, threads)
    from maskwright.export.engine_cache import open_prepared, prepare

    found = open_prepared(folder, threads)
    if found is None and worth_preparing():
        prepare(folder, EXPORT, on_message)
        found = open_prepared(folder, threads)
    return Predictor.load(folder, threads) if found is None else Predictor(*found)
