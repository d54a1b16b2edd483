"""Settings of runs that learn masks, of classes or of single objects."""

import re
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    field_validator,
    model_validator,
)

from maskwright.architectures import ARCHITECTURES
from maskwright.config.base import RunConfig
from maskwright.types import InstanceMethod


class TrainConfig(RunConfig):
    """Settings of one training run; `plan.yaml` holds exactly these keys."""

    command: ClassVar[str] = "maskwright train"
    default_minutes: ClassVar[float] = 10.0

    # What the model sees
    size: Literal["auto"] | tuple[PositiveInt, PositiveInt] | None = Field(
        "auto",
        description="Height and width, px, that images are stretched to: 128, 240x320, none to "
        "keep them and train on crops, or auto: their median, at most 256.",
    )
    crop: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="Height and width of training crops, px; none for whole images."
    )
    favor_rare: bool = Field(False, description="Put rare classes into the middle of crops.")

    # The model
    preset: str | None = Field(
        None,
        description="Published network, in place of encoder and decoder: "
        + ", ".join(ARCHITECTURES)
        + ".",
    )
    decoder: str = Field("light", description="What makes masks of the encoder's features.")
    decoder_widths: tuple[PositiveInt, ...] | None = Field(
        None, description="Channels of the decoder, coarse to fine."
    )
    transposed: bool | None = Field(
        None, description="Learned enlargement, not bilinear, in U-Nets; as usual when left out."
    )
    separable: bool | None = Field(
        None, description="Depthwise separable convolutions in U-Net and DeepLab; plain if not."
    )
    norm: Literal["batch", "group", "instance", "none"] = Field(
        "batch", description="Of what is not pretrained; group or instance for small batches."
    )
    output_stride: Literal[8, 16, 32] = Field(
        32, description="Coarsest stride of the encoder; below 32 it is dilated (atrous) instead."
    )
    deep_supervision: NonNegativeFloat | None = Field(
        None,
        description="Weight of the loss of each auxiliary output of the decoder; 0 for no such "
        "outputs, the paper's when left out.",
    )
    objects: InstanceMethod | None = Field(
        None,
        description="Find single objects: centers, for crowds of round things, or mask_rcnn; none "
        "tells classes of pixels.",
    )
    detector: dict[str, Any] = Field(
        {"profile": "small"},
        description="Profile of mask_rcnn, small or paper, and numbers of its own, such as "
        "{proposals: 300}.",
    )
    one_logit: bool = Field(False, description="Two classes by one sigmoid, not a softmax of two.")

    # What it learns from
    loss: str = Field(
        "ce+dice",
        description="Sum of ce, focal, ohem, dice, tversky, focal_tversky, lovasz, cldice and "
        "boundary, each with a factor, such as ce+0.5*dice.",
    )
    class_weights: Literal["balanced"] | dict[str, NonNegativeFloat] | None = Field(
        None, description="balanced (median frequency), a number by class name, or none."
    )

    # What it leaves
    threshold: float | None = Field(None, gt=0, lt=1, description="For the card.")
    min_area_px: NonNegativeInt = Field(0, description="For the card.")
    fill_holes_px: NonNegativeInt = Field(0, description="For the card.")
    keep_largest: bool = Field(False, description="For the card.")

    @field_validator("norm", mode="before")
    @classmethod
    def _read_norm(cls, value: Any) -> Any:
        """`none` on the command line means no value; here it is a name."""
        return "none" if value is None else value

    @field_validator("preset")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value not in (None, *ARCHITECTURES):
            raise ValueError(f"expected one of {', '.join(ARCHITECTURES)}")
        return value

    @field_validator("size", "crop", mode="before")
    @classmethod
    def _read_size(cls, value: Any) -> Any:
        """128, "240x320" or two numbers."""
        if isinstance(value, int):
            return (value, value)
        found = re.fullmatch(r"(\d+)x(\d+)", value) if isinstance(value, str) else None
        return (int(found[1]), int(found[2])) if found else value

    @field_validator("detector", mode="before")
    @classmethod
    def _read_detector(cls, value: Any) -> Any:
        given = {"profile": value} if isinstance(value, str) else value
        return {"profile": "small", **given} if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        if self.size is None and self.crop is None:
            raise ValueError("without a size, images keep theirs: set a crop, such as crop=256")
        if self.favor_rare and self.crop is None:
            raise ValueError("favor_rare chooses where to crop: set a crop, such as crop=256")
        return self

    @property
    def pretrained(self) -> bool:
        """Whether the encoder starts from weights."""
        published = self.preset is None or ARCHITECTURES[self.preset].pretrained
        return super().pretrained and published

    @property
    def task(self) -> str:
        """Name of the task that the settings are for."""
        return "semantic" if self.objects is None else "instances"

    def encoder_arguments(self) -> dict[str, Any]:
        """Arguments of every builder of a network that describe the encoder."""
        return {**super().encoder_arguments(), "norm": self.norm}
