"""How the images of a folder are predicted, as one value."""

from dataclasses import dataclass, field
from pathlib import Path

from maskwright.imageio import MAX_PIXELS
from maskwright.inference.adjustments import Adjustments
from maskwright.inference.predictor import Flips
from maskwright.types import Engine, OnMessage, ignore_message


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """How the images of a folder are predicted, and what is written.

    Args:
        flips: Test-time augmentation, as in `Predictor.__call__`.
        overlays: Draw the predictions over the images.
        probabilities: Write the probabilities of the pixels.
        overwrite: Predict again what an earlier run has predicted.
        engine: `"local"` works in this process, `"ray"` on a Ray cluster, of which all nodes must
            see model, images and output under the same paths.
        address: Address of a running Ray cluster; `None` starts one on this machine.
        large: Predict all images by windows, whatever their size.
        polygons: Write the masks as GeoJSON; predicts all images by windows.
        classes: Semantic model to merge with objects to panoptic masks.
        masks: Whether the images are a data set whose masks are used; `None` where the model has
            no segmenter.
        group_by: Column or pattern that names the case of an image.
        heat: Draw where in each region the decision comes from.
        max_pixels: Larger images are refused where they can only be decoded whole.
    """

    flips: Flips = False
    overlays: bool = True
    probabilities: bool = False
    batch_size: int = 8
    overwrite: bool = False
    engine: Engine = "local"
    address: str | None = None
    large: bool = False
    polygons: bool = False
    classes: str | Path | None = None
    masks: bool | None = None
    group_by: str | None = None
    heat: bool = False
    max_pixels: int = MAX_PIXELS
    adjustments: Adjustments = field(default_factory=Adjustments)
    on_message: OnMessage = ignore_message
