"""Card of a model that finds single objects."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from maskwright.labels import Labels
from maskwright.model_card.base import ImageSize, ModelCard
from maskwright.types import InstanceMethod

Probability = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, kw_only=True)
class InstanceCard(ModelCard):
    """Everything that using a model from images to single objects needs.

    Args:
        size: `(height, width)` that whole images are stretched to, px; `None` keeps their scale.
        tile: Side of the tiles that larger images are cut into at their own scale, px; `None`
            runs every image whole.
        foreground: Probability from which a pixel belongs to an object, of `"centers"`.
        marker: Mean of depth and nearness to a center from which a pixel starts an object, of
            `"centers"`.
        score: Least score of an object.
        min_area_px: Smaller objects are left out, px of the original image.
    """

    task: ClassVar[str] = "instances"
    command: ClassVar[str] = "maskwright train --set objects=…"

    labels: Labels
    method: InstanceMethod
    size: ImageSize
    tile: PositiveInt | None
    foreground: Probability = 0.5
    marker: Probability = 0.5
    score: Probability = 0.5
    min_area_px: NonNegativeInt = 0

    @property
    def background(self) -> int:
        """Label of what is no object: the first."""
        return 0
