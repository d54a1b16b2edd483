"""Settings of semantic and instance segmentation."""

import re
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from maskwright.architectures import ARCHITECTURES
from maskwright.config.base import RunConfig
from maskwright.model_card.postprocessing import Postprocessing
from maskwright.types import InstanceMethod


class _SegmentationSettings(RunConfig):
    # Image size
    size: Literal["auto"] | tuple[PositiveInt, PositiveInt] | None = "auto"
    """Height and width to which images are resized, in pixels: 128, 240x320, none to keep the
    original size and train on crops, or auto for the median size, at most 256."""
    crop: tuple[PositiveInt, PositiveInt] | None = None
    """Height and width of random training crops, in pixels, such as 256 or 256x320; none to train
    on whole images."""
    longer_side: PositiveInt | None = None
    """Length to which the longer side of whole images is resized, keeping the aspect, in pixels;
    for objects, in place of `size` and `crop`."""
    favor_rare: bool = False
    """Center training crops on rare classes more often. Requires `crop`."""

    # Model
    weights: str | None = None
    """Initial weights of the whole network, with its settings: the folder of a run, or a file of
    torchvision's Mask R-CNN; none for random ones behind the encoder."""
    preset: str | None = Field(
        None,
        description="Published network that replaces encoder and decoder: "
        + ", ".join(ARCHITECTURES)
        + "; none for the configured encoder and decoder.",
    )
    decoder: str = "light"
    """Decoder architecture: light, unet, attention_unet, unet_plus_plus, resunet, unet_3plus,
    linknet, fpn, pspnet, deeplab_v3, deeplab_v3_plus, segformer or lraspp."""
    decoder_widths: tuple[PositiveInt, ...] | None = Field(None, min_length=1)
    """Channels of each decoder level, coarse to fine; none for the default of the decoder, and of a
    U-Net on plain or residual for `encoder_widths` in reverse."""
    transposed: bool | None = None
    """Upsample by transposed convolution instead of bilinear interpolation, in the U-Net family;
    none for the default of the decoder."""
    separable: bool | None = None
    """Use depthwise separable convolutions in U-Net and DeepLab decoders; none for standard
    convolutions."""
    norm: Literal["batch", "group", "instance", "none"] = "batch"
    """Normalization of layers without pretrained weights: batch, group, instance or none; group or
    instance suit batches below 8."""
    output_stride: Literal[8, 16, 32] = 32
    """Coarsest stride of the encoder: 8, 16 or 32; below 32, strides are replaced by dilated
    (atrous) convolutions."""
    deep_supervision: NonNegativeFloat | None = None
    """Loss weight of each auxiliary output of the decoder; 0 for no auxiliary outputs, none for the
    value in the decoder's publication."""
    objects: InstanceMethod | Literal["auto"] | None = None
    """Instance segmentation method: centers (many small, touching objects), condinst
    (objects of any size, which may overlap) or mask_rcnn (the same, slower to learn); auto for the
    one that suits the objects, none for semantic segmentation."""
    detector: dict[str, Any] = Field({"profile": "small"})
    """Mask R-CNN profile, small, paper or torchvision, which CondInst ignores. Single parameters of
    either are set as detector.proposals=300."""
    one_logit: bool = False
    """Predict two classes by one sigmoid output instead of a softmax over two."""

    # Loss
    loss: str = "ce+dice"
    """Weighted sum of losses, such as ce+0.5*dice: ce, focal, ohem, dice, tversky, focal_tversky,
    lovasz, cldice and boundary."""
    class_weights: Literal["balanced"] | dict[str, NonNegativeFloat] | None = None
    """Class weights in the loss: balanced (median frequency), a number by class name, such as
    {lesion: 4}, or none for equal weights."""

    # Postprocessing, stored in the model card; its steps follow in `TrainConfig`
    threshold: float | None = Field(None, gt=0, lt=1)
    """Foreground probability threshold at inference, stored in the model card; none for the class
    with the highest probability."""

    @field_validator("weights", mode="before")
    @classmethod
    def _read_weights_path(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_validator("norm", mode="before")
    @classmethod
    def _read_norm(cls, value: Any) -> Any:
        """Restore `none`, which the command line reads as no value."""
        return "none" if value is None else value

    @field_validator("preset")
    @classmethod
    def _check_preset(cls, value: str | None) -> str | None:
        if value not in (None, *ARCHITECTURES):
            raise ValueError(f"expected one of {', '.join(ARCHITECTURES)}")
        return value

    @field_validator("size", "crop", mode="before")
    @classmethod
    def _read_size(cls, value: Any, info: ValidationInfo) -> Any:
        """Accept `128`, `240x320` and a pair of integers."""
        if value is None or (value == "auto" and info.field_name == "size"):
            return value
        match = re.fullmatch(r"(\d+)x(\d+)", value) if isinstance(value, str) else None
        pair = value if isinstance(value, list | tuple) else (value, value)
        sides = match.groups() if match else pair
        pixels = [int(side) for side in sides if re.fullmatch(r"\d+", str(side))]
        if len(sides) != 2 or len(pixels) != 2 or min(pixels) < 1:
            raise ValueError("expected pixels, such as 128, or height and width, such as 240x320")
        return tuple(pixels)

    @field_validator("detector", mode="before")
    @classmethod
    def _read_detector(cls, value: Any) -> Any:
        parameters = {"profile": value} if isinstance(value, str) else value
        return {"profile": "small", **parameters} if isinstance(parameters, dict) else parameters

    @model_validator(mode="after")
    def _check_size_and_crop(self) -> Self:
        if self.size is None and self.crop is None:
            raise ValueError("size=none trains on crops: set a crop, such as crop=256")
        if self.favor_rare and self.crop is None:
            raise ValueError(
                "favor_rare selects the position of crops: set a crop, such as crop=256"
            )
        return self

    @model_validator(mode="after")
    def _check_longer_side(self) -> Self:
        if self.longer_side is not None and (self.size != "auto" or self.crop is not None):
            raise ValueError(
                "longer_side resizes whole images and keeps their aspect: leave out size and crop"
            )
        return self

    @property
    def initial_encoder_weights(self) -> str | None:
        """`encoder_weights`, but `None` where the encoder has none, or `weights` come after."""
        published = self.preset is None or ARCHITECTURES[self.preset].pretrained
        return super().initial_encoder_weights if published and self.weights is None else None

    @property
    def pretrained(self) -> bool:
        """Whether the encoder starts from pretrained weights."""
        return self.weights is not None or super().pretrained

    @property
    def task(self) -> str:
        """Name of the task of these settings."""
        return "semantic" if self.objects is None else "instances"

    def encoder_arguments(self) -> dict[str, Any]:
        """Arguments of the encoder, for all builders of networks."""
        return {**super().encoder_arguments(), "norm": self.norm}


class TrainConfig(Postprocessing, _SegmentationSettings):  # type: ignore[misc]  # frozen by both
    """Settings of one segmentation run; `plan.yaml` holds exactly these keys."""

    command: ClassVar[str] = "maskwright train"
    default_minutes: ClassVar[float] = 10.0
