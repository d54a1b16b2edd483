"""The folder of a run: everything needed to repeat, continue or use the model."""

import csv
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from maskwright.errors import DataError
from maskwright.imageio import atomic_write, check_start, write_text
from maskwright.model_card import CARD_FILE, MODEL_FILE, NETWORK_FILE, ModelCard, checksum


@dataclass(frozen=True)
class Run:
    """Paths of a run, and how its files are written: each beside its place, then moved into it."""

    folder: Path

    @property
    def settings_file(self) -> Path:
        """Settings that repeat the run."""
        return self.folder / "plan.yaml"

    @property
    def model_file(self) -> Path:
        """Trained model, without what training alone needs."""
        return self.folder / MODEL_FILE

    @property
    def checkpoint_file(self) -> Path:
        """Where `--resume` goes on."""
        return self.folder / "checkpoints" / "last.npz"

    @property
    def history_file(self) -> Path:
        """One line for each epoch."""
        return self.folder / "history.csv"

    @property
    def progress_file(self) -> Path:
        """How far the run is, while it trains."""
        return self.folder / "progress.json"

    @property
    def previews(self) -> Path:
        """Predictions of the same images, a picture each epoch."""
        return self.folder / "previews"

    def start(self, resume: bool) -> None:
        """Make the folder; `ConfigError` where it holds another run, or nothing to resume."""
        check_start(self.folder, {self.settings_file.name: "run"}, resume)
        for folder in (self.folder, self.previews, self.checkpoint_file.parent):
            folder.mkdir(parents=True, exist_ok=True)

    def write_settings(self, settings: Mapping[str, Any]) -> None:
        """Write what `read_settings` reads."""
        write_text(self.settings_file, yaml.safe_dump(dict(settings), sort_keys=False))

    def read_settings(self) -> dict[str, Any]:
        """Settings of the run."""
        return yaml.safe_load(self.settings_file.read_text(encoding="utf-8"))

    def write_environment(self, facts: Mapping[str, Any]) -> None:
        """Versions of what computes, and `facts`, into `environment.json`."""
        packages = ("maskwright", "keras", "tensorflow", "tensorflow-cpu", "numpy")
        versions = {"python": platform.python_version()}
        for package in (*packages, "opencv-python-headless"):
            try:
                versions[package] = metadata.version(package)
            except metadata.PackageNotFoundError:
                continue
        text = json.dumps({"versions": versions, **facts}, indent=2)
        write_text(self.folder / "environment.json", text + "\n")

    def read_environment(self) -> dict[str, Any]:
        """What `write_environment` wrote."""
        return json.loads((self.folder / "environment.json").read_text(encoding="utf-8"))

    def write_network(self, text: str) -> None:
        """Write how the network is built, `Blueprint.to_json`, so that it can be exported."""
        write_text(self.folder / NETWORK_FILE, text)

    def write_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """One line for each epoch into `history.csv`; a value not measured stays empty."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        with (
            atomic_write(self.history_file) as beside,
            beside.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)

    def read_history(self) -> list[dict[str, float]]:
        """The rows of `history.csv`, without the values that were not measured."""
        with self.history_file.open(newline="", encoding="utf-8") as file:
            return [
                {name: float(text) for name, text in row.items() if text}
                for row in csv.DictReader(file)
            ]

    def write_model(self, model: Any, card: ModelCard) -> None:
        """Write a Keras model and the card that belongs to it, the card last."""
        with atomic_write(self.model_file) as beside:
            model.save(beside)
        known = replace(card, model_sha256=checksum(self.model_file))
        known.write(self.folder / CARD_FILE)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> None:
    """Arrays and plain values into one `.npz`, whole or not at all; no pickle in it."""
    text = np.frombuffer(json.dumps(state).encode(), np.uint8)
    with atomic_write(path) as beside, beside.open("wb") as file:
        np.savez(file, allow_pickle=False, state=text, **arrays)


def read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What `write_arrays` wrote; `DataError` where the file is something else."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays, json.loads(arrays.pop("state").tobytes())
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"The checkpoint {path} cannot be read ({error}).") from None
