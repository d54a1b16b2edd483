"""Settings shared by all training runs."""

from typing import Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from maskwright.architectures import SCRATCH
from maskwright.config.data import DataSettings


class RunConfig(DataSettings):
    """Settings shared by all training runs; `command` is the command line that accepts them."""

    command: ClassVar[str]
    default_minutes: ClassVar[float]

    # Encoder
    encoder: str = Field(
        "mobilenet_v2",
        description="Encoder architecture: plain, residual, resnet18, resnet34, mit_b0 to mit_b5, "
        "or a network of keras.applications, such as efficientnet_v2_b0.",
    )
    encoder_weights: str | None = Field(
        "imagenet",
        description="Initial encoder weights: imagenet (downloaded by Keras), a weights file, or "
        "none for random initialization.",
    )
    encoder_widths: tuple[PositiveInt, ...] = Field(
        (32, 64, 128, 256, 512),
        description="Channels of each level of the plain and residual encoders, fine to coarse; "
        "other encoders ignore it.",
    )
    taps: dict[PositiveInt, str] | None = Field(
        None,
        description="Encoder layers whose output is passed to the decoder, by stride, such as "
        "{2: block_1_expand_relu}; none for the standard layers.",
    )
    alpha: PositiveFloat = Field(1.0, description="Width multiplier of MobileNet encoders.")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="Dropout rate before the output layer, in training only."
    )
    smoothing: float = Field(
        0.0, ge=0, lt=1, description="Label smoothing of the cross-entropy loss."
    )

    # Optimization
    batch_size: PositiveInt = Field(
        16, description="Images per training step, summed over all workers."
    )
    optimizer: Literal["adamw", "adam", "sgd"] = Field(
        "adamw", description="Optimizer: adamw, adam or sgd."
    )
    learning_rate: PositiveFloat = Field(
        4e-3, description="Peak learning rate; the schedule scales it."
    )
    encoder_rate: NonNegativeFloat | None = Field(
        None,
        description="Encoder learning rate as a fraction of `learning_rate`; none for 0.25 with "
        "pretrained weights, else 1.",
    )
    weight_decay: NonNegativeFloat = Field(
        1e-4, description="Decoupled weight decay per step, multiplied by the learning rate."
    )
    clip_norm: PositiveFloat | None = Field(
        1.0, description="Maximum global gradient norm; none for no gradient clipping."
    )
    schedule: Literal["cosine", "polynomial", "constant"] = Field(
        "cosine", description="Learning rate schedule after warmup: cosine, polynomial or constant."
    )
    warmup: float = Field(
        0.03, ge=0, lt=1, description="Fraction of training with a linearly rising learning rate."
    )
    freeze: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Fraction of training, from its start, with a frozen encoder; none for 0.2 "
        "with pretrained weights, else 0.",
    )
    fix_statistics: bool | None = Field(
        None,
        description="Keep the pretrained batch normalization statistics of the encoder; none for "
        "true with pretrained weights, else false.",
    )
    average: NonNegativeFloat = Field(
        0.15,
        description="Window of the moving average of weights, as a fraction of the steps so far; 0 "
        "for no averaging.",
    )
    patience: PositiveInt | None = Field(
        50,
        description="Early stopping: validations without a better score until training ends; none "
        "for no early stopping.",
    )
    seed: NonNegativeInt = Field(
        0, description="Random seed of initial weights, sample order and augmentation."
    )
    epochs: PositiveInt | None = Field(None, description="Number of epochs. Excludes `minutes`.")
    minutes: PositiveFloat | None = Field(
        None,
        description="Training budget in minutes, compilation and validation included. Excludes "
        "`epochs`.",
    )

    # Output
    previews: NonNegativeInt = Field(
        4, description="Number of validation samples drawn with their prediction after each epoch."
    )
    tensorboard: bool = Field(
        False, description="Write logs for TensorBoard to the folder of the run."
    )
    checkpoint_seconds: NonNegativeFloat = Field(
        20.0, description="Minimum time between two checkpoints, in seconds."
    )

    @model_validator(mode="after")
    def _check_budget(self) -> Self:
        if self.epochs is not None and self.minutes is not None:
            raise ValueError("give either epochs or minutes, not both")
        return self

    @property
    def pretrained(self) -> bool:
        """Whether the encoder starts from pretrained weights."""
        published = self.encoder_weights == "imagenet"
        return self.encoder_weights is not None and not (published and self.encoder in SCRATCH)

    @property
    def task(self) -> str:
        """Name of the task that the settings are for, as in `tasks.TASKS`."""
        raise NotImplementedError

    def encoder_arguments(self) -> dict[str, Any]:
        """Arguments of every builder of a network that describe the encoder."""
        return {
            "encoder_name": self.encoder,
            "encoder_widths": self.encoder_widths,
            "alpha": self.alpha,
            "taps": self.taps,
        }

    def recipe(self) -> dict[str, Any]:
        """Arguments of `training.Recipe`; `None` is replaced by the default of the encoder."""
        defaults = {
            "encoder_rate": 0.25 if self.pretrained else 1.0,
            "freeze": 0.2 if self.pretrained else 0.0,
            "fix_statistics": self.pretrained,
        }
        return {
            name: defaults[name]
            if getattr(self, name) is None and name in defaults
            else getattr(self, name)
            for name in _RECIPE
        }


_RECIPE = (
    *("batch_size", "optimizer", "learning_rate", "encoder_rate", "weight_decay", "clip_norm"),
    *("schedule", "warmup", "freeze", "fix_statistics", "average", "patience"),
)
