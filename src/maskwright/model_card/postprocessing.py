"""The steps of post-processing: settings of `train`, fields of the card, options of `predict`.

A new step is a field and a typed argument here, and its work in `clean` and `clean_large`.
"""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Generic, NamedTuple, TypedDict, TypeVar, get_type_hints

from pydantic import Field, NonNegativeInt

Absent = TypeVar("Absent")


class Step(NamedTuple):
    """How a step is named in words.

    Args:
        option: Help of the option of `predict`.
        applied: Phrase of a report, with the value in braces.
    """

    option: str
    applied: str


# Fields alone: pydantic and the card make their own methods of them.
@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Postprocessing:
    """Steps after the class of each pixel is decided; by default, none changes a pixel."""

    min_area_px: Annotated[
        NonNegativeInt,
        Field(
            description="Minimum component area at inference, in pixels of the image, stored in "
            "the model card; smaller components are removed."
        ),
        Step("Minimum component area, in pixels of the image.", "components under {} px removed"),
    ] = 0
    fill_holes_px: Annotated[
        NonNegativeInt,
        Field(
            description="Maximum area of holes that are filled at inference, in pixels of the "
            "image, stored in the model card."
        ),
        Step("Maximum area of filled holes, in pixels of the image.", "holes up to {} px filled"),
    ] = 0
    keep_largest: Annotated[
        bool,
        Field(
            description="Keep only the largest component of each class at inference, stored in the "
            "model card."
        ),
        Step("Keep only the largest component of each class.", "only the largest component kept"),
    ] = False


class PostprocessingArguments(TypedDict, Generic[Absent], total=False):
    """Steps as arguments; `Absent` is `None` where that leaves a step as it is, else `Never`."""

    min_area_px: int | Absent
    fill_holes_px: int | Absent
    keep_largest: bool | Absent


STEPS: dict[str, Step] = {
    name: next(note for note in hint.__metadata__ if isinstance(note, Step))
    for name, hint in get_type_hints(Postprocessing, include_extras=True).items()
}


def postprocessing_of(source: Postprocessing) -> dict[str, Any]:
    """Values of all steps, from settings or a card."""
    return {field.name: getattr(source, field.name) for field in fields(Postprocessing)}
