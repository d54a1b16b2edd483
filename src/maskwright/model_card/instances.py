"""Card of a model that finds single objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from maskwright.labels import Labels
from maskwright.model_card.base import IS_SIZE, ModelCard, is_size, labels_of, require
from maskwright.types import InstanceMethod


@dataclass(frozen=True, kw_only=True)
class InstanceCard(ModelCard):
    """Everything that using a model from images to single objects needs.

    Args:
        labels: Names and colors of the classes, the background first.
        method: How objects are found.
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
    types: ClassVar[Mapping[str, Any]] = {
        "labels": Labels,
        "method": str,
        "size": tuple | None,
        "tile": int | None,
        "foreground": float | int,
        "marker": float | int,
        "score": float | int,
        "min_area_px": int,
    }

    labels: Labels
    method: InstanceMethod
    size: tuple[int, int] | None
    tile: int | None
    foreground: float = 0.5
    marker: float = 0.5
    score: float = 0.5
    min_area_px: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.method in get_args(InstanceMethod),
            "method",
            f"one of {get_args(InstanceMethod)}",
            self.method,
        )
        require(is_size(self.size), "size", IS_SIZE, self.size)
        require(self.tile is None or self.tile >= 1, "tile", "at least 1, or null", self.tile)
        for name in ("foreground", "marker", "score"):
            value = getattr(self, name)
            require(0 <= value < 1, name, "at least 0 and below 1", value)
        require(self.min_area_px >= 0, "min_area_px", "at least 0", self.min_area_px)

    @property
    def background(self) -> int:
        """Label of what is no object: the first."""
        return 0

    def _values(self) -> dict[str, Any]:
        return {**super()._values(), "labels": self.labels.to_dict()}

    @classmethod
    def _from_values(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {**super()._from_values(values), "labels": labels_of(values)}
