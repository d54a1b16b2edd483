"""How a model is trained: the recipe, and how the run is carried out."""

from dataclasses import dataclass
from typing import Any

from maskwright.types import OnMessage, ignore_message


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
