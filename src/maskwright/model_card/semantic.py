"""Card of a model that gives every pixel a class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from maskwright.labels import Labels
from maskwright.model_card.base import IS_SIZE, ModelCard, is_size, labels_of, require


@dataclass(frozen=True, kw_only=True)
class SemanticCard(ModelCard):
    """Everything that using a model from images to masks needs; scaling of pixels is inside it.

    Args:
        labels: Names and colors of the classes.
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
    types: ClassVar[Mapping[str, Any]] = {
        "labels": Labels,
        "size": tuple | None,
        "tile": int | None,
        "threshold": float | int | None,
        "min_area_px": int,
        "fill_holes_px": int,
        "keep_largest": bool,
    }

    labels: Labels
    size: tuple[int, int] | None
    tile: int | None
    threshold: float | None
    min_area_px: int = 0
    fill_holes_px: int = 0
    keep_largest: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(is_size(self.size), "size", IS_SIZE, self.size)
        require(self.tile is None or self.tile >= 1, "tile", "at least 1, or null", self.tile)
        require(
            self.threshold is None or 0 < self.threshold < 1,
            "threshold",
            "between 0 and 1, or null",
            self.threshold,
        )
        require(self.min_area_px >= 0, "min_area_px", "at least 0", self.min_area_px)
        require(self.fill_holes_px >= 0, "fill_holes_px", "at least 0", self.fill_holes_px)
        if self.background is None:
            no_background = "nothing: the model has several classes and none is a background"
            require(self.threshold is None, "threshold", no_background, self.threshold)
            require(self.fill_holes_px == 0, "fill_holes_px", no_background, self.fill_holes_px)

    @property
    def background(self) -> int | None:
        """Label of what is no object: the class named so, else the first of two, else `None`."""
        if self.labels.background is None and self.labels.num_classes <= 2:
            return 0
        return self.labels.background

    def _values(self) -> dict[str, Any]:
        return {**super()._values(), "labels": self.labels.to_dict()}

    @classmethod
    def _from_values(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**super()._from_values(values), "labels": labels_of(values)}
