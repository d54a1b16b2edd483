"""Settings that every training run has."""

import re
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from maskwright.architectures import SCRATCH
from maskwright.data.pipeline.arrays import MEMORY_LIMIT_MB

_STRENGTH = "medium"


class RunConfig(BaseModel):
    """Settings that every training run has; `command` is the one that takes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    command: ClassVar[str]
    default_minutes: ClassVar[float]

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
        # `none` on the command line means no value; here it is the name of a strength.
        given = {"strength": value} if isinstance(value, str | None) else value
        if not isinstance(given, dict):
            return given
        strength = given.get("strength", _STRENGTH)
        return {**given, "strength": "none" if strength is None else strength}

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

    @property
    def task(self) -> str:
        """Name of the task that the settings are for, as in `tasks.TASKS`."""
        raise NotImplementedError

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

    def encoder_arguments(self) -> dict[str, Any]:
        """Arguments of every builder of a network that describe the encoder."""
        return {
            "encoder_name": self.encoder,
            "encoder_widths": self.encoder_widths,
            "alpha": self.alpha,
            "taps": self.taps,
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
