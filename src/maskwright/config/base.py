"""Settings shared by all training runs."""

from abc import abstractmethod
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
    encoder: str = "mobilenet_v2"
    """Encoder architecture: plain, residual, resnet18, resnet34, mit_b0 to mit_b5, or a network of
    keras.applications, such as efficientnet_v2_b0."""
    encoder_weights: str | None = "imagenet"
    """Initial encoder weights: imagenet (downloaded by Keras), a weights file, or none for random
    initialization."""
    encoder_widths: tuple[PositiveInt, ...] = (32, 64, 128, 256, 512)
    """Channels of each level of the plain and residual encoders, fine to coarse; other encoders
    ignore it."""
    taps: dict[PositiveInt, str] | None = None
    """Encoder layers whose output is passed to the decoder, by stride, such as {2:
    block_1_expand_relu}; none for the standard layers."""
    alpha: PositiveFloat = 1.0
    """Width multiplier of MobileNet encoders."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Dropout rate before the output layer, in training only."""
    smoothing: float = Field(0.0, ge=0, lt=1)
    """Label smoothing of the cross-entropy loss."""

    # Optimization
    batch_size: PositiveInt = 16
    """Images per training step, summed over all workers."""
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    """Optimizer: adamw, adam or sgd."""
    learning_rate: PositiveFloat = 4e-3
    """Peak learning rate; the schedule scales it."""
    encoder_rate: NonNegativeFloat | None = None
    """Encoder learning rate as a fraction of `learning_rate`; none for 0.25 with pretrained
    weights, else 1."""
    weight_decay: NonNegativeFloat = 1e-4
    """Decoupled weight decay per step, multiplied by the learning rate."""
    clip_norm: PositiveFloat | None = 1.0
    """Maximum global gradient norm; none for no gradient clipping."""
    schedule: Literal["cosine", "polynomial", "constant"] = "cosine"
    """Learning rate schedule after warmup: cosine, polynomial or constant."""
    warmup: float = Field(0.03, ge=0, lt=1)
    """Fraction of training with a linearly rising learning rate."""
    freeze: float | None = Field(None, ge=0, le=1)
    """Fraction of training, from its start, with a frozen encoder; none for 0.2 with pretrained
    weights, else 0."""
    fix_statistics: bool | None = None
    """Keep the pretrained batch normalization statistics of the encoder; none for true with
    pretrained weights, else false."""
    average: NonNegativeFloat = 0.15
    """Window of the moving average of weights, as a fraction of the steps so far; 0 for no
    averaging."""
    patience: PositiveInt | None = 50
    """Early stopping: validations without a better score until training ends; none for no early
    stopping."""
    seed: NonNegativeInt = 0
    """Random seed of initial weights, sample order and augmentation."""
    epochs: PositiveInt | None = None
    """Number of epochs. Excludes `minutes`."""
    minutes: PositiveFloat | None = None
    """Training budget in minutes, compilation and validation included. Excludes `epochs`."""

    # Output
    previews: NonNegativeInt = 4
    """Number of validation samples drawn with their prediction after each epoch."""
    tensorboard: bool = False
    """Write logs for TensorBoard to the folder of the run."""
    checkpoint_seconds: NonNegativeFloat = 20.0
    """Minimum time between two checkpoints, in seconds."""

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
    @abstractmethod
    def task(self) -> str:
        """Name of the task that the settings are for, as in `tasks.TASKS`."""

    def with_budget(self) -> Self:
        """The settings with their default budget in minutes, if they state no length of the run."""
        if self.epochs is None and self.minutes is None:
            return self.model_copy(update={"minutes": self.default_minutes})
        return self

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
        values = {name: getattr(self, name) for name in _RECIPE}
        return {n: defaults.get(n) if value is None else value for n, value in values.items()}


_RECIPE = (
    *("batch_size", "optimizer", "learning_rate", "encoder_rate", "weight_decay", "clip_norm"),
    *("schedule", "warmup", "freeze", "fix_statistics", "average", "patience"),
)
