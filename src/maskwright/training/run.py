"""The folder of a run: everything needed to repeat, continue or use the model."""

import csv
import json
import math
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from html import escape
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maskwright.display.html import table, thumbnail
from maskwright.errors import ConfigError, TrainingError
from maskwright.imageio import (
    atomic_write,
    check_start,
    dump_yaml,
    parse_yaml,
    sweep,
    write_table,
    write_text,
)
from maskwright.model_card import (
    CARD_FILE,
    LEARNED_FILE,
    MODEL_FILE,
    NETWORK_FILE,
    ModelCard,
    checksum,
    was_stopped,
)

if TYPE_CHECKING:
    from maskwright.display.figures import NotebookFigure

CHANGEABLE = (
    *("epochs", "minutes", "patience", "learning_rate", "clip_norm"),
    *("previews", "track", "checkpoint_seconds", "memory_limit_mb"),
)
"""Settings in which a resumed run may differ from what it was begun with."""
_FILES = (
    *("plan.yaml", "environment.json", "progress.json", "history.csv", "curves.png"),
    *(NETWORK_FILE, LEARNED_FILE, "model.txt", "model.png", MODEL_FILE, CARD_FILE),
    "tracking.json",
)
_CURVES_PX = 480  # of the longer side of the curves in a notebook, at most 80 kB
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

    def check_start(self, resume: bool) -> None:
        """Raise `ConfigError` where the folder holds another run, or nothing to resume."""
        check_start(self.folder, {self.settings_file.name: "run"}, resume)

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Raise `ConfigError` for a resumed run that differs in more than `CHANGEABLE`."""
        begun = self.read_settings()
        changed = [
            f"{name}={begun.get(name)} (received {value})"
            for name, value in settings.items()
            if value != begun.get(name) and name not in CHANGEABLE
        ]
        if changed:
            raise ConfigError(
                f"{self.folder} was begun with {', '.join(changed)}; resume it with the settings "
                f"in its {self.settings_file.name}, or start another run in another folder."
            )

    def check_data(self, facts: Mapping[str, Any]) -> None:
        """Raise `TrainingError` for a resumed run whose training or validation data differ."""
        begun = self.read_environment()
        for name, kind in (("data", "training"), ("val_data", "validation")):
            if facts[name] != begun.get(name):
                raise TrainingError(
                    f"The {kind} data of {self.folder} has changed since the run was started; "
                    f"restore it, or start another run in another folder."
                )

    def is_finished(self) -> bool:
        """Whether there is a model with its card, of a training that came to its end."""
        card = self.folder / CARD_FILE
        if not (card.is_file() and self.model_file.is_file()) or was_stopped(card):
            return False
        return json.loads(card.read_bytes())["model_sha256"] == checksum(self.model_file)

    def start(self) -> None:
        """Make the folders, and remove temporary files of a process that was killed here."""
        for folder in (self.folder, self.previews, self.checkpoint_file.parent):
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder, _FILES if folder == self.folder else None)

    def write_settings(self, settings: Mapping[str, Any]) -> None:
        """Write what `read_settings` reads."""
        write_text(self.settings_file, dump_yaml(dict(settings)))

    def read_settings(self) -> dict[str, Any]:
        """Settings of the run; `TrainingError` where their file is damaged."""
        return _read_mapping(self.settings_file, parse_yaml)

    def write_environment(self, facts: Mapping[str, Any]) -> None:
        """Versions of what computes, and `facts`, into `environment.json`."""
        versions = {"python": platform.python_version()}
        for package in _USED:
            with suppress(metadata.PackageNotFoundError):
                versions[package] = metadata.version(package)
        text = json.dumps({"versions": versions, **facts}, indent=2)
        write_text(self.folder / "environment.json", text + "\n")

    def read_environment(self) -> dict[str, Any]:
        """Values of `environment.json`; `TrainingError` where it is damaged."""
        return _read_mapping(self.folder / "environment.json", json.loads)

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

    @property
    def history(self) -> dict[str, list[float]]:
        """Values of each epoch by name, as Keras gives them; nan where one was not measured."""
        rows = self.read_history()
        names = dict.fromkeys(name for row in rows for name in row)
        return {name: [row.get(name, math.nan) for row in rows] for name in names}

    def plot(self) -> "NotebookFigure":
        """Loss and scores of training and validation by epoch, as a figure of Matplotlib."""
        from maskwright.training.curves import plot_curves

        return plot_curves(self.read_history(), self._titles())

    def _titles(self) -> dict[str, str]:
        """Titles of the scores that are shown, by name."""
        if not self.progress_file.is_file():
            return {}
        return dict(_read_mapping(self.progress_file, json.loads).get("titles", {}))

    def _repr_html_(self) -> str | None:
        if not (self.folder / "history.csv").is_file():
            return None
        from maskwright.display.figures import render

        history = self.history
        rows = [("epochs", f"{len(history.get('epoch', []))}")]
        for name, title in self._titles().items():
            values = [value for value in history.get(f"val_{name}", []) if math.isfinite(value)]
            if values:
                text = f"{max(values):.3f} at best, {values[-1]:.3f} at last"
                rows.append((f"validation {escape(title)}", text))
        curves = thumbnail(render(self.plot()), "curves", _CURVES_PX)
        return f"<div><b>{escape(str(self.folder))}</b><br>{curves}{table(rows)}</div>"

    def write_model(self, model: Any, card: ModelCard) -> None:
        """Write a Keras model and the card that belongs to it, the card last."""
        with atomic_write(self.model_file) as beside:
            model.save(beside)
        replace(card, model_sha256=checksum(self.model_file)).write(self.folder / CARD_FILE)


def _read_mapping(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    """Values of a file of a run by name; `TrainingError` where there are none."""
    try:
        return dict(parse(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError, ConfigError) as error:
        raise TrainingError(
            f"{path} cannot be read ({error}); copy it again, or start another run."
        ) from None
