"""TensorBoard: event files in the folder of the run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from maskwright.imageio import dump_yaml, read_image


class TensorBoardClient:
    """Writes curves of training and validation, which TensorBoard draws over each other."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], known_id: str | None) -> None:
        self.id = known_id or "tensorboard"
        self._epoch = 0
        self._training, self._validation = (
            tf.summary.create_file_writer(str(folder / "tensorboard" / name))
            for name in ("train", "validation")
        )
        self._write_text("settings", dump_yaml(dict(settings)))

    def log(self, row: Mapping[str, float]) -> None:
        """Write the values of an epoch."""
        self._epoch = int(row["epoch"])
        for name, value in row.items():
            writer = self._validation if name.startswith("val_") else self._training
            with writer.as_default(self._epoch):
                tf.summary.scalar(name.removeprefix("val_"), value)
        self._training.flush()
        self._validation.flush()

    def finish(self, files: Sequence[Path], status: str) -> None:
        """Write pictures and texts, and close the event files."""
        for path in files:
            if path.suffix == ".png":
                with self._training.as_default(self._epoch):
                    tf.summary.image(path.stem, read_image(path)[None])
            else:
                self._write_text(path.name, path.read_text(encoding="utf-8"))
        self._training.close()
        self._validation.close()

    def _write_text(self, name: str, text: str) -> None:
        """Text as it is: TensorBoard takes lines with four spaces for code."""
        with self._training.as_default(self._epoch):
            tf.summary.text(name, "\n".join(f"    {line}" for line in text.splitlines()))
