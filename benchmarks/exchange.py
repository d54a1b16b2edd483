"""What the race and its racers hand each other: one folder of arrays, settings and results.

NumPy and the standard library only, because one racer lives in an environment of its own.
"""

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

IGNORE_LABEL = 255
STRIDE = 32
"""Both rivals' encoders halve the image five times and join what they halve without resizing."""


@dataclass(frozen=True)
class Settings:
    """What every racer is told.

    Args:
        num_classes: Labels are 0 … num_classes - 1 and 255 for pixels that do not count.
        seconds: Time for training, from its first line, compilation included, to its last step.
        seed: Of weights, order and augmentation.
        encoder_weights: Keras file of a MobileNetV2 without its top, or `None` for a random start.
        model: `"default"` for ours with its light decoder and for `smp` with a U-Net, or
            `"deeplab_v3_plus"` for both at output stride 16.
    """

    num_classes: int
    seconds: float
    seed: int
    encoder_weights: str | None
    model: str = "default"


@dataclass(frozen=True)
class Task:
    """Settings and arrays: images uint8 `(n, h, w, 3)`, labels uint8 `(n, h, w)`.

    There are no test labels here: nobody but the race sees them.
    """

    settings: Settings
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray


def write_task(folder: Path, task: Task) -> None:
    """Put a task where `read_task` finds it."""
    (folder / "settings.json").write_text(json.dumps(asdict(task.settings)))
    np.save(folder / "train_images.npy", task.train_images)
    np.save(folder / "train_labels.npy", task.train_labels)
    np.save(folder / "test_images.npy", task.test_images)


def read_task(folder: Path) -> Task:
    """Read what `write_task` wrote."""
    settings = Settings(**json.loads((folder / "settings.json").read_text()))
    arrays = (
        np.load(folder / f"{name}.npy") for name in Task.__annotations__ if name != "settings"
    )
    return Task(settings, *arrays)


def write_result(
    folder: Path, racer: str, predictions: np.ndarray, steps: int, seconds: float
) -> None:
    """Hand in labels `(n, h, w)` of the test images, and what they cost.

    The peak is that of the resident memory of this process so far.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_mb = peak / 2**20 if sys.platform == "darwin" else peak / 2**10
    np.save(folder / f"{racer}_predictions.npy", predictions.astype(np.uint8))
    result = {"steps": steps, "seconds": round(seconds, 1), "peak_mb": round(peak_mb)}
    (folder / f"{racer}_result.json").write_text(json.dumps(result))


def pad(array: np.ndarray, value: int | None) -> np.ndarray:
    """Lengthen `(n, h, w, …)` below and on the right to multiples of `STRIDE`.

    Args:
        array: Images or labels.
        value: What the new pixels hold; `None` repeats the pixels at the edge.
    """
    height, width = array.shape[1:3]
    widths = [(0, 0), (0, -height % STRIDE), (0, -width % STRIDE)] + [(0, 0)] * (array.ndim - 3)
    if value is None:
        return np.pad(array, widths, mode="edge")
    return np.pad(array, widths, constant_values=value)


class Stopwatch:
    """Counts the steps of one training and says when its time is over.

    A step that has begun is finished, so a racer may run over by less than one step.
    """

    def __init__(self, seconds: float) -> None:
        self.limit = seconds
        self.steps = 0
        self.seconds = 0.0
        self._start = time.perf_counter()
        self._told = self._start

    def step(self) -> None:
        """Count a step that has just ended."""
        now = time.perf_counter()
        self.steps += 1
        self.seconds = now - self._start
        if now - self._told > 10:
            self._told = now
            print(f"  {self.seconds:4.0f} s, {self.steps} steps", file=sys.stderr)

    @property
    def done(self) -> float:
        """Share of the time that has passed, 1 or more when training is over."""
        return self.seconds / self.limit
