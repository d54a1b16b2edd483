"""The folder of a run: everything needed to repeat, continue or use the model."""

import csv
import json
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from maskwright.imageio import atomic_write, check_start, write_table, write_text
from maskwright.model_card import CARD_FILE, MODEL_FILE, ModelCard, checksum

_USED = ("maskwright", "keras", "tensorflow", "tensorflow-cpu", "numpy", "opencv-python-headless")


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
        versions = {"python": platform.python_version()}
        for package in _USED:
            with suppress(metadata.PackageNotFoundError):
                versions[package] = metadata.version(package)
        text = json.dumps({"versions": versions, **facts}, indent=2)
        write_text(self.folder / "environment.json", text + "\n")

    def read_environment(self) -> dict[str, Any]:
        """Values of `environment.json`."""
        return json.loads((self.folder / "environment.json").read_text(encoding="utf-8"))

    def write_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """One line for each epoch into `history.csv`; a value not measured stays empty."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        lines = [[row.get(name, "") for name in names] for row in rows]
        write_table(self.folder / "history.csv", names, lines)

    def read_history(self) -> list[dict[str, float]]:
        """The rows of `history.csv`, without the values that were not measured."""
        with (self.folder / "history.csv").open(newline="", encoding="utf-8") as file:
            return [
                {name: float(text) for name, text in row.items() if text}
                for row in csv.DictReader(file)
            ]

    def write_model(self, model: Any, card: ModelCard) -> None:
        """Write a Keras model and the card that belongs to it, the card last."""
        with atomic_write(self.model_file) as beside:
            model.save(beside)
        replace(card, model_sha256=checksum(self.model_file)).write(self.folder / CARD_FILE)
