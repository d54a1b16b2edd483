"""Settings of a training run: read from a file and from `KEY=VALUE`, checked once, frozen."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from maskwright.data.arrays import MEMORY_LIMIT_MB
from maskwright.errors import ConfigError
from maskwright.planning.network import SCRATCH

_STRENGTH = "medium"

PRETRAINED_PRESETS = (
    *("tutorial_unet", "fpn", "pspnet", "deeplab_v3", "deeplab_v3_plus", "lraspp"),
)
"""Networks whose encoders have published weights."""
PRESETS = (
    *("plain_unet", "small", *PRETRAINED_PRESETS, "unet_plus_plus", "attention_unet"),
    *("resunet", "unet_3plus", "linknet", "segformer_b0"),
)
"""Networks by name; those of `models.presets` and `models.papers`."""


class RunConfig(BaseModel):
    """Settings that every training run has; `command` is the one that takes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    command: ClassVar[str]

    # What it learns from
    augmentation: dict[str, Any] = Field(
        {"strength": _STRENGTH},
        description="none, light, medium, strong, or a strength with settings of its own.",
    )
    memory_limit_mb: PositiveFloat = Field(
        MEMORY_LIMIT_MB,
        description="Decoded images above this size lie on disk instead of in memory.",
    )
    skip_unreadable: bool = Field(
        True, description="Tell of broken files and go on with the others; false stops at one."
    )
    val_share: float | None = Field(
        None, ge=0, lt=1, description="Of the cases, where no such split is given; 0.1 if left out."
    )
    test_share: float | None = Field(
        None, ge=0, lt=1, description="Of the cases, where none is given; 0.15 if left out."
    )
    split_seed: NonNegativeInt | None = Field(
        None, description="Of the splits; apart from `seed`, so that runs can be compared."
    )
    fold: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="2/5 holds the second of five folds out, and learns from the others."
    )
    group_by: str | None = Field(None, description="Column, or pattern of a name, that is a case.")
    unite_duplicates: bool = Field(
        False, description="Keep cases with near-duplicate images on one side of every split."
    )

    # Where features come from
    encoder: str = Field("mobilenet_v2", description="Where features come from.")
    encoder_weights: str | None = Field(
        "imagenet", description="imagenet (downloaded by Keras), a file, or none."
    )
    encoder_widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128, 256, 512),
        description="Channels of the plain and the residual encoder, fine to coarse.",
    )
    taps: dict[PositiveInt, str] | None = Field(
        None, description="Layers that give features, by stride, such as {2: block_1_expand_relu}."
    )
    alpha: PositiveFloat = Field(1.0, description="Width of a MobileNet.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of features left out in training.")
    smoothing: float = Field(0.0, ge=0, lt=1, description="Of labels, in cross-entropy.")

    # How it learns
    batch_size: PositiveInt = Field(16, description="Images per step, all workers together.")
    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="What takes the steps.")
    learning_rate: PositiveFloat = Field(4e-3, description="At its peak.")
    encoder_rate: NonNegativeFloat | None = Field(
        None, description="Of the encoder, as a share; 0.25 if pretrained, else 1, when left out."
    )
    weight_decay: NonNegativeFloat = Field(1e-4, description="Per step, times the rate.")
    clip_norm: PositiveFloat | None = Field(1.0, description="Longest gradient; none for any.")
    schedule: Literal["cosine", "polynomial", "constant"] = Field(
        "cosine", description="Of the learning rate."
    )
    warmup: float = Field(0.03, ge=0, lt=1, description="Share of the run in which it climbs.")
    freeze: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Share of the run with a frozen encoder; 0.2 if pretrained when left out.",
    )
    fix_statistics: bool | None = Field(
        None, description="Keep the encoder's batch statistics; true if pretrained when left out."
    )
    average: NonNegativeFloat = Field(
        0.15, description="Share of the steps so far that the weights are averaged over."
    )
    patience: PositiveInt | None = Field(
        50, description="Validations without a better score until training stops; none for never."
    )
    seed: NonNegativeInt = Field(0, description="Of weights, order and augmentation.")
    epochs: PositiveInt | None = Field(None, description="Passes over the samples, or")
    minutes: PositiveFloat | None = Field(None, description="time to train for.")

    # What it leaves
    previews: NonNegativeInt = Field(4, description="Samples drawn after every epoch.")
    tensorboard: bool = Field(False, description="Write logs for TensorBoard.")
    checkpoint_seconds: NonNegativeFloat = Field(20.0, description="Least time between them.")

    @field_validator("augmentation", mode="before")
    @classmethod
    def _read_augmentation(cls, value: Any) -> Any:
        given = {"strength": value} if isinstance(value, str) else value
        return {"strength": _STRENGTH, **given} if isinstance(given, dict) else given

    @field_validator("fold", mode="before")
    @classmethod
    def _read_fold(cls, value: Any) -> Any:
        """2/5 or two numbers."""
        found = re.fullmatch(r"(\d+)/(\d+)", value) if isinstance(value, str) else None
        return (int(found[1]), int(found[2])) if found else value

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.minutes is not None:
            raise ValueError("give either epochs or minutes, not both")
        return self

    @property
    def pretrained(self) -> bool:
        """Whether the encoder starts from weights."""
        published = self.encoder_weights == "imagenet"
        return self.encoder_weights is not None and not (published and self.encoder in SCRATCH)

    def division(self) -> dict[str, Any]:
        """Arguments of `open_dataset` that say how the data is divided."""
        return {
            "group_by": self.group_by,
            "val_share": self.val_share,
            "test_share": self.test_share,
            "seed": self.split_seed,
            "fold": self.fold,
            "unite_duplicates": self.unite_duplicates,
        }

    def recipe(self) -> dict[str, Any]:
        """Arguments of `training.Recipe`, with what depends on the encoder filled in."""
        depending = {
            "encoder_rate": 0.25 if self.pretrained else 1.0,
            "freeze": 0.2 if self.pretrained else 0.0,
            "fix_statistics": self.pretrained,
        }
        return {
            name: depending[name]
            if getattr(self, name) is None and name in depending
            else getattr(self, name)
            for name in _RECIPE
        }


