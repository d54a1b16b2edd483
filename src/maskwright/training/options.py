"""`TrainOptions`: how a run is carried out, as one value from the command line to the loop."""

from dataclasses import dataclass
from typing import Any

from maskwright.types import OnMessage, ignore_message


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """How a run is carried out, whatever the task.

    Args:
        seed: Seed of weights, order and augmentation.
        epochs: Number of epochs. Excludes `minutes`.
        minutes: Training budget in minutes, compilation and validation included.
        resume: Continue the run in the folder.
        previews: Number of samples whose predictions are drawn after every epoch.
        tensorboard: Write logs for TensorBoard into the run.
        checkpoint_seconds: Minimum time between two checkpoints.
        callbacks: Keras callbacks of the caller, in addition to those of the run.
        on_message: Called with each message to the user.
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
