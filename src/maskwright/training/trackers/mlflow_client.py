"""MLflow: a run on the server, in the database or in the folder of `MLFLOW_TRACKING_URI`."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

_EXPERIMENT = "maskwright"  # where neither MLFLOW_EXPERIMENT_NAME nor _ID names one
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""By default MLflow tries again for minutes, for which training would wait."""
_MOST_PARAMETERS = 100  # that MLflow takes at once
_MOST_CHARACTERS = 500  # of one; plan.yaml among the artifacts holds all
_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


class MlflowClient:
    """Logs to an MLflow run of its own, beside any that is active."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], known_id: str | None) -> None:
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        self._entities = import_module("mlflow.entities")
        self._client = import_module("mlflow").MlflowClient()
        if known_id is not None:
            self.id = known_id
            self._client.update_run(self.id, status="RUNNING")
            return
        created = self._client.create_run(self._experiment(), run_name=folder.resolve().name)
        self.id = created.info.run_id
        # Of a run that is resumed, parameters cannot change.
        parameters = [
            self._entities.Param(name, str(value)[:_MOST_CHARACTERS])
            for name, value in flat(settings)
        ]
        for start in range(0, len(parameters), _MOST_PARAMETERS):
            self._client.log_batch(self.id, params=parameters[start : start + _MOST_PARAMETERS])

    def log(self, row: Mapping[str, float]) -> None:
        """Log the values of an epoch, which is their step."""
        now, step = int(time.time() * 1000), int(row["epoch"])
        values = [self._entities.Metric(name, value, now, step) for name, value in row.items()]
        self._client.log_batch(self.id, metrics=values)

    def finish(self, files: Sequence[Path], status: str) -> None:
        """Store files as artifacts, and end the run."""
        for path in files:
            self._client.log_artifact(self.id, str(path))
        self._client.set_terminated(self.id, _STATUS[status])

    def _experiment(self) -> str:
        """Id of the experiment, which is created where it does not exist."""
        if "MLFLOW_EXPERIMENT_ID" in os.environ:
            return os.environ["MLFLOW_EXPERIMENT_ID"]
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        known = self._client.get_experiment_by_name(name)
        number: str = known.experiment_id if known else self._client.create_experiment(name)
        return number


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings with their parameters, as in `augmentation.strength`."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
