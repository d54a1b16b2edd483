"""The verb that writes trained models for other engines and programs."""

from itertools import islice
from pathlib import Path

import numpy as np

from maskwright.arguments import checked
from maskwright.data import open_dataset
from maskwright.errors import ConfigError
from maskwright.export.artifact import SUFFIX
from maskwright.export.ensemble import is_ensemble
from maskwright.export.export_run import Export, export_run, require_free
from maskwright.export.export_task import Example
from maskwright.export.formats.table import FORMATS
from maskwright.model_card import CARD_FILE, TRUST_FILE, read_task
from maskwright.tasks.provenance import division_of
from maskwright.tasks.registry import TASKS
from maskwright.types import Format

_MOST_COMPARED = 32
_MOST_EVALUATED = 200  # by their Dice, for eight bits
_MOST_CALIBRATED = 64


@checked
def export_model(
    run: str | Path,
    out: str | Path,
    *,
    format: Format,
    data: str | Path | None = None,
    int8: bool = False,
    with_postprocessing: bool = False,
) -> Export:
    """Write the model of a run for an engine, with all that using it needs.

    The copy is opened in its engine and compared with the run; what differs too much is not kept.

    Args:
        run: Folder of a finished run of masks, single objects or regions, or of an ensemble.
        out: Folder to make, or one file, whose name ends with `.maskwright`.
        data: What `open_dataset` takes, whose validation images are compared on besides drawn ones;
            for models of regions only to make promises again.
        int8: Write weights and activations in eight bits, calibrated on training images of `data`,
            for `"onnx"`, `"openvino"` or `"litert"`; refused where the Dice of the validation
            images falls by more than 0.005 whatever is left in float.
        with_postprocessing: For `"onnx"` and a folder: also write files for other programs, which
            hold scaling of pixels and decisions; not of single objects and ensembles.
    """
    if format not in FORMATS:
        raise ConfigError(f"Expected a format of {', '.join(FORMATS)}; received {format!r}.")
    folder = Path(run)
    task = TASKS[read_task(folder / CARD_FILE, TASKS)] if int8 or data is not None else None
    if int8 and task is not None and not task.export.int8:
        raise ConfigError(
            f"Eight bits need a model of masks of classes; this one is for the task {task.name}: "
            f"export it without --int8."
        )
    if int8 and (FORMATS[format].quantizer is None or data is None):
        able = ", ".join(name for name, other in FORMATS.items() if other.quantizer is not None)
        raise ConfigError(
            f"Eight bits need a format of {able}, and the data set that the model learned from; "
            f"received {format} and {'no' if data is None else 'a'} data set."
        )
    require_free(Path(out))
    if with_postprocessing:
        _require_postprocessing(folder, Path(out), format)
    samples: list[Example] = []
    calibration: list[np.ndarray] = []
    read = None if task is None else task.export.samples
    if task is not None and read is None and not (folder / TRUST_FILE).is_file():
        raise ConfigError(
            f"A model of {task.name} is compared on drawn {task.name}; leave out the data set."
        )
    if task is not None and read is not None and data is not None:
        card = task.card.read(folder / CARD_FILE)
        dataset = open_dataset(data, **division_of(folder))
        most = _MOST_EVALUATED if int8 else _MOST_COMPARED
        samples += islice(read(card, dataset, "val"), most)
        if int8:
            if not samples:
                raise ConfigError(
                    f"Eight bits are held against validation images with masks; {data} has none: "
                    f"name a data set that has."
                )
            learned = islice(read(card, dataset, "train"), _MOST_CALIBRATED)
            calibration += [sample["image"] for sample in learned]
    tasks = {name: task.export for name, task in TASKS.items()}
    return export_run(
        folder, Path(out), format, tasks, samples, calibration, data, with_postprocessing
    )


def _require_postprocessing(run: Path, out: Path, format: Format) -> None:
    """Raise `ConfigError` where no files with decisions can be written, or none that is opened."""
    able = ", ".join(name for name, other in FORMATS.items() if other.postprocessing)
    if not FORMATS[format].postprocessing:
        raise ConfigError(f"--with-postprocessing requires a format of {able}; received {format}.")
    if out.suffix == SUFFIX:
        raise ConfigError(
            f"--with-postprocessing writes files that other programs open; expected a folder, "
            f"received {out}."
        )
    task = TASKS[read_task(run / CARD_FILE, TASKS)]
    if is_ensemble(run) or task.export.postprocess is None:
        raise ConfigError(
            f"--with-postprocessing supports single models of masks of classes and of regions; "
            f"{run} is {'an ensemble' if is_ensemble(run) else f'for the task {task.name}'}: "
            f"export it without."
        )
