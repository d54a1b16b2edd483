"""The verbs `load` and `predict`, whatever the task."""

from pathlib import Path
from typing import Any, TypedDict, Unpack

from maskwright.inference.options import FolderOptions
from maskwright.inference.predictor import Flips
from maskwright.tasks.registry import task_of
from maskwright.types import Engine, OnMessage

_ADJUSTMENTS = ("tile", "threshold", "min_area_px", "fill_holes_px", "keep_largest", "marker")


class PredictArguments(TypedDict, total=False):
    """Options of `predict`: those of `FolderOptions`, and adjustments of the model card."""

    flips: Flips
    overlays: bool
    probabilities: bool
    batch_size: int
    overwrite: bool
    engine: Engine
    address: str | None
    large: bool
    polygons: bool
    classes: str | Path | None
    masks: bool | None
    group_by: str | None
    heat: bool
    on_message: OnMessage
    tile: int | None
    threshold: float | None
    min_area_px: int | None
    fill_holes_px: int | None
    keep_largest: bool | None
    marker: float | None


def load(path: str | Path) -> Any:
    """A trained model, to be called with images: of a run, an ensemble or an exported model.

    A semantic model is a `Predictor`, one of single objects an `InstancePredictor`, one of regions
    a `Pipeline`.

    Raises:
        ModelError: If there is none, or it does not belong to its card.
    """
    return task_of(path).load(path)


def predict(
    model: str | Path, images: str | Path, out: str | Path, **options: Unpack[PredictArguments]
) -> Any:
    """Predict every image: its mask, its objects, or decisions on what its mask holds.

    Args:
        model: Folder of a run or an ensemble, or an exported model.
        images: A file, a folder or a glob.
        out: Folder for the results.
        options: As `FolderOptions` describes them; and values in place of those on the card:
            tile, threshold, min_area_px, and for masks of classes fill_holes_px and keep_largest.

    Raises:
        MaskwrightError: One sentence on what is wrong and what to do.
    """
    given: dict[str, Any] = dict(options)
    adjustments = {name: given.pop(name) for name in _ADJUSTMENTS if name in given}
    return task_of(model).predict_folder(
        model, images, out, FolderOptions(**given, adjustments=adjustments)
    )
