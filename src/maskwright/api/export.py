"""The verb export."""

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from maskwright.data import open_dataset
from maskwright.errors import ConfigError
from maskwright.export.export_task import Example
from maskwright.export.formats.table import FORMATS
from maskwright.model_card import CARD_FILE, read_task
from maskwright.tasks.provenance import division_of
from maskwright.tasks.registry import TASKS
from maskwright.types import Format

if TYPE_CHECKING:
    from maskwright.export.export_run import Export

_MOST_COMPARED = 32
_MOST_EVALUATED = 200  # by their Dice, for eight bits
_MOST_CALIBRATED = 64


def export_model(
    run: str | Path,
    out: str | Path,
    *,
    format: Format,
    data: str | Path | None = None,
    int8: bool = False,
) -> "Export":
    """Write the model of a run for an engine, with all that using it needs.

    The copy is opened in its engine and compared with the run; what differs too much is not kept.

    Args:
        run: Folder of a finished run of masks, single objects or regions, or of an ensemble.
        out: Folder to make, or one file, whose name ends with `.maskwright`.
        data: What `open_dataset` takes, whose validation images are compared on besides drawn ones;
            not for models of regions.
        int8: Write weights and activations in eight bits, calibrated on training images of `data`,
            for `"onnx"`, `"openvino"` or `"litert"`; refused where the Dice of the validation
            images falls by more than 0.005 whatever is left in float.
    """
    if format not in FORMATS:
        raise ConfigError(f"Expected a format of {', '.join(FORMATS)}; received {format!r}.")
    from maskwright.export.export_run import export_run, require_free

    folder = Path(run)
    if int8 and (FORMATS[format].quantizer is None or data is None):
        able = ", ".join(name for name, other in FORMATS.items() if other.quantizer is not None)
        raise ConfigError(
            f"Eight bits need a format of {able}, and the data set that the model learned from; "
            f"received {format} and {'no' if data is None else 'a'} data set."
        )
    require_free(Path(out))
    samples: list[Example] = []
    calibration: list[np.ndarray] = []
    if data is not None:
        task = TASKS[read_task(folder / CARD_FILE, TASKS)]
        if task.export.samples is None:
            raise ConfigError(
                f"A model of {task.name} is compared on drawn {task.name}; leave out the data set."
            )
        card = task.card.read(folder / CARD_FILE)
        dataset = open_dataset(data, **division_of(folder))
        most = _MOST_EVALUATED if int8 else _MOST_COMPARED
        samples += islice(task.export.samples(card, dataset, "val"), most)
        if int8:
            if not samples:
                raise ConfigError(
                    f"Eight bits are held against validation images with masks; {data} has none: "
                    f"name a data set that has."
                )
            learned = islice(task.export.samples(card, dataset, "train"), _MOST_CALIBRATED)
            calibration += [sample["image"] for sample in learned]
    tasks = {name: task.export for name, task in TASKS.items()}
    return export_run(folder, Path(out), format, tasks, samples, calibration)
