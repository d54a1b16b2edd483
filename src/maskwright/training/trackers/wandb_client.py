"""Weights & Biases: a run in the project of `WANDB_PROJECT`, offline by `WANDB_MODE=offline`."""

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

_PROJECT = "maskwright"  # where WANDB_PROJECT names none
_START_S, _FINISH_S = 30.0, 120.0  # that are waited for the server


class WandbClient:
    """Logs to a run of its own, beside any that is active; its files are in the run's folder."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], known_id: str | None) -> None:
        self._wandb = import_module("wandb")
        self.id: str = known_id or uuid4().hex[:12]
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", _PROJECT),
            dir=os.environ.get("WANDB_DIR", str(folder)),
            id=self.id,
            name=folder.resolve().name,
            resume=None if known_id is None else "allow",
            config=dict(settings),
            allow_val_change=True,  # of a run that is resumed with more epochs
            reinit="create_new",
            settings=self._wandb.Settings(
                console="off", silent=True, init_timeout=_START_S, finish_timeout=_FINISH_S
            ),
        )
        # Steps of Weights & Biases only rise, while a run that is resumed repeats some epochs.
        self._run.define_metric("epoch")
        self._run.define_metric("*", step_metric="epoch")

    def log(self, row: Mapping[str, float]) -> None:
        """Log the values of an epoch, over which all are drawn."""
        self._run.log(dict(row))

    def finish(self, files: Sequence[Path], status: str) -> None:
        """Store files as an artifact, pictures also as such, and end the run."""
        stored = self._wandb.Artifact(f"run-{self.id}", type="run")
        for path in files:
            stored.add_file(str(path))
            if path.suffix == ".png":
                self._run.log({path.stem: self._wandb.Image(str(path))})
        self._run.log_artifact(stored)
        self._run.finish(exit_code=int(status != "finished"))
