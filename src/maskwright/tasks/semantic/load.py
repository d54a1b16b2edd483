"""A model that draws masks, opened the way that suits what is to be predicted."""

from collections.abc import Callable
from pathlib import Path

from maskwright.export.engines import ALONE, SHARED, Threads
from maskwright.export.ensemble import is_ensemble
from maskwright.imageio import find_images
from maskwright.inference.predictor import Predictor
from maskwright.model_card import CARD_FILE, MODEL_FILE, SemanticCard, read_task
from maskwright.tasks.semantic.export import EXPORT

_WORTH_PREPARING = 16  # images; preparing takes about as long as Keras takes for a hundred


def open_predictor(
    model: str | Path, images: str | Path, on_message: Callable[[str], None] = lambda _: None
) -> Predictor:
    """Predictor for images: of a run, by what was prepared of it for the fastest engine.

    Where nothing was and there are many images, it is prepared first.
    """
    # Of a single image, however large, little is read or written beside the engine.
    threads = ALONE if Path(images).is_file() else SHARED
    return open_masks(
        Path(model), threads, lambda: len(find_images(images)) >= _WORTH_PREPARING, on_message
    )


def open_masks(
    folder: Path,
    threads: Threads,
    worth_preparing: Callable[[], bool],
    on_message: Callable[[str], None],
) -> Predictor:
    """Predictor in the fastest engine that is installed.

    Args:
        worth_preparing: Asked of a run of which nothing was prepared.
        on_message: Called with what is prepared, and why it was not.
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