_RECIPE = (
    *("batch_size", "optimizer", "learning_rate", "encoder_rate", "weight_decay", "clip_norm"),
    *("schedule", "warmup", "freeze", "fix_statistics", "average", "patience"),
)


class TrainConfig(RunConfig):
    """Settings of one training run; `plan.yaml` holds exactly these keys."""

    command: ClassVar[str] = "maskwright train"

    # What the model sees
    size: Literal["auto"] | tuple[PositiveInt, PositiveInt] | None = Field(
        "auto",
        description="Height and width, px, that images are stretched to: 128, 240x320, none to "
        "keep them and train on crops, or auto: their median, at most 256.",
    )
    crop: tuple[PositiveInt, PositiveInt] | None = Field(
        None, description="Height and width of training crops, px; none for whole images."
    )
    favour_rare: bool = Field(False, description="Put rare classes into the middle of crops.")

    # The model
    preset: str | None = Field(
        None,
        description="A known network, in place of encoder and decoder: " + ", ".join(PRESETS) + ".",
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

    @field_validator("preset")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value not in (None, *PRESETS):
            raise ValueError(f"expected one of {', '.join(PRESETS)}")
        return value

    @field_validator("size", "crop", mode="before")
    @classmethod
    def _read_size(cls, value: Any) -> Any:
        """128, "240x320" or two numbers."""
        if isinstance(value, int):
            return (value, value)
        found = re.fullmatch(r"(\d+)x(\d+)", value) if isinstance(value, str) else None
        return (int(found[1]), int(found[2])) if found else value

    @model_validator(mode="after")
    def _hold_together(self) -> Self:
        if self.size is None and self.crop is None:
            raise ValueError("without a size, images keep theirs: set a crop, such as crop=256")
        if self.favour_rare and self.crop is None:
            raise ValueError("favour_rare chooses where to crop: set a crop, such as crop=256")
        return self

    @property
    def pretrained(self) -> bool:
        """Whether the encoder starts from weights."""
        return super().pretrained and self.preset in (None, *PRETRAINED_PRESETS)


class RegionConfig(RunConfig):
    """Settings of a run that learns to decide on masked regions."""

    command: ClassVar[str] = "maskwright regions train"

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
    jitter: float | None = Field(
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


Config = TypeVar("Config", bound=RunConfig)


def read_config(
    plan: str | Path | None,
    settings: Mapping[str, Any],
    kind: type[Config],
) -> Config:
    """Settings of a file, overridden by `settings`, as a `kind` of run has them.

    Raises:
        ConfigError: If the file cannot be read, a key does not exist, or a value is out of range.
    """
    values: dict[str, Any] = {}
    if plan is not None:
        try:
            values = yaml.safe_load(Path(plan).read_text(encoding="utf-8")) or {}
        except (OSError, yaml.YAMLError) as error:
            raise ConfigError(f"The settings in {plan} cannot be read ({error}).") from None
        if not isinstance(values, dict):
            raise ConfigError(f"Expected settings as `key: value` in {plan}.")
        unknown = values.keys() - kind.model_fields.keys()
        for other in (TrainConfig, RegionConfig):
            if unknown and values.keys() <= other.model_fields.keys():
                raise ConfigError(
                    f"{plan} holds settings of `{other.command}`; expected those of "
                    f"`{kind.command}`: name another run, or use the command for this one."
                )
        if {"epochs", "minutes"} & settings.keys():
            values.pop("epochs", None)
            values.pop("minutes", None)
    try:
        return kind(**{**values, **settings})
    except ValidationError as error:
        raise ConfigError(_sentence(error, kind.command)) from None


def parse_settings(pairs: Sequence[str]) -> dict[str, Any]:
    """Values of `KEY=VALUE` texts, each value read as YAML; `none` means no value.

    `a.b=1` sets `b` within `a`, as in `augmentation.rotate_degrees=10`.

    Raises:
        ConfigError: If a text has no `=`.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"Expected --set KEY=VALUE, received {pair!r}.")
        try:
            value = None if text.lower() == "none" else yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+", value):
            value = float(value)  # YAML wants 4.0e-3 where people write 4e-3
        key, _, inner = key.partition(".")
        if inner:
            within = settings.setdefault(key, {})
            if not isinstance(within, dict):
                within = settings[key] = {"strength": within}
            within[inner] = value
        else:
            settings[key] = value
    return settings


def _sentence(error: ValidationError, command: str) -> str:
    """All that pydantic found, in one sentence."""
    told = []
    hint = ""
    for found in error.errors():
        place = ".".join(str(part) for part in found["loc"][:1])
        if found["type"] == "extra_forbidden":
            told.append(f"there is no setting {place}")
            hint = f"; `{command} --settings` lists all settings"
        elif place:
            told.append(f"{place} cannot be {found['input']!r} ({found['msg'].lower()})")
        else:
            told.append(found["msg"].removeprefix("Value error, "))
    return "Settings cannot be used: " + "; ".join(dict.fromkeys(told)) + hint + "."
