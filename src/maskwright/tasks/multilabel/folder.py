"""A mask of each class for the images of a folder."""

from pathlib import Path

from maskwright.inference.folder_plan import FolderOptions, FolderPlan, FolderResult
from maskwright.model_card import MultilabelCard
from maskwright.tasks.multilabel.export import EXPORT
from maskwright.tasks.semantic.folder import plan_masks
from maskwright.tasks.settings import refuse_options


def plan_folder(
    model: str | Path, images: str | Path, out: Path, options: FolderOptions
) -> FolderPlan[FolderResult]:
    """Plan of a mask for each class of each image, as `plan_masks`; beside them go overlays,
    probabilities and polygons as of semantic segmentation.
    """
    supported = ("flips", "probabilities", "large", "polygons", "bounds")
    refuse_options(MultilabelCard.task, supported, options)
    return plan_masks(EXPORT, model, images, out, options)
