"""Hand a run to a tracker, epoch after epoch, whatever happens to the tracker."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import keras

from maskwright.errors import ConfigError, StoppedError
from maskwright.imageio import write_text
from maskwright.training.run import Run
from maskwright.training.trackers.mlflow_client import MlflowClient
from maskwright.training.trackers.tensorboard_client import TensorBoardClient
from maskwright.training.trackers.wandb_client import WandbClient
from maskwright.types import Alert, OnMessage, Tracker

_FILES = ("plan.yaml", "history.csv", "curves.png", "model_card.json")


class TrackerClient(Protocol):
    """A run as its tracker knows it, which has the name of its folder.

    Its class makes it from the folder, the settings, and the `id` that it had before, or `None`.
    """

    id: str

    def log(self, row: Mapping[str, float]) -> None:
        """Log the values of an epoch by name, `epoch` among them."""

    def finish(self, files: Sequence[Path], status: str) -> None:
        """Store files and end the run: `"finished"`, `"stopped"` or `"failed"`."""


_CLIENTS: dict[Tracker, tuple[str, Callable[..., TrackerClient]]] = {
    "tensorboard": ("TensorBoard", TensorBoardClient),
    "mlflow": ("MLflow", MlflowClient),
    "wandb": ("Weights & Biases", WandbClient),
}
"""Name and client of each tracker, whose package has the name of the tracker."""


def check_tracker(tracker: Tracker | None) -> None:
    """Raise `ConfigError` where the package of a tracker is not installed."""
    if tracker is not None and find_spec(tracker) is None:
        raise ConfigError(
            f"{_CLIENTS[tracker][0]} is not installed; install it with: "
            f'pip install "maskwright[{tracker}]"'
        )


@contextmanager
def tracked(
    tracker: Tracker | None,
    run: Run,
    settings: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    on_message: OnMessage,
) -> Iterator[list[keras.callbacks.Callback]]:
    """Callbacks that track a run as long as this lasts; none for no tracker.

    Args:
        history: Rows of `history.csv`, to which the loop adds.
        on_message: Called once, with a warning, if the tracker fails.
    """
    if tracker is None:
        yield []
        return
    tracking = Tracking(tracker, run, history, on_message)
    tracking.begin(settings)
    status = "failed"
    try:
        yield [tracking]
        status = "finished"
    except StoppedError:
        status = "stopped"
        raise
    finally:
        tracking.finish(status)


class Tracking(keras.callbacks.Callback):
    """Logs each epoch to a tracker, until that fails; then training goes on without it.

    `tracking.json` in the folder holds the id of the run and the last epoch that was logged, by
    tracker, so that a run that is resumed goes on where it was, and logs what is missing.
    """

    def __init__(
        self,
        tracker: Tracker,
        run: Run,
        history: Sequence[Mapping[str, float]],
        on_message: OnMessage,
    ) -> None:
        super().__init__()
        self.tracker, self.run, self.history = tracker, run, history
        self.on_message = on_message
        self.client: TrackerClient | None = None
        self.file = run.folder / "tracking.json"
        self.epoch, self.failed = 0, False

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Begin the run of the tracker, or continue it, and log the epochs that it lacks."""
        self._attempt(lambda: self._open(settings))
        self.on_epoch_end(0)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the rows of `history.csv` that are new."""
        self._attempt(self._log)

    def finish(self, status: str) -> None:
        """Store the files of the run, and end that of the tracker."""
        paths = [self.run.folder / name for name in _FILES]

        def end() -> None:
            if self.client is not None:
                self.client.finish([path for path in paths if path.is_file()], status)

        self._attempt(end)

    def _open(self, settings: Mapping[str, Any]) -> None:
        known = self._read().get(self.tracker, {})
        make = _CLIENTS[self.tracker][1]
        self.client = make(self.run.folder, settings, known.get("id"))
        # Epochs after the last checkpoint are trained, and logged, again.
        last = max((int(row["epoch"]) for row in self.history), default=0)
        self._write(min(int(known.get("epoch", 0)), last))

    def _log(self) -> None:
        for row in self.history:
            if self.client is not None and row["epoch"] > self.epoch:
                self.client.log(row)
                self._write(int(row["epoch"]))

    def _read(self) -> dict[str, Any]:
        return dict(json.loads(self.file.read_bytes())) if self.file.is_file() else {}

    def _write(self, epoch: int) -> None:
        """Record the last epoch that was logged."""
        self.epoch = epoch
        if self.client is not None:
            known = self._read() | {self.tracker: {"id": self.client.id, "epoch": epoch}}
            write_text(self.file, json.dumps(known, indent=2) + "\n")

    def _attempt(self, work: Callable[[], None]) -> None:
        """Do what needs the tracker; after a failure, of which a warning tells, nothing more."""
        if self.failed:
            return
        try:
            work()
        except Exception as error:  # clients raise almost anything
            self.failed = True
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            self.on_message(
                Alert(
                    f"{_CLIENTS[self.tracker][0]} failed ({reason}): the run goes on without it; "
                    f"what it lacks is logged when the run is resumed."
                )
            )
