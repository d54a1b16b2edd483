"""Card of a model that decides on masked regions."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import NonNegativeFloat, PositiveInt

from maskwright.model_card.base import ModelCard, Share
from maskwright.types import Outside, RegionKind, Unit


@dataclass(frozen=True, kw_only=True)
class RegionCard(ModelCard):
    """Everything that using a model from masked regions to a decision needs.

    Args:
        names: What the decision may be, negative first.
        unit: What one decision is made on.
        context: Margin around the box of a region, as a share of its sides; `None` for the whole
            image instead.
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

    names: tuple[str, str]
    unit: Unit
    regions: RegionKind
    size: PositiveInt
    context: NonNegativeFloat | None
    outside: Outside
    value_range: tuple[float, float]
    measures: tuple[str, ...]
    min_area_px: PositiveInt = 1
    min_predicted_px: int = 1
    full_scale: float | None = None
    threshold: Share = 0.5
