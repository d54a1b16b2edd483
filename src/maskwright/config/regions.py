"""Settings of runs that learn to decide on masked regions."""

from typing import ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from maskwright.config.base import RunConfig


class RegionConfig(RunConfig):
    """Settings of a run that learns to decide on masked regions."""

    command: ClassVar[str] = "maskwright regions train"
    default_minutes: ClassVar[float] = 5.0

    # What is decided
    positive: str | None = Field(
        None, description="Label to look for; left out where two labels make it plain."
    )
    classes: tuple[str, ...] | None = Field(
        None, description="Labels to learn from, [benign, malignant]; others are left out."
    )
    unit: Literal["region", "image", "case"] | None = Field(
        None, description="What a decision is made on; found out when left out."
    )
    label_by: Literal["image", "region", "class"] | None = Field(
        None, description="Whose the labels are; class takes that in the mask."
    )
    label_table: str | None = Field(
        None, description="CSV of image, region, label; regions.csv or cells.csv when left out."
    )
    unite_duplicates: bool = Field(
        True, description="Keep cases with near-duplicate images on one side of every split."
    )

    # What the model sees
    regions: Literal["components", "instances", "whole"] | None = Field(
        None, description="What a region of a mask is; found out when left out."
    )
    min_area_px: PositiveInt = Field(1, description="Smaller regions are left out.")
    max_regions: PositiveInt = Field(64, description="Drawn of a unit in a training step.")
    size: PositiveInt = Field(128, description="Side of the square crops, px.")
    context: NonNegativeFloat | None = Field(
        0.2, description="Margin around the box, as a share of its sides; none for all the image."
    )
    outside: Literal["kept", "darkened", "removed", "channel"] = Field(
        "darkened", description="What becomes of pixels outside the mask; channel adds the mask."
    )
    mask_perturbation: float | None = Field(
        None,
        ge=0,
        le=0.4,
        description="Errors drawn into training masks, as a share of their diameter; as large as "
        "the segmenter's when left out, or 0.08 without one.",
    )
    variants: NonNegativeInt = Field(4, description="Such masks kept of every region.")
    segmenter: str | None = Field(
        None, description="Folder of a run whose masks are learned from too, and used to predict."
    )

    # The model
    preset: Literal["reference_cnn"] | None = Field(
        None, description="A known network, in place of encoder and pooling."
    )
    pixels: bool = Field(True, description="Look at the pixels.")
    measures: bool = Field(True, description="Look at measures of shape and intensity.")
    pooling: Literal["attention", "mean", "max"] = Field(
        "attention", description="How the regions of a unit become one decision."
    )
    embedding: PositiveInt = Field(64, description="Numbers that pixels of a region become.")
    balance: bool = Field(True, description="Weigh both answers alike, however rare.")

    # How it learns
    loss: str = Field("ce", description="ce or focal, with a factor.")
    batch_size: PositiveInt = Field(16, description="Units per step, all workers together.")
    learning_rate: PositiveFloat = Field(1e-3, description="At its peak.")
    weight_decay: NonNegativeFloat = Field(1e-2, description="Per step, times the rate.")
    dropout: float = Field(0.3, ge=0, lt=1, description="Share of features left out in training.")

    # What it leaves
    calibrate: bool = Field(True, description="Fit a temperature on the validation units.")
    threshold: float = Field(0.5, gt=0, lt=1, description="Probability of a positive decision.")
    specificity: float = Field(0.9, gt=0, lt=1, description="At which the sensitivity is reported.")

    @model_validator(mode="after")
    def _sees_something(self) -> Self:
        if not (self.pixels or self.measures):
            raise ValueError("a classifier needs pixels, measures or both")
        return self

    @property
    def pretrained(self) -> bool:
        """Whether the encoder starts from weights."""
        return super().pretrained and self.preset is None and self.pixels

    @property
    def task(self) -> str:
        """Name of the task that the settings are for."""
        return "regions"
