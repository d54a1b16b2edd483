"""How a model is trained: the recipe, the length of the run, and how the run is carried out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maskwright.errors import ConfigError
from maskwright.types import OnMessage, ignore_message

if TYPE_CHECKING:
    from maskwright.training.checkpoint import State


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train; the settings of each kind of run have values that are known to train well.

    Args:
        batch_size: Images or bags in a step, of all workers together.
        learning_rate: At the peak, of everything but a pretrained encoder.
        encoder_rate: Of the encoder, as a share of `learning_rate`.
        weight_decay: Per step, times the rate; biases and normalizations are spared.
        clip_norm: Gradients longer than this are shortened to it; `None` leaves them.
        warmup: Share of the run in which the rate climbs.
        freeze: Share of the run, from its start, in which the encoder does not learn; for half as
            long after it, the encoder's rate climbs.
        fix_statistics: The encoder's batch normalizations stay as pretrained.
        average: Share of the steps so far that the moving average of weights looks back on.
        patience: Validations without a better score after which training stops; `None` for never.
    """

    batch_size: int
    optimizer: str
    learning_rate: float
    encoder_rate: float
    weight_decay: float
    clip_norm: float | None
    schedule: str
    warmup: float
    freeze: float
    fix_statistics: bool
    average: float
    patience: int | None


@dataclass(frozen=True)
class Budget:
    """The length of a run: one of both is given.

    Raises:
        ConfigError: If neither or both are given.
    """

    epochs: int | None
    seconds: float | None

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.seconds is None):
            raise ConfigError("Give either a number of epochs or a number of minutes to train for.")

    def share_done(self, state: "State", steps: int, upcoming_seconds: float) -> float:
        """Share of the run that is over, 0 to 1.

        Args:
            upcoming_seconds: Duration of the next step and the last validation, which must fit.
        """
        if state.finished:
            return 1.0
        if self.epochs is not None:
            return min(state.step / max(self.epochs * steps, 1), 1.0)
        return min((state.seconds + upcoming_seconds) / float(self.seconds or 1), 1.0)

    def is_over(self, state: "State", recipe: Recipe, share_done: float) -> bool:
        """Whether training ends before the next epoch, early stopping included."""
        return (
            state.finished
            or (recipe.patience is not None and state.waited >= recipe.patience)
            or (self.epochs is not None and state.epoch >= self.epochs)
            or (self.seconds is not None and share_done >= 1)
        )


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How a run is carried out, whatever the task.

    Args:
        minutes: Training budget in minutes, compilation and validation included.
        checkpoint_seconds: Minimum time between two checkpoints.
    """

    seed: int = 0
    epochs: int | None = None
    minutes: float | None = None
    resume: bool = False
    previews: int = 4
    tensorboard: bool = False
    checkpoint_seconds: float = 20.0
    callbacks: tuple[Any, ...] = ()
    on_message: OnMessage = ignore_message
