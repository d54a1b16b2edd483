"""Values in place of those on a model card."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

from maskwright.errors import ConfigError, ModelError
from maskwright.model_card import InstanceCard, PostprocessingArguments, SemanticCard

AnyCard = TypeVar("AnyCard", SemanticCard, InstanceCard)


class Adjustments(PostprocessingArguments[None], total=False):
    """Values in place of those on a model card, whatever the task; `None` leaves one as it is.

    `threshold` is the foreground probability threshold, or the least score of a detected object.
    `marker`, `score` and `foreground` belong to instances, steps but `min_area_px` to masks of
    classes; `pixel_range` is what stands for black and white in the images.
    """

    tile: int | None
    threshold: float | None
    marker: float | None
    score: float | None
    foreground: float | None
    pixel_range: tuple[float, float] | None


ADJUSTMENT_NAMES = tuple(Adjustments.__annotations__)
"""Names of all adjustments."""


def adjusted_card(card: AnyCard, changes: Mapping[str, object]) -> AnyCard:
    """Card with other values, where they are not `None`; `ConfigError` where one does not fit."""
    if changes.get("tile") is not None and card.size is not None:
        height, width = card.size
        raise ConfigError(
            f"`tile` needs a model that works at the scale of the images; this one resizes "
            f"them to {height}x{width}."
        )
    if (span := changes.get("pixel_range")) is not None and not _is_span(span):
        raise ConfigError(
            f"`pixel_range` takes two finite values of pixels, low < high; received {span!r}."
        )
    known = {field.name for field in fields(card)}
    new: dict[str, Any] = {}
    for name, value in changes.items():
        if value and name not in known:  # 0 and False ask for nothing
            raise ConfigError(f"`{name}` is not a setting of {card.task} models; leave it out.")
        if value is not None and name in known:
            new[name] = value
    try:
        return replace(card, **new)
    except ModelError as error:
        raise ConfigError(str(error)) from None


_LEAST_SPAN, _MOST_SPAN = 1e-6, 1e9  # beyond them, pixels of 32 bits are all black or no numbers


def _is_span(value: object) -> bool:
    match value:
        case (int() | float() as low, int() | float() as high):
            return bool(low < high and _LEAST_SPAN < high - low < _MOST_SPAN)
    return False
