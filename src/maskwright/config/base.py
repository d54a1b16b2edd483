"""Settings shared by all training runs."""

import re
from abc import abstractmethod
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
from maskwright.config.effects import unused
from maskwright.data.pipeline.arrays import MEMORY_LIMIT_MB
from maskwright.types import DETECTORS, Tracker

_STRENGTH = "medium"


class RunConfig(BaseModel):
    """Settings shared by all training runs; `command` is the command line that accepts them."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    command: ClassVar[str]
    default_minutes: ClassVar[float]

    # Data, splits and augmentation
    augmentation: dict[str, Any] = Field({"strength": _STRENGTH})
    """Augmentation strength: none, light, medium or strong. Single parameters are set as
    augmentation.rotate_degrees=10."""
    memory_limit_mb: PositiveFloat = MEMORY_LIMIT_MB
    """Decoded images of a split are kept in memory up to this many MB, and on disk above."""
    skip_unreadable: bool = True
    """Report unreadable files and continue without them; false stops at the first one."""
    val_share: float | None = Field(None, ge=0, lt=1)
    """Fraction of cases assigned to the validation split if the data defines none; none for 0.1."""
    test_share: float | None = Field(None, ge=0, lt=1)
    """Fraction of cases assigned to the test split if the data defines none; none for 0.15."""
    calibration_share: float | None = Field(None, ge=0, lt=1)
    """Fraction of cases that are set aside, instead of trained on, for the promises of `maskwright
    trust`, if the data defines no calibration split; none for that in data.yaml, or 0."""
    split_seed: NonNegativeInt | None = None
    """Random seed of the splits, separate from `seed`, so that runs with different seeds share
    their splits; none for the seed in data.yaml, or 0."""
    fold: tuple[PositiveInt, PositiveInt] | None = None
    """Cross-validation fold: 2/5 holds out the second of five folds and trains on the others; none
    for no cross-validation."""
    group_by: str | None = None
    """Column of a CSV, or regular expression whose first group in the file name, identifies the
    case; a case is never divided between splits."""
    unite_duplicates: bool = False
    """Assign cases that share near-duplicate images to the same split."""

    # Encoder
    encoder: str = "mobilenet_v2"
    """Encoder architecture: plain, residual, resnet18, resnet34, resnet50_v1_5, mit_b0 to mit_b5,
    efficientnet_lite0 to efficientnet_lite2, or a network of keras.applications, such as
    efficientnet_v2_b0."""
    encoder_weights: str | None = "imagenet"
    """Initial encoder weights: imagenet (downloaded by Keras; of efficientnet_lite0 installed with
    Maskwright), a weights file, or none for random initialization."""
    encoder_widths: tuple[PositiveInt, ...] = Field((32, 64, 128, 256, 512), min_length=1)
    """Channels of each level of the plain and residual encoders, fine to coarse."""
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
    """Optimizer: adamw, adam (without weight decay) or sgd."""
    learning_rate: PositiveFloat = 4e-3
    """Peak learning rate; the schedule scales it."""
    encoder_rate: NonNegativeFloat | None = None
    """Encoder learning rate as a fraction of `learning_rate`; none for 0.25 with pretrained
    weights, else 1."""
    weight_decay: NonNegativeFloat = 1e-4
    """Decoupled weight decay per step of adamw and sgd, multiplied by the learning rate."""
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
    freeze_stem: bool | None = None
    """Keep the pretrained layers of the encoder at stride 2 and finer, which saves time; none for
    true in condinst and mask_rcnn with pretrained weights, else false."""
    average: NonNegativeFloat = 0.15
    """Window of the moving average of weights, as a fraction of the steps so far; 0 for no
    averaging."""
    patience: PositiveInt | None = 50
    """Early stopping: validations without a better score until training ends; none for no early
    stopping."""
    seed: int = Field(0, ge=0, lt=2**32)
    """Random seed of initial weights, sample order and augmentation."""
    epochs: PositiveInt | None = None
    """Number of epochs. Excludes `minutes`."""
    minutes: PositiveFloat | None = None
    """Training budget in minutes, compilation and validation included. Excludes `epochs`."""

    # Output
    previews: NonNegativeInt = 4
    """Number of validation samples drawn with their prediction after each epoch."""
    track: Tracker | None = None
    """Experiment tracker: tensorboard, mlflow or wandb (Weights & Biases) receives settings, the
    scores of each epoch, curves and model card; none for no tracker."""
    checkpoint_seconds: NonNegativeFloat = 20.0
    """Minimum time between two checkpoints, in seconds."""

    @field_validator("augmentation", mode="before")
    @classmethod
    def _read_augmentation(cls, value: Any) -> Any:
        # The command line reads `none` as no value; here it names a strength.
        parameters = {"strength": value} if isinstance(value, str | None) else value
        if not isinstance(parameters, dict):
            return parameters
        strength = parameters.get("strength", _STRENGTH)
        return {**parameters, "strength": "none" if strength is None else strength}

    @field_validator("encoder_weights")
    @classmethod
    def _read_weights(cls, value: str | None) -> str | None:
        return None if value == "none" else value

    @field_validator("fold", mode="before")
    @classmethod
    def _read_fold(cls, value: Any) -> Any:
        """Accept `2/5` and a pair of integers."""
        match = re.fullmatch(r"(\d+)/(\d+)", value) if isinstance(value, str) else None
        if match is None and not isinstance(value, list | tuple | None):
            raise ValueError("expected a fold of several, such as 2/5")
        return (int(match[1]), int(match[2])) if match else value

    @model_validator(mode="after")
    def _check_budget(self) -> Self:
        if self.epochs is not None and self.minutes is not None:
            raise ValueError("give either epochs or minutes, not both")
        return self

    @property
    def initial_encoder_weights(self) -> str | None:
        """`encoder_weights`, but `None` for published ones where the encoder has none."""
        published = self.encoder_weights == "imagenet"
        return None if published and self.encoder in SCRATCH else self.encoder_weights

    @property
    def pretrained(self) -> bool:
        """Whether the encoder starts from pretrained weights."""
        return self.initial_encoder_weights is not None

    @property
    @abstractmethod
    def task(self) -> str:
        """Name of the task that the settings are for, as in `tasks.TASKS`."""

    def with_budget(self) -> Self:
        """The settings with their default budget in minutes, if they state no length of the run."""
        if self.epochs is None and self.minutes is None:
            return self.model_copy(update={"minutes": self.default_minutes})
        return self

    def effective(self) -> dict[str, Any]:
        """Settings that have an effect beside the others, as plain values for YAML and JSON."""
        return self.model_dump(mode="json", exclude=set(unused(self)))

    def division(self) -> dict[str, Any]:
        """Arguments of `open_dataset` that define splits and folds."""
        return {
            "group_by": self.group_by,
            "val_share": self.val_share,
            "test_share": self.test_share,
            "calibration_share": self.calibration_share,
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
        """Arguments of `training.Recipe`; `None` is replaced by the default of the encoder."""
        defaults = {
            "encoder_rate": 0.25 if self.pretrained else 1.0,
            "freeze": 0.2 if self.pretrained else 0.0,
            "fix_statistics": self.pretrained,
            "freeze_stem": self.pretrained and getattr(self, "objects", None) in DETECTORS,
        }
        values = {name: getattr(self, name) for name in _RECIPE}
        return {n: defaults.get(n) if value is None else value for n, value in values.items()}


_RECIPE = (
    *("batch_size", "optimizer", "learning_rate", "encoder_rate", "weight_decay", "clip_norm"),
    *("schedule", "warmup", "freeze", "fix_statistics", "freeze_stem", "average", "patience"),
)
