"""The verbs `load` and `predict`, whatever the task."""

from pathlib import Path
from typing import Any, Unpack, cast

from maskwright.inference.adjustments import ADJUSTMENT_NAMES, Adjustments
from maskwright.inference.folder import predict_folder
from maskwright.inference.folder_plan import FolderOptions
from maskwright.inference.predictor import Flips
from maskwright.tasks.registry import task_of
from maskwright.types import Engine, OnMessage


class PredictArguments(Adjustments, total=False):
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
        options: As `FolderOptions` describes them; and values in place of those on the card:
            tile, threshold, min_area_px, and for masks of classes fill_holes_px and keep_largest.
    """
    given: dict[str, Any] = dict(options)
    adjustments = {name: given.pop(name) for name in ADJUSTMENT_NAMES if name in given}
    folder_options = FolderOptions(**given, adjustments=cast(Adjustments, adjustments))
    return predict_folder(task_of(model).plan_folder, model, images, out, folder_options)
