"""Card of a model that gives every pixel a class."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import NonNegativeInt, PositiveInt

from maskwright.labels import Labels
from maskwright.model_card.base import ImageSize, ModelCard, Share, wrong_value


@dataclass(frozen=True, kw_only=True)
class SemanticCard(ModelCard):
    """Everything that using a model from images to masks needs; scaling of pixels is inside it.

    Args:
        size: `(height, width)` that whole images are stretched to, px; `None` keeps their scale.
        tile: Side of the tiles that larger images are cut into at their own scale, px; `None`
            runs every image whole.
        threshold: With two classes, probability from which a pixel is foreground; with more,
            probability below which it is background. `None` takes the most probable class.
        min_area_px: Smaller components are removed, px of the original image.
        fill_holes_px: Holes of at most this area are filled, px of the original image.
        keep_largest: Only the largest component of each class is kept.
    """

    task: ClassVar[str] = "semantic"
    command: ClassVar[str] = "maskwright train"

    labels: Labels
    size: ImageSize
    tile: PositiveInt | None
    threshold: Share | None
    min_area_px: NonNegativeInt = 0
    fill_holes_px: NonNegativeInt = 0
    keep_largest: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.background is None:
            no_background = (
                "must be nothing: the model has several classes and none is a background"
            )
            if self.threshold is not None:
                raise wrong_value("threshold", no_background, self.threshold)
            if self.fill_holes_px:
                raise wrong_value("fill_holes_px", no_background, self.fill_holes_px)

    @property
    def background(self) -> int | None:
        """Label of what is no object: the class named so, else the first of two, else `None`."""
        if self.labels.background is None and self.labels.num_classes <= 2:
            return 0
        return self.labels.background
