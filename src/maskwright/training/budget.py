"""The length of a run: a number of epochs, or a time."""

from dataclasses import dataclass

from maskwright.errors import ConfigError
from maskwright.training.checkpoint import State
from maskwright.training.recipe import Recipe


@dataclass(frozen=True)
class Budget:
    """The length of a run: one of both is given.

    Args:
        epochs: Number of epochs.
        seconds: Time, compilation, validation and callbacks included.

    Raises:
        ConfigError: If neither or both are given.
    """

    epochs: int | None
    seconds: float | None

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.seconds is None):
            raise ConfigError("Give either a number of epochs or a number of minutes to train for.")

    def share_done(self, state: State, steps: int, upcoming_seconds: float) -> float:
        """Share of the run that is over, 0 to 1.

        Args:
            state: Where the run stands.
            steps: Steps in an epoch.
            upcoming_seconds: Duration of the next step and the last validation, which must fit.
        """
        if state.finished:
            return 1.0
        if self.epochs is not None:
            return min(state.step / max(self.epochs * steps, 1), 1.0)
        return min((state.seconds + upcoming_seconds) / float(self.seconds or 1), 1.0)

    def is_over(self, state: State, recipe: Recipe, share_done: float) -> bool:
        """Whether training ends before the next epoch, early stopping included."""
        return (
            state.finished
            or (recipe.patience is not None and state.waited >= recipe.patience)
            or (self.epochs is not None and state.epoch >= self.epochs)
            or (self.seconds is not None and share_done >= 1)
        )
