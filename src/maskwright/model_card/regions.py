"""Card of a model that decides on masked regions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from maskwright.model_card.base import ModelCard, require
from maskwright.types import Outside, RegionKind, Unit

_KNOWN = {"unit": get_args(Unit), "regions": get_args(RegionKind), "outside": get_args(Outside)}
_SHARE = "above 0 and below 1"


@dataclass(frozen=True, kw_only=True)
class RegionCard(ModelCard):
    """Everything that using a model from masked regions to a decision needs.

    Args:
        names: What the decision may be, negative first.
        unit: What one decision is made on.
        regions: What a region of a mask is.
        size: Side of the square crops, px.
        context: Margin around the box of a region, as a share of its sides; `None` for the whole
            image instead.
        outside: What crops show there.
        value_range: Pixels that stand for black and white.
        measures: Names of the measures that the model takes, in their order.
        min_area_px: Minimum area of a region, px of the original image.
        min_predicted_px: Minimum area of a region in a predicted mask, px of the original image.
        full_scale: Value of a pixel that counts as full in measures of intensity; `None` for the
            largest of its type.
        threshold: Probability from which the decision is the second name.
    """

    task: ClassVar[str] = "regions"
    command: ClassVar[str] = "maskwright regions train"
    types: ClassVar[Mapping[str, Any]] = {
        "names": tuple,
        "unit": str,
        "regions": str,
        "size": int,
        "context": float | int | None,
        "outside": str,
        "value_range": tuple,
        "measures": tuple,
        "min_area_px": int,
        "min_predicted_px": int,
        "full_scale": float | int | None,
        "threshold": float | int,
    }

    names: tuple[str, str]
    unit: Unit
    regions: RegionKind
    size: int
    context: float | None
    outside: Outside
    value_range: tuple[float, float]
    measures: tuple[str, ...]
    min_area_px: int = 1
    min_predicted_px: int = 1
    full_scale: float | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        require(len(self.names) == 2, "names", "two names", self.names)
        for name, known in _KNOWN.items():
            received = getattr(self, name)
            require(received in known, name, f"one of {', '.join(known)}", received)
        require(self.size >= 1, "size", "at least 1", self.size)
        fits = self.context is None or self.context >= 0
        require(fits, "context", "at least 0, or null", self.context)
        require(len(self.value_range) == 2, "value_range", "two numbers", self.value_range)
        require(self.min_area_px >= 1, "min_area_px", "at least 1", self.min_area_px)
        require(0 < self.threshold < 1, "threshold", _SHARE, self.threshold)
